"""Zip archives. ``zipfile`` reads them; names, kinds and sizes are judged here."""

from __future__ import annotations

import contextlib
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from sinara.errors import ArchiveError
from sinara.extract.limits import Limits, Meter
from sinara.extract.members import MemberNames, Parts, member_parts, one_line, refusal
from sinara.extract.tars import write_all
from sinara.extract.tree import new_tree

_PIECE = 1 << 20
_ENCRYPTED = 0x1
_UNIX = 3  # "version made by": the upper half of external_attr holds st_mode
_END = b"PK\x05\x06"  # end of central directory: APPNOTE.TXT 4.3.16
_END_REACH = 22 + (1 << 16)  # its record and the longest comment
_ENTRY_BYTES = 46 + 512  # an entry of the central directory with a generous name
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    LookupError,
    NotImplementedError,
    RuntimeError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def extract_zip(
    archive: str | os.PathLike[str], folder: str | os.PathLike[str], *, limits: Limits | None = None
) -> None:
    """Unpack a zip into ``folder``.

    Args:
        archive: A local file.
        folder: Made if it is missing; files in it that have the same names are replaced.
        limits: What to refuse.

    Raises:
        ArchiveError: If the archive is damaged, hostile, encrypted or beyond the limits;
            ``folder`` is then as it was.
    """
    path, allowed = Path(archive), limits or Limits()
    where = f"Archive {path}"
    with _reported(where):
        meter = Meter(where, path.stat().st_size, allowed)
        _check_directory_size(path, allowed)
        with zipfile.ZipFile(path) as opened:
            members = _checked(opened, meter, allowed)
            with new_tree(folder) as tree:
                for parts, info in members:
                    if _is_folder(info):
                        tree.make_folder(parts)
                    else:
                        _write(opened, info, tree.create(parts, _mode(info)))


def _check_directory_size(path: Path, limits: Limits) -> None:
    """Refuse a huge list of members before ``zipfile`` makes an object of each."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END_REACH))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("it has no directory at its end")
    listed = int.from_bytes(tail[at + 12 : at + 16], "little")
    if listed == 0xFFFFFFFF:  # zip64: the size stands elsewhere, but cannot exceed the file's
        listed = size
    if min(listed, size) > limits.max_files * _ENTRY_BYTES:
        raise ArchiveError(
            f"Archive {path}: it holds more than {limits.max_files:,} files. Nothing was written."
        )


def _checked(
    opened: zipfile.ZipFile, meter: Meter, limits: Limits
) -> list[tuple[Parts, zipfile.ZipInfo]]:
    names = MemberNames(meter.where)
    members = []
    for info in opened.infolist():
        # filename was cut at a NUL and had its separators replaced; orig_filename is as stored
        name = info.orig_filename
        why = _fault(info)
        if why:
            raise refusal(meter.where, name, why)
        parts = member_parts(meter.where, name, limits.max_depth)
        if not parts and not _is_folder(info):
            raise refusal(meter.where, name, "has no name")
        names.add(parts, folder=_is_folder(info))
        meter.add(info.file_size)
        members.append((parts, info))
    _check_overlap(opened, meter.where)
    return members


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.orig_filename.endswith("/")  # ZipInfo.is_dir() fails for an empty name


def _fault(info: zipfile.ZipInfo) -> str:
    """Say what is wrong with one member, apart from its name."""
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    if kind == stat.S_IFLNK:
        return "is a symbolic link"
    if kind not in (0, stat.S_IFDIR if _is_folder(info) else stat.S_IFREG):
        return "is neither a file nor a folder"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is compressed by an unknown method ({info.compress_type})"
    if _is_folder(info) and info.file_size:
        return "is a folder with content"
    return ""


def _check_overlap(opened: zipfile.ZipFile, where: str) -> None:
    """Refuse members that share bytes: a few kilobytes can hold petabytes that way.

    Source: D. Fifield, "A better zip bomb", WOOT 2019.
    """
    end = 0
    for info in sorted(opened.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise refusal(where, info.orig_filename, "overlaps another member")
        end = info.header_offset + 30 + info.compress_size


def _mode(info: zipfile.ZipInfo) -> int | None:
    mode = stat.S_IMODE(info.external_attr >> 16) if info.create_system == _UNIX else 0
    return mode or None


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, out: int) -> None:
    written = 0
    try:
        with opened.open(info) as source:
            while piece := source.read(_PIECE):
                written += len(piece)
                write_all(out, piece)
    finally:
        os.close(out)
    if written != info.file_size:
        raise zipfile.BadZipFile(f"{info.filename!r} is cut off")


@contextlib.contextmanager
def _reported(where: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ArchiveError(
            f"{where} is damaged or no zip: {one_line(error)}. Nothing was written."
        ) from error
    except OSError as error:
        raise ArchiveError(
            f"{where} cannot be read: {error.strerror or error}. Nothing was written."
        ) from error
