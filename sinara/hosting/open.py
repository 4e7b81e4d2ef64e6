"""A host, opened by its kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from sinara.errors import UsageError, suggest
from sinara.hosting.places import GITHUB, GITLAB
from sinara.hosting.tokens import URLS, find_token
from sinara.hosting.values import Host
from sinara.names import shown
from sinara.repository import base_of, check_address

KINDS = ("local", "github", "gitlab")
_PUBLIC = {"github": GITHUB, "gitlab": GITLAB}


def open_host(
    kind: str,
    organization: str | None,
    *,
    url: str | None = None,
    environ: Mapping[str, str] | None = None,
    ask: Callable[[str], str] | None = None,
) -> Host:
    """Return a host of Git repositories; nothing is asked of it yet.

    Args:
        kind: ``local``, ``github`` or ``gitlab``.
        organization: The organisation; on GitLab a group, or ``group/subgroup``. ``None``: the
            account of the token. Of ``local``: the folder of bare repositories, which is made
            when the first one is.
        url: Web address of an own GitHub Enterprise or GitLab. By default what
            ``SINARA_GITHUB_URL`` or ``SINARA_GITLAB_URL`` says, else the public host.
        environ: The environment; the process's own by default.
        ask: Asks a person for a token and shows nothing of it; only where one can answer.

    Raises:
        UsageError: If an argument cannot be.
        MissingExtraError: If the package for that host is not installed.
        HostingError: If there is no token.
    """
    environ = os.environ if environ is None else environ
    if kind not in KINDS:
        raise UsageError(
            f"{shown(kind)} is no kind of host. {suggest(str(kind), KINDS)} "
            f"Known are {', '.join(KINDS)}.".replace(".  ", ". ")
        )
    if kind == "local":
        from sinara.hosting.local import LocalHost

        if not organization:
            raise UsageError("Host 'local' needs the folder of its repositories: --organization.")
        return LocalHost.at(organization)
    base = _web_address(kind, url or environ.get(URLS[kind][0]) or _PUBLIC[kind])
    if kind == "github":
        from sinara.hosting.github import GitHubHost

        return GitHubHost.open(base, organization, lambda: find_token(kind, base, environ, ask))
    from sinara.hosting.gitlab import GitLabHost

    return GitLabHost.open(base, organization, lambda: find_token(kind, base, environ, ask))


def _web_address(kind: str, url: str) -> str:
    check_address(url)
    base = base_of(url)
    if not base:
        raise UsageError(f"{shown(url)} is no web address of a {kind} host: https://HOST")
    path = url.partition("://")[2].partition("/")[2].rstrip("/")
    return f"{base}/{path}" if path else base
