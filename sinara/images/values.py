"""The values that move between the parts of this room: frozen, and plain enough to print."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

HOME = "/home/bentoml"
BENTO = f"{HOME}/bento"  # where an image holds what is served, as BentoML's own images do
PACKAGES = "/app/site"  # where an image holds the packages, beside those of its Python
USER = "1034:1034"  # uid and gid of BentoML's own images
PORT = 3000


@dataclass(frozen=True)
class Recipe:
    """What goes into an image: the base, then three layers, the one that changes most often last.

    Attributes:
        base: Reference of the base image, best with its digest.
        python: Its Python has to be this one, ``"3.11"``.
        requirements: A file of pins, one ``name==version`` a line, complete: nothing is resolved.
        code: A folder whose content goes to :data:`BENTO`.
        model: A folder whose content goes there too, in the layer above.
        labels: Of the image.
        epoch: When the image was made, as its configuration says: seconds since 1970. Files in its
            layers have one time that never changes (:data:`sinara.images.inside.LAYER_TIME`).
        platform: ``linux/amd64``; None: the machine's.
        wheelhouse: A folder of wheels to take packages from instead of an index.
        offline: Nothing but the wheelhouse and the base image that is here is asked.
    """

    base: str
    python: str
    requirements: Path
    code: Path
    model: Path
    labels: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0
    platform: str | None = None
    wheelhouse: Path | None = None
    offline: bool = False


@dataclass(frozen=True)
class Built:
    """An image that was built and has no name yet.

    Attributes:
        id: ``sha256:…`` of its configuration: one id, one content, whoever stores it.
        base_digest: ``sha256:…`` of the base's manifest; empty where the backend cannot tell.
        where: The backend's own handle: an image id, or the path of an OCI layout.
    """

    id: str
    base_digest: str
    where: str


class Running(Protocol):
    """A container, or a process in its place, that serves an image on this machine."""

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""

    @property
    def how(self) -> str:
        """What it runs in, for people: ``podman``, ``docker``, ``this machine's Python 3.11``."""

    def alive(self) -> bool:
        """Return whether it has not ended."""

    def log(self) -> str:
        """Return the last lines that it wrote."""

    def stop(self) -> None:
        """End and remove it; never raises, may be called again."""


Say = Callable[[str], None]
"""Is given each line of progress, or of a builder's log."""


class Backend(Protocol):
    """Something that makes images: buildah, podman, docker, or this package alone."""

    name: str

    def missing(self) -> str:
        """Return why it cannot build here and what to install; empty if it can."""

    def commands(self, recipe: Recipe) -> list[list[str]]:
        """Return what :meth:`build` would start, as argument lists; for a dry run. No I/O."""

    def build(self, recipe: Recipe, say: Say) -> Built:
        """Build an image without a name. If it fails, or is interrupted, nothing of it stays.

        Raises:
            ImageError: With the builder's last lines.
        """

    def tagged(self, name: str) -> str | None:
        """Return the id of the image that has this name here, if there is one."""

    def tag(self, built: Built, name: str) -> None:
        """Give it a name. Whether the name is free was asked before."""

    def discard(self, built: Built) -> None:
        """Remove an image that gets no name, and what it left; never raises."""

    def push(self, built: Built, name: str, say: Say) -> str:
        """Send a tagged image to the registry in its name; return the manifest's ``sha256:…``.

        Raises:
            RegistryError: If the registry cannot be reached, or refuses.
        """

    def cannot_run(self) -> str:
        """Return why :meth:`run` would fail here and what to install; empty if it would not."""

    def run(self, built: Built) -> Running:
        """Start what was built, confined: read-only, no capabilities, one port of 127.0.0.1."""


class Engine(Backend, Protocol):
    """A backend that keeps images on this machine."""

    def labels(self, name: str) -> dict[str, str] | None:
        """Return the labels of an image, or None if there is none of that name."""

    def save(self, reference: str, file: Path) -> None:
        """Write an image to a docker-archive, without running it.

        Raises:
            ImageError: If there is no such image.
        """
