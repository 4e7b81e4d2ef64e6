"""A bento's files as one tar, the same bytes for the same files; hashed while it is written."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from sinara.serving.values import StoredFile

_PIECE = 1 << 20


def write_tar(files: Mapping[str, Path | bytes], epoch: int, out: IO[bytes]) -> StoredFile:
    """Write files as a tar, sorted, with one time for all, and owned by nobody in particular.

    Args:
        files: Path inside -> the file on this machine, or its content.
        epoch: The time of every member, in seconds since 1970.
        out: Open for writing.

    Returns:
        Its size and digest.
    """
    hashing = _Hashing(out)
    for name in sorted(files):
        _write_member(hashing, name, files[name], epoch)
    hashing.write(bytes(tarfile.BLOCKSIZE * 2))  # what ends a tar
    return StoredFile(hashing.written, hashing.sha256.hexdigest())


class _Hashing:
    """Hashes what goes by."""

    def __init__(self, out: IO[bytes]) -> None:
        self.sha256 = hashlib.sha256()
        self.written = 0
        self._out = out

    def write(self, data: bytes) -> None:
        self.sha256.update(data)
        self._out.write(data)
        self.written += len(data)


def _write_member(out: _Hashing, name: str, content: Path | bytes, epoch: int) -> None:
    member = tarfile.TarInfo(name)
    member.mtime, member.mode = epoch, 0o644
    source: IO[bytes] = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    member.size = len(content) if isinstance(content, bytes) else content.stat().st_size
    out.write(member.tobuf(tarfile.PAX_FORMAT))
    with source:
        left = member.size
        while left:
            piece = source.read(min(_PIECE, left))
            if not piece:
                raise OSError(f"{content!r} became shorter while it was packed")
            out.write(piece)
            left -= len(piece)
    out.write(bytes(-member.size % tarfile.BLOCKSIZE))
