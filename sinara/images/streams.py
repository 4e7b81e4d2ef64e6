"""Streams that are read once: their length and digest are checked on the way."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from typing import IO, Any

from sinara.errors import SinaraError
from sinara.images.answers import too_slow

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
    """A stream that fails if it is not ``size`` bytes whose SHA-256 is ``digest``.

    Args:
        stream: Where the bytes come from.
        digest: What they have to be: ``sha256:…``.
        size: How many; None if nobody said.
        differs: Is raised if they are not.
    """

    def __init__(
        self,
        stream: IO[bytes] | io.RawIOBase,
        digest: str,
        size: int | None,
        differs: SinaraError,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._expected = digest, size
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
        most = self._expected[1]
        too_long = most is not None and self._size > most
        if too_long or (not piece and len(buffer) and not self._right()):
            raise self._differs
        buffer[: len(piece)] = piece
        return len(piece)

    def finish(self) -> None:
        """Read what is left, so that all of it is checked."""
        while self.read(PIECE):
            pass

    def _right(self) -> bool:
        digest, size = self._expected
        return size in (None, self._size) and digest == f"sha256:{self._hash.hexdigest()}"
