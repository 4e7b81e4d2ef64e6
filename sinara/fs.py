"""Files at local paths and at URLs, by one short list of calls.

::

    fs = SinaraFileSystem.FileSystem()
    fs.makedirs("/tmp/model")
    fs.get(f"{inputs.model}/weights.bin", "/tmp/model/weights.bin")

A URL of an env of the settings is reached with that env's options.
"""

from __future__ import annotations

import contextlib
import glob as globbing
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from sinara.errors import StoreError
from sinara.store.urls import local_path, remote_file_system

_Path = str | os.PathLike[str]
_PIECE = 1 << 20


class MissingFileError(StoreError, FileNotFoundError):
    """There is no such file; also a ``FileNotFoundError``, as step repositories expect."""


class _FileSystem:
    """The calls themselves; each takes local paths, ``file://`` and any URL that fsspec reads."""

    @staticmethod
    def glob(path: _Path) -> list[str]:
        """Return the paths that match, sorted; URLs if ``path`` is one.

        ``*`` and ``?`` stay within one folder, ``**`` goes through all.
        """
        pattern = os.fspath(path)
        local = local_path(pattern)
        if local is not None:
            plain = str(local) if pattern.startswith("file:") else pattern
            # Not Path.glob: it cannot take an absolute pattern, and "./x" must stay "./x".
            return sorted(globbing.glob(plain, recursive=True))  # noqa: PTH207
        file_system, inside = _remote(path)
        with _reported(path):
            return sorted(file_system.unstrip_protocol(found) for found in file_system.glob(inside))

    @staticmethod
    def exists(path: _Path) -> bool:
        """Return whether a file or a folder is there."""
        local = local_path(os.fspath(path))
        if local is not None:
            return local.exists()
        file_system, inside = _remote(path)
        with _reported(path):
            return bool(file_system.exists(inside))

    @staticmethod
    def get(srcpath: _Path, dstpath: _Path) -> None:
        """Copy a file, or a folder with all it holds; see :meth:`put`."""
        _copy(os.fspath(srcpath), os.fspath(dstpath))

    @staticmethod
    def put(srcpath: _Path, dstpath: _Path) -> None:
        """Copy a file, or a folder with all it holds. Either side may be local or a URL.

        Folders above ``dstpath`` are made. A file there is replaced at once, when the copy is
        whole.

        Raises:
            MissingFileError: If there is no ``srcpath``.
            StoreError: If it cannot be copied.
        """
        _copy(os.fspath(srcpath), os.fspath(dstpath))

    @staticmethod
    def makedirs(path: _Path) -> None:
        """Make a folder and those above it; it may exist. Object stores need none."""
        local = local_path(os.fspath(path))
        with _reported(path):
            if local is not None:
                local.mkdir(parents=True, exist_ok=True)
            else:
                file_system, inside = _remote(path)
                file_system.makedirs(inside, exist_ok=True)

    @staticmethod
    def touch(path: _Path) -> None:
        """Make an empty file; one that is there keeps its content."""
        local = local_path(os.fspath(path))
        with _reported(path):
            if local is not None:
                local.parent.mkdir(parents=True, exist_ok=True)
                local.touch()
                return
            file_system, inside = _remote(path)
            if not file_system.exists(inside):
                with file_system.open(inside, "wb"):
                    pass


class SinaraFileSystem:
    """Where step repositories get their file system from."""

    @staticmethod
    def FileSystem() -> type[_FileSystem]:  # noqa: N802 (the original's name)
        """Return the object that has ``glob, exists, get, put, makedirs, touch``."""
        return _FileSystem


def _remote(path: _Path) -> tuple[Any, str]:
    file_system, inside = remote_file_system(os.fspath(path))
    file_system.invalidate_cache()  # another process may have written since
    return file_system, inside


def _copy(source: str, target: str) -> None:
    with _reported(source):
        if not _is_folder(source):
            _copy_file(source, target)
            return
        for path in _files_below(source):
            _copy_file(f"{source.rstrip('/')}/{path}", f"{target.rstrip('/')}/{path}")


def _is_folder(path: str) -> bool:
    local = local_path(path)
    if local is not None:
        return local.is_dir()
    file_system, inside = _remote(path)
    return bool(file_system.isdir(inside))


def _files_below(folder: str) -> list[str]:
    local = local_path(folder)
    if local is not None:
        return sorted(
            path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file()
        )
    file_system, inside = _remote(folder)
    top = inside.rstrip("/") + "/"
    return sorted(path.removeprefix(top) for path in file_system.find(inside))


def _copy_file(source: str, target: str) -> None:
    here, there = local_path(source), local_path(target)
    if there is not None:
        _fetch(source, there)
    elif here is not None:
        _send(here, target)
    else:
        with tempfile.TemporaryDirectory(prefix="sinara-") as scratch:
            _fetch(source, Path(scratch, "file"))
            _send(Path(scratch, "file"), target)


def _fetch(source: str, target: Path) -> None:
    """Copy to a local file, which appears under its name when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    try:
        with _opened(source) as reader, beside.open("xb") as writer:
            shutil.copyfileobj(reader, writer, _PIECE)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _send(source: Path, target: str) -> None:
    # Not through open(): a copy that fails half-way would be stored as if it were whole.
    file_system, inside = _remote(target)
    file_system.makedirs(inside.rpartition("/")[0], exist_ok=True)
    file_system.put_file(str(source), inside)


def _opened(path: str) -> AbstractContextManager[IO[bytes]]:
    local = local_path(path)
    if local is not None:
        return local.open("rb")
    file_system, inside = _remote(path)
    opened: AbstractContextManager[IO[bytes]] = file_system.open(inside, "rb")
    return opened


@contextlib.contextmanager
def _reported(path: _Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingFileError(f"{error.filename or os.fspath(path)} is not there.") from error
    except OSError as error:
        shown = error.filename or os.fspath(path)
        raise StoreError(f"{shown}: {error.strerror or error}") from error
