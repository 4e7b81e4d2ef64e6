"""The few calls with which a tree is written, in two kinds.

``ByDescriptor`` names every file relative to an open folder and never follows a link
(``openat`` with ``O_NOFOLLOW``), so it does not matter what another process renames or
replaces meanwhile. ``ByPath`` does the same by path, for systems that have no such calls
(Windows); it looks before it acts, which is enough against hostile archives but not against
another process.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

Folder = TypeVar("Folder")

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)  # a pipe must not make it wait


class FolderCalls(Protocol, Generic[Folder]):
    """What a tree needs from the system. ``Folder`` is an open folder; names have no slashes."""

    def top(self, path: Path) -> Folder:
        """Open a folder that the caller trusts, links in its path included."""

    def enter(self, folder: Folder, name: str) -> Folder:
        """Open a folder inside; OSError if it is a link or no folder."""

    def leave(self, folder: Folder) -> None:
        """Close a folder."""

    def make(self, folder: Folder, name: str, mode: int) -> None:
        """Make a folder; FileExistsError if anything has that name."""

    def create(self, folder: Folder, name: str, mode: int) -> int:
        """Create a file and return its descriptor; FileExistsError if anything has that name."""

    def reopen(self, folder: Folder, name: str) -> int:
        """Open a file that was created before, for writing; OSError if it is a link."""

    def read(self, folder: Folder, name: str) -> int:
        """Open a file for reading; OSError if it is a link."""

    def target(self, folder: Folder, name: str) -> str:
        """Return where a link leads."""

    def names(self, folder: Folder) -> list[str]:
        """Return what lies in a folder."""

    def look(self, folder: Folder, name: str) -> os.stat_result | None:
        """Return what has that name, the link itself if it is one; None if nothing has."""

    def move(self, source: Folder, name: str, target: Folder, new_name: str) -> None:
        """Rename; replaces a file or a link (not what it points to)."""

    def remove(self, folder: Folder, name: str) -> None:
        """Remove a whole folder without following links."""


class ByDescriptor:
    """Folders are descriptors."""

    def top(self, path: Path) -> int:
        """See ``FolderCalls.top``."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def enter(self, folder: int, name: str) -> int:
        """See ``FolderCalls.enter``."""
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | _NO_FOLLOW, dir_fd=folder)

    def leave(self, folder: int) -> None:
        """See ``FolderCalls.leave``."""
        os.close(folder)

    def make(self, folder: int, name: str, mode: int) -> None:
        """See ``FolderCalls.make``."""
        os.mkdir(name, mode, dir_fd=folder)

    def create(self, folder: int, name: str, mode: int) -> int:
        """See ``FolderCalls.create``."""
        return os.open(name, _CREATE | _NO_FOLLOW, mode, dir_fd=folder)

    def reopen(self, folder: int, name: str) -> int:
        """See ``FolderCalls.reopen``."""
        return os.open(name, os.O_WRONLY | _NO_FOLLOW, dir_fd=folder)

    def read(self, folder: int, name: str) -> int:
        """See ``FolderCalls.read``."""
        return os.open(name, _READ | _NO_FOLLOW, dir_fd=folder)

    def target(self, folder: int, name: str) -> str:
        """See ``FolderCalls.target``."""
        return os.readlink(name, dir_fd=folder)

    def names(self, folder: int) -> list[str]:
        """See ``FolderCalls.names``."""
        return os.listdir(folder)

    def look(self, folder: int, name: str) -> os.stat_result | None:
        """See ``FolderCalls.look``."""
        try:
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def move(self, source: int, name: str, target: int, new_name: str) -> None:
        """See ``FolderCalls.move``."""
        os.replace(name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def remove(self, folder: int, name: str) -> None:
        """See ``FolderCalls.remove``."""
        shutil.rmtree(name, dir_fd=folder)


class ByPath:
    """Folders are paths."""

    def top(self, path: Path) -> Path:
        """See ``FolderCalls.top``."""
        return path.resolve(strict=True)

    def enter(self, folder: Path, name: str) -> Path:
        """See ``FolderCalls.enter``."""
        inside = folder / name
        if not stat.S_ISDIR(inside.lstat().st_mode):
            raise NotADirectoryError(20, "Not a directory", str(inside))
        return inside

    def leave(self, folder: Path) -> None:
        """Nothing is open."""

    def make(self, folder: Path, name: str, mode: int) -> None:
        """See ``FolderCalls.make``."""
        (folder / name).mkdir(mode)

    def create(self, folder: Path, name: str, mode: int) -> int:
        """See ``FolderCalls.create``."""
        return os.open(folder / name, _CREATE | _NO_FOLLOW | _BINARY, mode)

    def reopen(self, folder: Path, name: str) -> int:
        """See ``FolderCalls.reopen``."""
        return os.open(folder / name, os.O_WRONLY | _NO_FOLLOW | _BINARY)

    def read(self, folder: Path, name: str) -> int:
        """See ``FolderCalls.read``."""
        return os.open(folder / name, _READ | _NO_FOLLOW)

    def target(self, folder: Path, name: str) -> str:
        """See ``FolderCalls.target``."""
        return str((folder / name).readlink())

    def names(self, folder: Path) -> list[str]:
        """See ``FolderCalls.names``."""
        return [entry.name for entry in folder.iterdir()]

    def look(self, folder: Path, name: str) -> os.stat_result | None:
        """See ``FolderCalls.look``."""
        try:
            return (folder / name).lstat()
        except FileNotFoundError:
            return None

    def move(self, source: Path, name: str, target: Path, new_name: str) -> None:
        """See ``FolderCalls.move``."""
        (source / name).replace(target / new_name)

    def remove(self, folder: Path, name: str) -> None:
        """See ``FolderCalls.remove``."""
        shutil.rmtree(folder / name)


HAS_DESCRIPTORS = {os.open, os.mkdir, os.stat, os.rename, os.readlink} <= os.supports_dir_fd


def best_calls() -> FolderCalls[Any]:
    """Return the safest way of touching folders that this system has."""
    return ByDescriptor() if HAS_DESCRIPTORS else ByPath()
