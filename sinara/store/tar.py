"""``SinaraStore``: files of a folder kept as one tar. For old steps; new ones use SinaraArchive.

The tar is ``<store_path>/files.tar``, as the original writes it. It is unpacked by
:mod:`sinara.extract`, so it cannot write outside the folder that it is unpacked to.

The first call in a process gives a ``DeprecationWarning`` at the line that makes it. Python shows
those in notebooks and tests only. A project whose tests turn warnings into errors and which means
to stay with tar files says so in its pytest settings:
``"ignore:SinaraStore is deprecated:DeprecationWarning"``.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import stat
import tarfile
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from sinara.errors import ArchiveError
from sinara.extract import extract_tar
from sinara.store.urls import local_path, remote_file_system

_TAR = "files.tar"
_SUCCESS = "_SUCCESS"
_Path = str | os.PathLike[str]
_ALL = ("*",)


class SinaraStore:
    """Deprecated: use :class:`sinara.archive.SinaraArchive`, which splits large files, too."""

    @staticmethod
    def archive_tmp_files_to_store(
        tmp_dir: _Path, store_path: _Path, file_globs: str | Sequence[str] = _ALL
    ) -> None:
        """Pack files of a local folder into one tar in the store.

        Args:
            tmp_dir: The local folder.
            store_path: An entity's URL, or any folder; it is made if it is missing.
            file_globs: Which files and folders of ``tmp_dir``, relative to it.

        Raises:
            ArchiveError: If nothing matches, or a link or a device does.
        """
        _warn_once()
        folder, url = Path(tmp_dir), os.fspath(store_path)
        found = {path for pattern in _as_list(file_globs) for path in folder.glob(pattern)}
        if not found:
            raise ArchiveError(
                f"{folder} has no file that matches {', '.join(_as_list(file_globs))}."
            )
        with _new_file(url) as target, tarfile.open(target, "w", dereference=True) as tar:
            for path in _with_contents(found):
                _check_plain(path)
                tar.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False)

    @staticmethod
    def dearchive_store_files_to_tmp(
        store_path: _Path, tmp_dir: _Path, file_globs: str | Sequence[str] = _ALL
    ) -> None:
        """Unpack the tar that :meth:`archive_tmp_files_to_store` wrote.

        Args:
            store_path: Where it was written to.
            tmp_dir: A local folder, made if it is missing. Files in it that have the same names
                are replaced, others stay.
            file_globs: As in the original these do not choose among the packed files: the tar
                itself has to match one.

        Raises:
            ArchiveError: If there is no tar, or it is damaged or hostile; ``tmp_dir`` is then
                as it was.
        """
        _warn_once()
        url = os.fspath(store_path)
        if not any(Path(_TAR).match(pattern) for pattern in _as_list(file_globs)):
            raise ArchiveError(f"{url} has no file that matches {', '.join(_as_list(file_globs))}.")
        with _stored_file(url) as archive:
            extract_tar(archive, tmp_dir)


@functools.cache
def _warn_once() -> None:
    text = "SinaraStore is deprecated: use SinaraArchive().pack and .unpack of sinara.archive"
    warnings.warn(text, DeprecationWarning, stacklevel=3)


def _as_list(globs: str | Sequence[str]) -> list[str]:
    return [globs] if isinstance(globs, str) else list(globs)


def _with_contents(found: set[Path]) -> list[Path]:
    """Return what was found and all that lies in it, each once, folders first."""
    inside = {
        inner
        for path in found
        if path.is_dir() and not path.is_symlink()
        for inner in path.rglob("*")
    }
    return sorted(found | inside)


def _check_plain(path: Path) -> None:
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a link: copy the file first" if stat.S_ISLNK(mode) else "no file"
        raise ArchiveError(f"{path} cannot be packed: it is {kind}.")


@contextlib.contextmanager
def _new_file(url: str) -> Iterator[Path]:
    """Give a path to write the tar to; it is put into the store when it is whole."""
    local = local_path(url)
    if local is None:
        with tempfile.TemporaryDirectory(prefix="sinara-") as scratch:
            written = Path(scratch, _TAR)
            yield written
            file_system, path = remote_file_system(url)
            file_system.put_file(str(written), f"{path}/{_TAR}")
            file_system.pipe_file(f"{path}/{_SUCCESS}", b"")
        return
    local.mkdir(parents=True, exist_ok=True)
    beside = local / f".{_TAR}.{secrets.token_hex(4)}"
    try:
        yield beside
        beside.replace(local / _TAR)
    finally:
        beside.unlink(missing_ok=True)
    (local / _SUCCESS).touch()


@contextlib.contextmanager
def _stored_file(url: str) -> Iterator[Path]:
    """Give the stored tar as a local file."""
    local = local_path(url)
    if local is not None:
        yield local / _TAR
        return
    file_system, path = remote_file_system(url)
    with tempfile.TemporaryDirectory(prefix="sinara-") as scratch:
        fetched = Path(scratch, _TAR)
        try:
            with file_system.open(f"{path}/{_TAR}", "rb") as source, fetched.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except OSError as error:
            raise ArchiveError(
                f"{url}/{_TAR} cannot be read: {error.strerror or error}."
            ) from error
        yield fetched
