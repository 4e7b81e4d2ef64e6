"""Lines that scroll, and below them some that are drawn again and again.

The cursor rests at the beginning of the first drawn line, so a terminal that changes its width,
and folds or unfolds lines, takes it along: what lies below is ours to draw over. No mode of the
terminal is ever changed (the cursor is not hidden, nothing is switched off), so there is nothing
to restore, however this process ends.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TextIO

from sinara.console.frame import ASCII, Signs
from sinara.console.rows import without_colour
from sinara.console.words import Line, Look

_COLOURS: dict[Look, str] = {"good": "32", "bad": "31", "warning": "33", "run": "1"}
_DIM, _ACCENT, _PLAIN = "\x1b[2m", "\x1b[36m", "\x1b[0m"
_ERASE_LINE, _ERASE_BELOW = "\x1b[K", "\x1b[J"


def can_draw(stream: TextIO | None, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a stream is a terminal that a person looks at and that can move its cursor."""
    environ = os.environ if environ is None else environ
    if stream is None or os.name != "posix" or environ.get("CI"):
        return False
    if environ.get("TERM", "dumb") in {"dumb", "unknown", ""}:
        return False
    try:
        return stream.isatty() and stream.fileno() >= 0
    except (OSError, ValueError):
        return False


class Screen:
    """A terminal. Nothing is raised if it goes away; ``gone`` is true then."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._stream = stream
        self._colour = not environ.get("NO_COLOR")
        self._drawn: list[str] = []
        self.gone = False
        self.signs = Signs() if _shows(stream, "▸━─✓✗…") else ASCII

    def size(self) -> tuple[int, int]:
        """Return columns and lines."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            columns, lines = 0, 0
        return columns or 80, lines or 24

    def in_front(self) -> bool:
        """Whether this process is in the foreground, and not one that was started with ``&``."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):  # not the terminal that controls us
            return True

    def show(self, lines: Sequence[Line], frame: Sequence[str]) -> None:
        """Let ``lines`` scroll by, and draw ``frame`` below them; in one write, without a flash.

        Args:
            lines: Stay, and are folded by the terminal if they are wider than it.
            frame: Is drawn over by the next call; narrower than the terminal.
        """
        lines = [line for line in lines if line.look != "start"]  # it is drawn
        if not lines and list(frame) == self._drawn:
            return
        text = "\r"
        if lines or not frame:
            text += _ERASE_BELOW + "".join(self._painted(line) + "\n" for line in lines)
        if frame:
            rows = [self._head(frame[0]), *(self._dim(row) for row in frame[1:])]
            text += (_ERASE_LINE + "\n").join(rows) + _ERASE_BELOW + "\r"
            text += f"\x1b[{len(frame) - 1}A" if len(frame) > 1 else ""
        self._drawn = list(frame)
        self._write(text)

    def _painted(self, line: Line) -> str:
        text = line.text if self._colour else without_colour(line.text)
        if line.place:
            end = _PLAIN if "\x1b" in text else ""
            return self._dim(f"{line.place} |") + f" {text}{end}"
        if line.look in {"good", "bad"} and text.startswith("  "):  # a substep has ended
            text = f"{self.signs.good if line.look == 'good' else self.signs.bad}{text[1:]}"
        colour = _COLOURS.get(line.look)
        return f"\x1b[{colour}m{text}{_PLAIN}" if colour and self._colour else text

    def _head(self, row: str) -> str:
        return f"{_ACCENT}{row}{_PLAIN}" if self._colour else row

    def _dim(self, row: str) -> str:
        return f"{_DIM}{row}{_PLAIN}" if self._colour else row

    def _write(self, text: str) -> None:
        if self.gone:
            return
        encoding = self._stream.encoding or "ascii"
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            self.gone = True


def _shows(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
