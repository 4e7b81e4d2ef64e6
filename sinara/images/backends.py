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
from pathlib import Path

from sinara.errors import ImageError, UsageError, suggest
from sinara.images.values import Backend, Engine


@dataclass(frozen=True)
class Means:
    """What a backend works with.

    Attributes:
        insecure: Registries that may be spoken to without TLS, beside those of this machine.
        cache: Where layers of packages are kept for the next build.
        archive: The file that an image is written to.
    """

    insecure: Sequence[str] = ()
    cache: Path | None = None
    archive: Path | None = None


NO_MEANS = Means()
Make = Callable[[Means], Backend]


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

    def make(means: Means) -> Backend:
        room = importlib.import_module(f"sinara.images.{module}")
        backend: Backend = getattr(room, name)(means.insecure)
        return backend

    return make


def _direct(means: Means) -> Backend:
    from sinara.images.direct import Direct

    return Direct(means.insecure, cache=means.cache, archive=means.archive)


_MAKERS: dict[str, tuple[str, Make]] = {
    "buildah": ("the same bytes each time, no daemon", _maker("engines", "Buildah")),
    "podman": ("the same bytes each time, no daemon", _maker("engines", "Podman")),
    "docker": ("its daemon answers", _maker("docker", "Docker")),
    "direct": ("no builder is needed", _direct),
}
NAMES = tuple(_MAKERS)
_DIRECT = "direct"


def available(means: Means = NO_MEANS) -> list[Candidate]:
    """Return every backend in the order in which one is chosen, and what each lacks here."""
    return [
        Candidate(name, merit, make(means).missing()) for name, (merit, make) in _MAKERS.items()
    ]


def local_engines() -> list[Engine]:
    """Return the engines that keep images on this machine and work here."""
    from sinara.images.docker import Docker
    from sinara.images.engines import Buildah, Podman

    found: list[Engine] = []
    for engine in (Podman(), Buildah(), Docker()):
        kept_elsewhere = engine.name == "buildah" and found  # podman shows what buildah has
        if not kept_elsewhere and not engine.missing():
            found.append(engine)
    return found


def choose(asked: str | None = None, means: Means = NO_MEANS) -> tuple[Backend, str]:
    """Return a backend, and in one line why it is this one.

    Args:
        asked: Its name; None takes the first that works, or the one that writes archives.
        means: What it works with.

    Raises:
        UsageError: If no backend has that name, or it writes no archive.
        ImageError: If the one that was asked for, or every one, lacks something: a line each.
    """
    if means.archive is not None and asked not in (None, _DIRECT):
        raise UsageError(f"{asked} writes no archive: leave --archive out, or take {_DIRECT}.")
    if asked is not None:
        return _asked(asked, means), f"{asked}: asked for"
    if means.archive is not None:
        return _asked(_DIRECT, means), f"{_DIRECT}: it writes an archive"
    lacking: list[str] = []
    for name, (merit, make) in _MAKERS.items():
        backend = make(means)
        reason = backend.missing()
        if not reason:
            return backend, "; ".join([f"{name}: {merit}", *lacking])
        lacking.append(f"not {name}: {reason}")
    raise ImageError("No image can be built on this machine.", *lacking)


def _asked(name: str, means: Means) -> Backend:
    if name not in _MAKERS:
        known = ", ".join(NAMES)
        raise UsageError(
            f"There is no backend '{name}'; there are {known}. {suggest(name, NAMES)}".strip()
        )
    backend = _MAKERS[name][1](means)
    if reason := backend.missing():
        raise ImageError(f"The backend {name} cannot be used: {reason}")
    return backend
