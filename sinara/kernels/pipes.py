"""The two pipes through which a module's stdout and stderr come."""

from __future__ import annotations

import codecs
import os
import selectors
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

CHUNK = 1 << 16
BATCH = 64  # chunks of one stream before the other gets its turn


class Pipes:
    """Reads text from two pipes while it comes."""

    def __init__(self) -> None:
        self._reading: dict[str, int] = {}
        self._writing: dict[str, int] = {}
        self._decoders = {}
        for name in ("stdout", "stderr"):
            self._reading[name], self._writing[name] = os.pipe()
            os.set_blocking(self._reading[name], False)
            self._decoders[name] = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close_ends()
        for fd in self._reading.values():
            os.close(fd)
        self._reading.clear()

    def ends(self) -> tuple[int, int]:
        """Return the descriptors that the child writes to: stdout and stderr."""
        return self._writing["stdout"], self._writing["stderr"]

    def close_ends(self) -> None:
        """Close our copies of the child's descriptors."""
        for fd in self._writing.values():
            os.close(fd)
        self._writing.clear()

    def read(self, seconds: float, wakers: Sequence[int | None] = ()) -> Iterator[tuple[str, str]]:
        """Wait up to ``seconds`` for text or a waker, and yield stream names with their text."""
        with selectors.DefaultSelector() as selector:
            for fd in {*self._reading.values(), *wakers} - {None}:
                assert fd is not None
                selector.register(fd, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(seconds)}
        for name, fd in list(self._reading.items()):
            if fd in ready:
                yield from self._drain(name, fd)

    def _drain(self, name: str, fd: int) -> Iterator[tuple[str, str]]:
        for _ in range(BATCH):
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:
                return
            text = self._decoders[name].decode(data, final=not data)
            if text:
                yield name, text
            if not data:
                os.close(self._reading.pop(name))
                return
