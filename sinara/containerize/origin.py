"""What an image says of itself, and its files: read, never run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sinara.images import content
from sinara.images.backends import local_engines
from sinara.images.origin import ARCHIVE, LAYOUT, SAVED, ImageSource, open_source
from sinara.images.values import BENTO
from sinara.serving.artifacts import check_empty

_TIMEOUT = 10.0  # seconds for an answer of a registry: somebody waits
_OURS = re.compile(r"[^\s:]+(?::[0-9]+/[^\s:]+)?:run-[0-9]{2}-[^\s/]+|\S+@sha256:[0-9a-f]{64}")


def is_image(text: str) -> bool:
    """Return whether a person means an image and not an entity: its tag is a run, or it says so."""
    if text.startswith((LAYOUT, ARCHIVE, SAVED)):
        return True
    return "://" not in text and _OURS.fullmatch(text) is not None


def image_labels(image: str, insecure: Sequence[str] = ()) -> dict[str, str]:
    """Return the labels of an image that is on this machine, else in its registry.

    Raises:
        ImageError: If it cannot be read.
        RegistryError: If it is not on this machine, and its registry does not give it.
    """
    if not image.startswith((LAYOUT, ARCHIVE, SAVED)):
        for engine in local_engines():
            found = engine.labels(image)
            if found is not None:
                return found
    with _closing(open_source(image, insecure=insecure, timeout=_TIMEOUT)) as source:
        return content.labels(source)


def extract_image(image: str, folder: Path, insecure: Sequence[str] = ()) -> int:
    """Write the files of an image's bento into an empty folder; return how many.

    Raises:
        UsageError: If the folder holds something.
        ImageError: If the image cannot be read, or holds no service.
        ArchiveError: If a layer is hostile.
    """
    check_empty(folder)
    with (
        tempfile.TemporaryDirectory(prefix="sinara-image-") as temporary,
        _closing(_source(image, Path(temporary), insecure)) as source,
    ):
        return content.extract_files(source, BENTO, folder).files


def _source(image: str, folder: Path, insecure: Sequence[str]) -> ImageSource:
    if not image.startswith((LAYOUT, ARCHIVE, SAVED)):
        for engine in local_engines():
            if engine.tagged(image) is not None:
                engine.save(image, folder / "image.tar")
                return open_source(f"{SAVED}{folder / 'image.tar'}")
    return open_source(image, insecure=insecure)


@contextmanager
def _closing(source: ImageSource) -> Iterator[ImageSource]:
    try:
        yield source
    finally:
        source.close()
