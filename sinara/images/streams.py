"""Streams that are read once: their length and digest are checked on the way."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from typing import IO, Any

from sinara.errors import SinaraError
from sinara.images.answers import too_slow
from sinara.images.manifest import Blob

PIECE = 1 << 20  # bytes that are moved at a time


class Arriving(io.RawIOBase):
    """Pieces of bytes that a registry sends, as a stream that ends in bounded time.

    Args:
        pieces: As they come.
        host: Who sends them, for the error.
        seconds: For all of them together.
    """

    def __init__(self, pieces: Iterator[bytes], host: str, seconds: float) -> None:
        super().__init__()
        self._pieces = pieces
        self._host = host
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._left = b""

    def readable(self) -> bool:
        """It is read only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See ``io.RawIOBase``."""
        while not self._left:
            if time.monotonic() > self._end:
                raise too_slow(self._host, round(self._seconds))
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class CheckedReader(io.RawIOBase):
    """A stream that fails if it is not ``blob.size`` bytes whose SHA-256 is ``blob.digest``.

    Args:
        stream: Where the bytes come from.
        blob: What they have to be.
        differs: Is raised if they are not.
    """

    def __init__(self, stream: IO[bytes] | io.RawIOBase, blob: Blob, differs: SinaraError) -> None:
        super().__init__()
        self._stream = stream
        self._blob = blob
        self._differs = differs
        self._hash = hashlib.sha256()
        self._size = 0

    def readable(self) -> bool:
        """It is read only."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See ``io.RawIOBase``."""
        piece = self._stream.read(len(buffer)) or b""
        self._hash.update(piece)
        self._size += len(piece)
        if self._size > self._blob.size or (not piece and len(buffer) and not self._right()):
            raise self._differs
        buffer[: len(piece)] = piece
        return len(piece)

    def finish(self) -> None:
        """Read what is left, so that all of it is checked."""
        while self.read(PIECE):
            pass

    def _right(self) -> bool:
        digest = f"sha256:{self._hash.hexdigest()}"
        return (self._size, digest) == (self._blob.size, self._blob.digest)
