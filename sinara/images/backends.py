"""Which builder makes an image, and why: asked for, or the first that works here.

The order, and its reasons::

    buildah   the same bytes each time, layers kept, no daemon
    podman    as buildah, which is a part of it
    docker    layers kept; a daemon that runs as root, and time stamps of its own
    direct    nothing to install: wheels only, and nothing is run
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sinara.errors import ImageError, UsageError, suggest
from sinara.images.values import Backend

Make = Callable[[Sequence[str]], Backend]


@dataclass(frozen=True)
class Candidate:
    """One backend on this machine.

    Attributes:
        name: ``buildah``, ``podman``, ``docker`` or ``direct``.
        merit: What speaks for it, in a few words.
        missing: Why it cannot build here and what to install; empty if it can.
    """

    name: str
    merit: str
    missing: str


def _maker(module: str, name: str) -> Make:
    """Return a function that makes a backend, and imports its module only then."""

    def make(insecure: Sequence[str]) -> Backend:
        room = importlib.import_module(f"sinara.images.{module}")
        backend: Backend = getattr(room, name)(insecure=insecure)
        return backend

    return make


_MAKERS: dict[str, tuple[str, Make]] = {
    "buildah": ("the same bytes each time, no daemon", _maker("engines", "Buildah")),
    "podman": ("the same bytes each time, no daemon", _maker("engines", "Podman")),
    "docker": ("its daemon answers", _maker("docker", "Docker")),
    "direct": ("no builder is needed", _maker("direct", "Direct")),
}
NAMES = tuple(_MAKERS)


def available(insecure: Sequence[str] = ()) -> list[Candidate]:
    """Return every backend in the order in which one is chosen, and what each lacks here."""
    return [
        Candidate(name, merit, make(insecure).missing()) for name, (merit, make) in _MAKERS.items()
    ]


def choose(asked: str | None = None, insecure: Sequence[str] = ()) -> tuple[Backend, str]:
    """Return a backend, and in one line why it is this one.

    Args:
        asked: Its name; None takes the first that works.
        insecure: Registries that may be spoken to without TLS, beside those of this machine.

    Raises:
        UsageError: If no backend has that name.
        ImageError: If the one that was asked for, or every one, lacks something: a line each.
    """
    if asked is not None:
        return _asked(asked, insecure), f"{asked}: asked for"
    lacking: list[str] = []
    for name, (merit, make) in _MAKERS.items():
        backend = make(insecure)
        reason = backend.missing()
        if not reason:
            return backend, "; ".join([f"{name}: {merit}", *lacking])
        lacking.append(f"not {name}: {reason}")
    raise ImageError("No image can be built on this machine.", *lacking)


def _asked(name: str, insecure: Sequence[str]) -> Backend:
    if name not in _MAKERS:
        known = ", ".join(NAMES)
        raise UsageError(
            f"There is no backend '{name}'; there are {known}. {suggest(name, NAMES)}".strip()
        )
    backend = _MAKERS[name][1](insecure)
    if reason := backend.missing():
        raise ImageError(f"The backend {name} cannot be used: {reason}")
    return backend
