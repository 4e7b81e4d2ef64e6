"""Folders by URL, on a local disk or on whatever fsspec reaches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def is_local(url: str) -> bool:
    """Return whether ``url`` is a path on a local disk."""
    return "://" not in url


def filesystem(url: str, storage_options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the fsspec file system of ``url``, and the path of ``url`` in it."""
    import fsspec

    found: tuple[Any, str] = fsspec.core.url_to_fs(url, **storage_options)
    return found


def make_folder(url: str) -> None:
    """Make a local folder; an object store has none to make."""
    if is_local(url):
        Path(url).mkdir(parents=True, exist_ok=True)


def subfolders(url: str, storage_options: Mapping[str, Any]) -> list[str]:
    """Return the names of the folders directly below ``url``, sorted; none if it is not there."""
    try:
        if is_local(url):
            return sorted(entry.name for entry in os.scandir(url) if entry.is_dir())
        files, path = filesystem(url, storage_options)
        found = files.ls(path, detail=True)
    except FileNotFoundError:
        return []
    folders = (item["name"].rstrip("/") for item in found if item["type"] == "directory")
    return sorted(folder.rpartition("/")[2] for folder in folders)


def exists(url: str, storage_options: Mapping[str, Any]) -> bool:
    """Return whether there is a file or a folder at ``url``."""
    if is_local(url):
        return os.path.lexists(url)
    files, path = filesystem(url, storage_options)
    return bool(files.exists(path))


def signature(url: str, storage_options: Mapping[str, Any]) -> str:
    """Return a text that differs once a file at or below ``url`` was written; empty for no file.

    Contents are not read: a local file counts as the same when size, time of change (in
    nanoseconds) and inode are, a remote one when size, entity tag and time are.
    """
    lines = sorted(_local(url) if is_local(url) else _remote(url, storage_options))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest() if lines else ""


def _local(url: str) -> Iterator[str]:
    if os.path.isfile(url):  # noqa: PTH113 - half the time of a Path, after each cell
        yield _stamp("", Path(url).stat())
    pending = [url]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        yield _stamp(entry.path[len(url) :], entry.stat(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):  # removed meanwhile, or a lone file
            continue


def _stamp(path: str, stat: os.stat_result) -> str:
    return f"{path}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"


def _remote(url: str, storage_options: Mapping[str, Any]) -> Iterator[str]:
    files, path = filesystem(url, storage_options)
    files.invalidate_cache()
    for name, item in files.find(path, detail=True).items():
        keys = ("size", "ETag", "LastModified", "mtime", "created")
        yield "|".join([name, *(str(item.get(key, "")) for key in keys)])
