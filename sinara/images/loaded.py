"""An image in a file, taken by podman or docker to be started, and gone from there afterwards."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from sinara.errors import ImageError
from sinara.images import running
from sinara.images.call import ask

PROGRAMS = ("podman", "docker")
_LOAD_SECONDS = 1800.0
_ID = re.compile(r"sha256:([0-9a-f]{64})")


class Loaded:
    """A container and the image that was loaded for it; a ``sinara.images.values.Running``."""

    def __init__(self, container: running.Container, image: str, *, remove: bool) -> None:
        self.url = container.url
        self.how = container.how
        self._container = container
        self._image = image
        self._remove = remove

    def alive(self) -> bool:
        """Return whether it has not ended."""
        return self._container.alive()

    def log(self) -> str:
        """Return the last lines that it wrote."""
        return self._container.log()

    def stop(self) -> None:
        """End and remove the container and its image; never raises, may be called again."""
        self._container.stop()
        if self._remove:
            _remove(self._container.program, self._image)


def find_program() -> str | None:
    """Return podman or docker, if one of them works here."""
    for program in PROGRAMS:
        with contextlib.suppress(ImageError):
            if shutil.which(program) and ask([program, "info"]).code == 0:
                return program
    return None


def start(program: str, archive: Path, id_: str) -> Loaded:
    """Load an image and start it, confined.

    Args:
        program: ``podman`` or ``docker``.
        archive: An OCI archive that also holds what ``docker load`` reads.
        id_: The image's id, ``sha256:…``.

    Raises:
        ImageError: If it cannot be loaded or started; nothing of it is left then.
    """
    known = ask([program, "image", "inspect", id_.removeprefix("sha256:")]).code == 0
    done = ask([program, "load", "--input", str(archive)], seconds=_LOAD_SECONDS)
    found = _ID.search(done.out)
    image = found[1] if found else id_.removeprefix("sha256:")
    if done.code != 0:
        raise ImageError(f"{program} cannot load the image: {done.reason}")
    try:
        return Loaded(running.start(program, image), image, remove=not known)
    except BaseException:
        if not known:
            _remove(program, image)
        raise


def _remove(program: str, image: str) -> None:
    with contextlib.suppress(ImageError):
        ask([program, "rmi", "--force", image])
