"""Copies of what a run wrote, for a resume: each file with its digest."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from sinara.errors import OutputError
from sinara.store import paths
from sinara.store.disk import Disk

_CHUNK = 1 << 20


def copy_tree(source: Path, target: Path, disk: Disk) -> dict[str, str]:
    """Copy a file, or a folder and all in it.

    Blocks are shared where the file system can do that.

    Args:
        source: What to copy; links in it are refused, never followed.
        target: Where to; nothing may be there.
        disk: Makes the copies, and makes them durable if it is one that does.

    Returns:
        SHA-256 of each copy, by its path below ``target``; the empty path is ``target`` itself.

    Raises:
        OutputError: If there is a link or a device.
        OSError: If something cannot be read or written.
    """
    base, name = str(source.parent), source.name
    digests: dict[str, str] = {}
    for seen in sorted(paths.scan(base, name), key=lambda seen: seen.path):
        to = target / seen.path if seen.path else target
        if seen.kind == "folder":
            to.mkdir(parents=True, exist_ok=True)
        elif seen.kind != "file":
            raise OutputError(f"{source / seen.path} is no regular file.")
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            below = f"{name}/{seen.path}" if seen.path else name
            digests[seen.path] = disk.copy_beneath(base, below, str(to)) or digest(to)
    if not digests and source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    return digests


def digest(path: Path, look: Callable[[bytes], None] | None = None) -> str:
    """Return the SHA-256 of a file; ``look`` is shown each piece of it, with what overlaps."""
    found = hashlib.sha256()
    before = b""
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            found.update(data)
            if look is not None:
                look(before + data)
                before = data[-_CHUNK // 8 :]
    return found.hexdigest()


def remove(path: Path) -> None:
    """Remove a file, or a folder and all in it; nothing happens if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, disk: Disk) -> None:
    """Write a file whole, in place of one that may be there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    disk.write_new(str(beside), data)
    disk.rename(str(beside), str(path))
