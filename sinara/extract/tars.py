"""Tar archives, read strictly forwards, so a plain file, a pipe and an object store are one.

``tarfile`` parses the headers; everything it would do with them is done here. Three of its
habits are not wanted: it reads a header of any length into memory, it takes a damaged header
for the end of the archive, and it looks for GNU sparse maps with expressions that are slow on
hostile input (CVE-2024-6232).
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from sinara.errors import ArchiveError
from sinara.extract.limits import Limits, Meter
from sinara.extract.members import MemberNames, member_parts, one_line, refusal
from sinara.extract.tree import Tree, new_tree

_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20
_LONGEST_HEADER = 32 << 10  # real ones hold a path or two
_LATEST_TIME = 1 << 33  # seconds: the year 2242
_DAMAGE = (
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    ValueError,
    OverflowError,
)
_KINDS = {
    tarfile.SYMTYPE: "is a symbolic link",
    tarfile.LNKTYPE: "is a hard link",
    tarfile.CHRTYPE: "is a device",
    tarfile.BLKTYPE: "is a device",
    tarfile.FIFOTYPE: "is a pipe",
    tarfile.GNUTYPE_SPARSE: "is a sparse file",
}


def extract_tar(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    sha256: str | None = None,
) -> None:
    """Unpack a tar, plain or compressed by gzip, bzip2 or xz, into ``folder``.

    Args:
        archive: A local file.
        folder: Made if it is missing; files in it that have the same names are replaced.
        limits: What to refuse.
        sha256: What its bytes have to be. They are those that are unpacked, even if somebody
            changes the file meanwhile.

    Raises:
        ArchiveError: If the archive is damaged, hostile or beyond the limits; ``folder`` is
            then as it was.
    """
    path, allowed = Path(archive), limits or Limits()
    where = f"Archive {path}"
    with reported(where), path.open("rb") as file, new_tree(folder) as tree:
        meter = Meter(where, os.fstat(file.fileno()).st_size, allowed)
        read = _Hashed(file)
        source = ForwardReader(plain(cast(IO[bytes], read)), meter)
        with tarfile.open(fileobj=source, mode="r:", errors="surrogateescape") as tar:  # type: ignore[call-overload]
            _unpack(tar, source, tree, meter, allowed)
        if sha256 is not None and read.digest() != sha256:
            raise ArchiveError(f"{where} differs from its digest. Nothing was written.")


class _Hashed:
    """A file that is read from its beginning to its end, and the digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def seek(self, position: int) -> int:
        """Go back to the beginning."""
        self._hash = hashlib.sha256()
        return self._file.seek(position)

    def digest(self) -> str:
        while self.read(_PIECE):  # what follows the tar is of the file, too
            pass
        return self._hash.hexdigest()


class ForwardReader:
    """A stream for ``tarfile`` that never goes back, and refuses what no honest header needs."""

    def __init__(self, stream: IO[bytes], meter: Meter) -> None:
        self.in_header = True
        self._stream = stream
        self._meter = meter
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        if self.in_header and size > _LONGEST_HEADER:
            raise ArchiveError(
                f"{self._meter.where}: a header of {size:,} bytes. Nothing was written."
            )
        data = self._stream.read(size)
        self._position += len(data)
        self._meter.check_ratio(self._position)
        if self.in_header and b"GNU.sparse" in data:
            raise ArchiveError(f"{self._meter.where} holds a sparse file. Nothing was written.")
        return data

    def skip(self, size: int) -> None:
        """Go over the content of a member, in larger steps than those in which headers are read."""
        self.in_header = False
        try:
            while size and (piece := self.read(min(_PIECE, size))):
                size -= len(piece)
        finally:
            self.in_header = True

    def tell(self) -> int:
        """Return how many bytes have been read."""
        return self._position

    def seek(self, position: int) -> None:
        """Go forwards to a position."""
        if position < self._position:
            raise tarfile.ReadError("its members overlap")
        while position > self._position and self.read(min(_BLOCK, position - self._position)):
            pass


def plain(file: IO[bytes]) -> IO[bytes]:
    """Return the stream of the tar itself, whatever compressed it."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start == b"\xfd7zXZ\x00":
        return lzma.LZMAFile(file)
    return file


def _unpack(
    tar: tarfile.TarFile, source: ForwardReader, tree: Tree, meter: Meter, limits: Limits
) -> None:
    names = MemberNames(meter.where)
    for member in members_of(tar, source):
        kind = kind_of(member)
        if kind:
            raise refusal(meter.where, member.name, kind)
        parts = member_parts(meter.where, member.name, limits.max_depth)
        names.add(parts, folder=member.isdir())
        meter.add(0 if member.isdir() else member.size)
        if member.isdir():
            tree.make_folder(parts)
        elif parts:
            write_member(member, source, tree.create(parts, member.mode))
        else:
            raise refusal(meter.where, member.name, "has no name")


def members_of(tar: tarfile.TarFile, source: ForwardReader) -> Iterator[tarfile.TarInfo]:
    """Give the members in order, up to the block of zeros that has to end a tar."""
    member = tar.next()
    while member is not None:
        yield member
        source.seek(tar.offset)
        try:
            # Not tar.next(): it takes a damaged header for the end, and keeps all members.
            member = tarfile.TarInfo.fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            member = None
    source.in_header = False
    while source.read(_PIECE):  # what compressed it has a checksum at its end
        pass


def kind_of(member: tarfile.TarInfo) -> str:
    """Say what a member is if it is not a plain file or folder."""
    if member.sparse is not None:
        return "is a sparse file"
    if member.isdir() or member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
        return ""
    return _KINDS.get(member.type, "is neither a file nor a folder")


def write_member(member: tarfile.TarInfo, source: ForwardReader, out: int) -> None:
    """Write the content of the member that was given last to a descriptor, and close it."""
    left = member.size
    source.in_header = False
    try:
        while left:
            piece = source.read(min(_PIECE, left))
            if not piece:
                raise tarfile.ReadError("it ends inside a file")
            write_all(out, piece)
            left -= len(piece)
        if os.utime in os.supports_fd and 0 <= member.mtime < _LATEST_TIME:
            os.utime(out, (member.mtime, member.mtime))
    finally:
        source.in_header = True
        os.close(out)


def write_all(out: int, data: Any) -> None:
    """Write all of ``data`` (bytes or a view of bytes) to a descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(out, view) :]


@contextlib.contextmanager
def reported(where: str) -> Iterator[None]:
    """Turn what a damaged tar makes ``tarfile`` and its like raise into one ``ArchiveError``."""
    try:
        yield
    except (*_DAMAGE, RecursionError) as error:
        raise ArchiveError(
            f"{where} is damaged or no tar: {one_line(error)}. Nothing was written."
        ) from error
    except OSError as error:
        raise ArchiveError(f"{where} cannot be read: {error.strerror or error}") from error
