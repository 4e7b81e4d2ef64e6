r"""Keep a progress bar from filling the run's log: it is redrawn ten times a second, for hours.

A bar draws its line over the one that stood there: ``\r`` and text without an end. A bar below
another one (tqdm's nested loops) goes down, draws and goes up again, in three pieces. Of such
drawings in a row that concern the same line, the last one says all: one in ten seconds is
written, and the last one before anything else is. Read again, the log shows the same as if all
of them were there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from sinara.runner.events import RunEvent

_EVERY = 10.0  # s

_Line = tuple[str, int | None, str | None, int]  # substep, cell, stream, how far down

_BEGUN: _Line = ("", None, None, -1)

_DRAWN = re.compile(r"\r[^\n\x1b]*[^\n\r\x1b]")
_DOWN = re.compile(r"\n+")
_UP = re.compile(r"(?:\x1b\[A)+")


class Ticks:
    """Passes the lines of a log on, but of the drawings of a progress bar only some."""

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._held = ""  # the last drawing, not written
        self._of: _Line | None = None  # what the last drawing drew
        self._written = 0.0  # when a drawing was written last
        self._pieces: list[tuple[RunEvent, str]] = []  # of a drawing that is not complete

    def pass_on(self, event: RunEvent, line: str) -> None:
        """Write ``line``, which tells ``event``, now; or later or never, if it is drawn over."""
        self._pieces.append((event, line))
        whole = _drawing([told for told, _ in self._pieces])
        if whole == _BEGUN:
            return
        text = "".join(piece for _, piece in self._pieces)
        self._pieces.clear()
        if whole is None or whole != self._of or self._clock() - self._written >= _EVERY:
            skipped = self._held if whole is None or whole != self._of else ""
            self._written = self._clock()
            self._held = ""
            self._write(skipped + text)
        else:
            self._held = text
        self._of = whole


def _drawing(events: list[RunEvent]) -> _Line | None:
    """Return which line some events draw over, ``_BEGUN`` if more has to come, None if none."""
    first, texts = events[0], [event.text for event in events]
    source = (first.substep, first.cell, first.stream)
    if any((e.kind, e.substep, e.cell, e.stream) != ("stream", *source) for e in events):
        return None
    shapes = (_DOWN, _DRAWN, _UP)[0 if _DOWN.fullmatch(texts[0]) else 1 :]
    if len(texts) > len(shapes) or not all(map(_matches, shapes, texts)):
        return None
    if shapes[0] is _DRAWN:
        return (*source, 0)
    if len(texts) < len(shapes):
        return _BEGUN
    down = len(texts[0])
    return (*source, down) if texts[2].count("A") == down else None


def _matches(shape: re.Pattern[str], text: str) -> bool:
    return shape.fullmatch(text) is not None
