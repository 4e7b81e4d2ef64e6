"""The name of an image taken apart, and put together again.

::

    host:5000/group/name:tag@sha256:…
    ╰registry╯╰repository╯╰─┴─ either, both, or neither

What a person wrote is kept as it is; only :meth:`Reference.located` spells a short name of Docker's
hub out, for asking a registry.

Source: the reference grammar of github.com/distribution/reference, and its ``normalize.go``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sinara.errors import BadNameError
from sinara.names import shown

HUB = "docker.io"
_HUB_NAMES = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_LIMIT = 255  # characters of a repository
_LABEL = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class Reference:
    """An image's name in parts; empty where it says nothing.

    Attributes:
        registry: ``host`` or ``host:port``.
        repository: ``group/name``.
        tag: ``3.11-slim``.
        digest: ``sha256:…`` of a manifest.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return (
            (f"{self.registry}/" if self.registry else "")
            + self.repository
            + (f":{self.tag}" if self.tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )

    @property
    def wanted(self) -> str:
        """What a registry is asked for: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or "latest"

    def located(self) -> Reference:
        """Return the name to ask a registry by: ``python`` is ``docker.io/library/python``."""
        if self.registry and self.registry not in _HUB_NAMES:
            return self
        official = "/" not in self.repository
        repository = f"library/{self.repository}" if official else self.repository
        return replace(self, registry=HUB, repository=repository)

    def pinned(self, digest: str) -> Reference:
        """Return the name of one manifest in the same repository, without a tag."""
        return replace(self, tag="", digest=digest)


def parse_reference(text: str) -> Reference:
    """Return the parts of an image's name.

    Raises:
        BadNameError: One line with the rule that it breaks.
    """
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _bad(text, "after @ comes sha256: and 64 hexadecimal digits")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")  # only here: a colon further left is a port's
    if colon and not _TAG.fullmatch(tag):
        raise _bad(text, "a tag is at most 128 letters a-z A-Z, digits, _ . and -")
    registry, repository = _split(f"{head}{slash}{last}")
    if registry and not _REGISTRY.fullmatch(registry):
        raise _bad(text, f"{shown(registry)} is no host. Write host:port/name, without https://")
    if not all(map(_COMPONENT.fullmatch, repository.split("/"))):
        raise _bad(
            text,
            "every part of its name is lower case letters and digits, with one . or _, "
            "two _, or any number of - between",
        )
    if len(repository) > _LIMIT:
        raise _bad(text, f"its name is longer than {_LIMIT} characters")
    if not registry and _IMAGE_ID.fullmatch(repository):
        raise _bad(text, "it is an image's id, not a name")
    return Reference(registry, repository, tag, digest)


def is_digest(text: object) -> bool:
    """Return whether a value is ``sha256:`` and 64 hexadecimal digits."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def _split(name: str) -> tuple[str, str]:
    """Tell the registry from the repository: a host has a dot, a port or capitals."""
    first, slash, rest = name.partition("/")
    hosted = "." in first or ":" in first or first == "localhost" or first != first.lower()
    return (first, rest) if slash and hosted else ("", name)


def _bad(text: str, rule: str) -> BadNameError:
    return BadNameError(f"image name {shown(text)} cannot be used: {rule}")
