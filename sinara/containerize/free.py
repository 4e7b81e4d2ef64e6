"""An existing tag is never overwritten with other content, here or in a registry."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from sinara.errors import ArchiveError, ImageError, UsageError
from sinara.images.files import TarFiles
from sinara.images.layout import is_layout
from sinara.images.manifest import machine_platform
from sinara.images.reference import Reference, parse_reference
from sinara.images.registry import Registry
from sinara.images.values import Backend, Built


def check_archive(file: Path) -> None:
    """Check that an image may be written to a file: it is not there, or holds an image.

    Raises:
        UsageError: If something else would be lost, or there is no such folder.
    """
    if not file.parent.is_dir():
        raise UsageError(f"--archive: there is no folder {file.parent}.")
    if not file.exists():
        return
    try:
        with contextlib.closing(TarFiles(file)) as files:
            holds_image = is_layout(files)
    except (ArchiveError, ImageError):
        holds_image = False
    if not holds_image:
        raise UsageError(f"--archive: {file} is there already and holds no image. It stays.")


def is_named(backend: Backend, built: Built, image: str) -> bool:
    """Return whether an image has this name here already.

    Raises:
        ImageError: If another one has it.
    """
    there = backend.tagged(image)
    if there is not None and there != built.id:
        raise _other(image, f"in {backend.name}'s storage", there, built.id)
    return there is not None


def named_digest(image: str, insecure: Sequence[str]) -> str | None:
    """Return the digest of what a registry holds by this name; None if it holds nothing.

    Raises:
        RegistryError: If it cannot be asked.
    """
    name: Reference = parse_reference(image).located()
    with Registry(name.registry, insecure=insecure) as registry:
        return registry.digest(name.repository, name.wanted)


def pushed_digest(built: Built, image: str, platform: str | None, insecure: Sequence[str]) -> str:
    """Return the digest under which a registry holds this image by this name; empty if it does not.

    Raises:
        ImageError: If it holds another one.
        RegistryError: If it cannot be asked.
    """
    name: Reference = parse_reference(image).located()
    with Registry(name.registry, insecure=insecure) as registry:
        if registry.digest(name.repository, name.wanted) is None:
            return ""
        manifest = registry.manifest(name.repository, name.wanted, platform or machine_platform())
    if manifest.config.digest != built.id:
        raise _other(image, f"at {name.registry}", manifest.config.digest, built.id)
    return manifest.digest


def _other(image: str, where: str, there: str, built: str) -> ImageError:
    return ImageError(
        f"{image} exists {where} with other content ({there[:19]}…, and {built[:19]}… was built), "
        "and is not overwritten. Its base image or the packages' files are others now. Remove that "
        "tag first if nobody uses it, or run the step again: a new run is a new tag."
    )
