"""Where the parquet files of an archive lie: a local folder, or an object store."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sinara.errors import ArchiveError
from sinara.extract.tree import new_tree
from sinara.store.urls import local_path, remote_file_system

NewFile = Callable[[int], IO[bytes]]

_SUFFIX = ".parquet"
_DESCRIPTORS = "/dev/fd"
_LITTER = ("_", ".")  # Spark's and Hadoop's own files begin so


@dataclass(frozen=True)
class StoredFile:
    """One parquet file of an archive.

    Attributes:
        path: On its file system.
        size: In bytes.
        file_system: Of fsspec; None for the local disk.
    """

    path: str
    size: int
    file_system: Any = None

    def open(self) -> IO[bytes]:
        """Open it for reading."""
        if self.file_system is not None:
            remote: IO[bytes] = self.file_system.open(self.path, "rb")
            return remote
        import pyarrow as pa

        local: IO[bytes] = pa.OSFile(self.path)
        return local


def stored_files(url: str) -> list[StoredFile]:
    """Return the parquet files of an archive, sorted by name.

    Raises:
        ArchiveError: If there is none.
    """
    folder = local_path(url)
    try:
        found = _local_files(folder) if folder is not None else _remote_files(url)
    except OSError as error:
        raise ArchiveError(f"Archive {url} cannot be read: {error.strerror or error}.") from error
    if not found:
        raise ArchiveError(
            f"{url} is no archive: it holds no parquet files. "
            "An archive is made by SinaraArchive().pack."
        )
    return found


@contextlib.contextmanager
def new_files(url: str) -> Iterator[NewFile]:
    """Give a function that opens new parquet files; they replace the archive at the end.

    If the block fails, what was there before is still there.

    Raises:
        ArchiveError: If the folder holds something that is no archive, or cannot be written.
    """
    folder = local_path(url)
    with _new_local(folder) if folder is not None else _new_remote(url) as new_file:
        yield new_file


def _local_files(folder: Path) -> list[StoredFile]:
    names = [folder] if folder.is_file() else sorted(folder.iterdir())
    return [
        StoredFile(str(path), path.stat().st_size)
        for path in names
        if path.suffix == _SUFFIX and not path.name.startswith(_LITTER) and path.is_file()
    ]


def _remote_files(url: str) -> list[StoredFile]:
    file_system, path = remote_file_system(url)
    file_system.invalidate_cache(path)
    found = file_system.ls(path, detail=True)
    return [
        StoredFile(item["name"], item["size"], file_system)
        for item in sorted(found, key=lambda item: str(item["name"]))
        if item["type"] == "file" and item["name"].endswith(_SUFFIX)
        if not item["name"].rpartition("/")[2].startswith(_LITTER)
    ]


@contextlib.contextmanager
def _new_local(folder: Path) -> Iterator[NewFile]:
    before = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in before:
        if path.is_dir() or not (path.suffix == _SUFFIX or path.name.startswith(_LITTER)):
            raise ArchiveError(
                f"{folder} holds {path.name!r}, which is no part of an archive. "
                "Remove it, or pack to another folder."
            )
    made: list[str] = []
    with new_tree(folder) as tree:

        def new_file(number: int) -> IO[bytes]:
            made.append(_name(number))
            return _native(tree.create((made[-1],)))

        yield new_file
    for path in before:
        if path.name not in made:
            path.unlink(missing_ok=True)


def _native(file: int) -> IO[bytes]:
    """Return a sink that pyarrow writes to by itself; a Python file costs it a copy of all."""
    import pyarrow as pa

    try:
        sink: IO[bytes] = pa.OSFile(f"{_DESCRIPTORS}/{file}", "wb")
    except OSError:  # no such folder on this system
        return os.fdopen(file, "wb", buffering=0)
    os.close(file)
    return sink


@contextlib.contextmanager
def _new_remote(url: str) -> Iterator[NewFile]:
    file_system, path = remote_file_system(url)
    before = _remote_files(url) if file_system.exists(path) else []
    mark = secrets.token_hex(4)  # new names: a reader never meets half of an old archive
    made: list[str] = []

    def new_file(number: int) -> IO[bytes]:
        made.append(f"{path.rstrip('/')}/{_name(number, mark)}")
        opened: IO[bytes] = file_system.open(made[-1], "wb")
        return opened

    try:
        yield new_file
    except BaseException:
        _remove(file_system, made)
        raise
    _remove(file_system, [stored.path for stored in before])


def _remove(file_system: Any, paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            file_system.rm_file(path)


def _name(number: int, mark: str = "") -> str:
    return f"part-{number:05d}{'-' if mark else ''}{mark}{_SUFFIX}"


def remove_folder(folder: Path) -> None:
    """Remove a scratch folder; what of it cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)
