"""Folders as a layer: the same files give the same bytes, on every machine and each time.

What decides over the bytes is only what a file is: its path, its content, whether it may be
executed. Owner, times and the order in which a disk lists files do not count.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import posixpath
import secrets
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sinara.errors import ImageError
from sinara.images.manifest import LAYER_GZIP, Blob
from sinara.names import shown

_LEVEL = 6
_BUFFER = 1 << 20
_Member = tuple[Path | None, tarfile.TarInfo]


@dataclass(frozen=True)
class Content:
    """What goes into a layer: the content of ``folder``, at the path ``at`` of the image."""

    folder: Path
    at: str


@dataclass(frozen=True)
class Layer:
    """A layer in a file.

    Attributes:
        path: The file, named by its digest.
        blob: What a manifest says of it.
        diff_id: ``sha256:…`` of the tar without its compression; a configuration lists it.
    """

    path: Path
    blob: Blob
    diff_id: str


def write_layer(
    contents: Sequence[Content], folder: Path, *, epoch: int, owner: int = 0, links: bool = True
) -> Layer:
    """Write a gzip compressed tar of some folders, and return what it is.

    Args:
        contents: What goes into it; folders are 0755, files 0644, or 0755 if they may be executed.
        folder: Where the file appears, named by the hexadecimal digits of its digest.
        epoch: The time of all its files, in seconds since 1970.
        owner: Their uid and gid.
        links: Whether links that stay inside are kept; if not, they are refused, too.

    Raises:
        ImageError: If a link leads outside, a file is no file, two are at one place, or the disk
            is full. Nothing is left then.
    """
    part = folder / f".part-{secrets.token_hex(8)}"
    try:
        with part.open("xb") as file:
            diff_id, digest = _write(_members(contents, links), file, epoch, owner)
        path = folder / digest
        size = part.stat().st_size
        part.replace(path)
    except OSError as error:
        place = error.filename or folder
        raise ImageError(f"{place}: the layer was not written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return Layer(path, Blob(LAYER_GZIP, f"sha256:{digest}", size), f"sha256:{diff_id}")


class _Hashing:
    """A file that is only written to, and the digest of what went into it."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self.hash = hashlib.sha256()
        self._file = file
        self._position = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self._file.write(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        self._file.flush()


def _write(members: Iterator[_Member], file: IO[bytes], epoch: int, owner: int) -> tuple[str, str]:
    """Return the digests of the tar and of the file, in hexadecimal digits."""
    stored = _Hashing(file)
    # No name and no time in the header of gzip: they would differ each time.
    with gzip.GzipFile("", "wb", _LEVEL, stored, mtime=0) as packed:
        plain = _Hashing(packed)
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            for path, info in members:
                info.mtime, info.uid, info.gid = epoch, owner, owner
                _add(tar, path, info)
                tar.members = []  # it would keep all of them
    return plain.hash.hexdigest(), stored.hash.hexdigest()


def _add(tar: tarfile.TarFile, path: Path | None, info: tarfile.TarInfo) -> None:
    if path is None or not info.isreg():
        tar.addfile(info)
        return
    with path.open("rb", _BUFFER) as source:
        try:
            tar.addfile(info, source)
        except OSError as error:
            if error.errno is not None:
                raise
            raise ImageError(f"{path} became shorter while it was packed. Build again.") from None


def _members(contents: Sequence[Content], links: bool) -> Iterator[_Member]:
    folders: set[str] = set()
    files: set[str] = set()
    for content in contents:
        top = content.at.strip("/")
        for name in _above(top):
            if name not in folders:
                folders.add(name)
                yield None, _folder(name)
        for path, inside in _walk(content.folder):
            name = f"{top}/{inside}"
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) and not links:
                raise ImageError(
                    f"{path} cannot be packed: it is a link. Put the file itself there."
                )
            if stat.S_ISDIR(mode) and name in folders:
                continue
            if name in files or name in folders:
                raise ImageError(f"{path} cannot be packed: another file has its place, /{name}.")
            (folders if stat.S_ISDIR(mode) else files).add(name)
            yield path, _info(content.folder, path, name, mode)


def _above(top: str) -> list[str]:
    parts = top.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give what lies in a folder with its path inside, a folder before its content, sorted."""
    todo = [(folder, "")]
    while todo:
        here, inside = todo.pop()
        if inside:
            yield here, inside
        if not inside or stat.S_ISDIR(here.lstat().st_mode):
            names = sorted((entry.name for entry in os.scandir(here)), reverse=True)
            todo += [(here / name, f"{inside}/{name}" if inside else name) for name in names]


def _folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def _info(top: Path, path: Path, name: str, mode: int) -> tarfile.TarInfo:
    if stat.S_ISDIR(mode):
        return _folder(name)
    info = tarfile.TarInfo(name)
    if stat.S_ISLNK(mode):
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, _target(top, path)
    elif stat.S_ISREG(mode):
        info.mode = 0o755 if mode & stat.S_IXUSR else 0o644
        info.size = path.stat().st_size
    else:
        raise ImageError(f"{path} cannot be packed: it is neither a file nor a folder.")
    return info


def _target(top: Path, path: Path) -> str:
    """Return where a link leads, if that is inside the folder that is packed."""
    target = str(path.readlink())
    inside = posixpath.join(*path.relative_to(top).parent.parts, target)
    if target.startswith("/") or posixpath.normpath(inside).split("/")[0] == "..":
        raise ImageError(
            f"{path} cannot be packed: it is a link to {shown(target)}, outside {top}. "
            "Copy the file itself there."
        )
    return target
