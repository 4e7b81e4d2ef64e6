r"""The text of a stream, as a terminal would leave it.

``\r`` returns to the start of the line, so of a progress bar only its last state is
kept, however often it was drawn; ``\b`` takes one character back.
"""

from __future__ import annotations

import re

_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\r\n])")  # what the next text is written over
_RETURNS = re.compile(r"\r+(?=\n)")
_BACKSPACE = re.compile(r"[^\n\x08]\x08")


class StreamText:
    """Collects text piece by piece."""

    def __init__(self) -> None:
        self._lines: list[str] = []  # finished lines, several in one string
        self._line = ""  # the last line, not finished
        self._finished = 0

    @property
    def size(self) -> int:
        """How many bytes the text takes."""
        return self._finished + _bytes(self._line)

    def __str__(self) -> str:
        return "".join([*self._lines, self._line])

    def add(self, text: str) -> None:
        """Append ``text`` and carry out the control characters in it."""
        text = self._line + text
        if "\b" in text or "\r" in text:
            text = _settle(text)
        end = text.rfind("\n") + 1
        if end:
            self._lines.append(text[:end])
            self._finished += _bytes(text[:end])
        self._line = text[end:]

    def cut(self, size: int) -> None:
        """Keep the first ``size`` bytes."""
        kept = cut_bytes(str(self), size)
        self._lines, self._line, self._finished = [kept], "", _bytes(kept)


def cut_bytes(text: str, size: int) -> str:
    """Return the beginning of ``text`` that takes at most ``size`` bytes."""
    return text[:size] if text.isascii() else text.encode()[:size].decode("utf-8", "ignore")


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _settle(text: str) -> str:
    before = ""
    while "\b" in text and text != before:
        before, text = text, _BACKSPACE.sub("", text)
    return _OVERWRITTEN.sub("", _RETURNS.sub("", text))
