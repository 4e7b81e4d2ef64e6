"""The files of a saved service, unpacked into a folder; nothing is imported or executed."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from sinara.errors import ServiceError, UsageError
from sinara.extract import extract_zip
from sinara.serving.entity import OLD_ARCHIVE, copies_of, unpack
from sinara.serving.find import service_at
from sinara.serving.values import FILES, SavedService
from sinara.settings import Settings


def extract_artifacts(
    settings: Settings,
    url: str,
    target: Path,
    copies: Path,
    own: Collection[str] = (),
) -> Path:
    """Unpack the service in an entity into a folder, and return the folder.

    Args:
        settings: Where the envs are.
        url: Of the entity.
        target: A folder that is empty, or not there.
        copies: An empty folder, for an entity on another machine.
        own: URLs of this run's own outputs.

    Raises:
        UsageError: If the folder holds something already.
        ServiceError: If the entity holds no service.
        CorruptError: If a byte of it is not what was saved.
        ArchiveError: If its archive is hostile.
    """
    check_empty(target)
    try:
        saved = service_at(settings, url, copies, own)
    except ServiceError:
        old = copies_of(url, copies) / OLD_ARCHIVE
        if not old.is_file():
            raise
        extract_zip(old, target)
        return target
    return extract_service(saved, target)


def extract_service(saved: SavedService, target: Path) -> Path:
    """Unpack a service, with the files that lie beside its archive, into an empty folder."""
    unpack(saved, target)
    for name in FILES:
        path = saved.folder / name
        if (target / name).is_dir():
            raise ServiceError(f"{saved.url}: the bento has a folder {name}, where a file belongs.")
        if path != saved.archive:
            shutil.copyfile(path, target / name)
    return target


def check_empty(target: Path) -> None:
    """Check that a folder can take files without losing any.

    Raises:
        UsageError: If it holds something, or is no folder.
    """
    try:
        held = next(target.iterdir(), None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}.") from error
    if held is not None:
        raise UsageError(f"{target} holds {held.name!r} already. Name an empty or a new folder.")
