"""The address of a remote, taken apart: which host it is on, whose it is, and its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sinara.repository import base_of, check_address, without_credentials

GITHUB, GITLAB = "https://github.com", "https://gitlab.com"
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>\[[^\]]+\]|[^:/]+):(?P<path>.+)")


@dataclass(frozen=True)
class Place:
    """Where a remote lies.

    Attributes:
        kind: ``local``, ``github``, ``gitlab``, or an empty string: the address does not say.
        url: Scheme and host of its web address; an empty string for a folder.
        organization: Whose it is: ``ann``, ``data-team/churn``, or an absolute folder.
        name: Its name, without ``.git``.
    """

    kind: str
    url: str
    organization: str
    name: str


def host_of(remote_url: str) -> Place:
    """Return where a remote lies; nobody is asked.

    Args:
        remote_url: Its address, in any form that git takes; credentials in it are left out.

    Raises:
        UsageError: If the address is of a kind that is not allowed.
    """
    address = check_address(without_credentials(remote_url))
    if address.startswith("/"):
        return _folder(address)
    if "://" not in address:
        found = _SCP.fullmatch(address)
        assert found is not None  # check_address took it for one
        return _on(f"https://{found['host']}", found["path"])
    parts = urlsplit(address)
    if parts.scheme == "file":
        return _folder(unquote(parts.path))
    base = base_of(address) or f"https://{parts.hostname}"  # ssh://host:22 is https://host
    return _on(base, unquote(parts.path))


def _folder(path: str) -> Place:
    parent, _, name = path.rstrip("/").rpartition("/")
    return Place("local", "", parent or "/", name.removesuffix(".git"))


def _on(base: str, path: str) -> Place:
    owner, _, name = path.strip("/").rpartition("/")
    kind = {GITHUB: "github", GITLAB: "gitlab"}.get(base, "")
    return Place(kind, base, owner, name.removesuffix(".git"))
