"""The tar in a layer, whatever packed it: gzip, zstd or nothing. Its first bytes decide.

A media type is what somebody wrote; the bytes cannot be mistaken.
"""

from __future__ import annotations

import gzip
import importlib
import io
from typing import IO, Any, cast

from sinara.errors import ArchiveError, ImageError
from sinara.images.streams import PIECE, CheckedReader

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_WINDOW = 1 << 27  # bytes of memory that a zstd layer may ask for: what `zstd -d` allows


def unpacked(stream: CheckedReader, where: str) -> IO[bytes]:
    """Return the stream of the tar in a layer.

    Args:
        stream: The layer, from its beginning.
        where: What it is, for messages.

    Raises:
        ImageError: If it is packed with zstd and nothing here can unpack it.
    """
    ahead = io.BufferedReader(stream, PIECE)
    start = ahead.peek(4)[:4]
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=ahead))
    if start == _ZSTD:
        return _zstd(cast(IO[bytes], ahead), where)
    return ahead


def _zstd(stream: IO[bytes], where: str) -> IO[bytes]:
    try:
        zstandard: Any = importlib.import_module("zstandard")
    except ImportError:
        raise ImageError(
            f"{where} is packed with zstd. Install what unpacks it: pip install zstandard"
        ) from None
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(
        stream, read_across_frames=True, closefd=False
    )
    return cast(IO[bytes], io.BufferedReader(_Zstd(reader, zstandard.ZstdError, where), PIECE))


class _Zstd(io.RawIOBase):
    """A zstd stream whose damage is an error of ours."""

    def __init__(self, reader: Any, damage: type[Exception], where: str) -> None:
        super().__init__()
        self._reader = reader
        self._damage = damage
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._reader.readinto(buffer))
        except self._damage:
            raise ArchiveError(f"{self._where} is damaged. Nothing was written.") from None
