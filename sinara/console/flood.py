"""Bound how many lines are shown, and say truly how many are not."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sinara.console.words import Line, not_shown

WINDOW = 5.0  # s
MOST = 1000  # lines in a window
_LAST = 10  # lines of a flood that are shown at its end


class Flood:
    """Lets through so many lines in a time; of a flood its beginning and its end."""

    def __init__(self) -> None:
        self._began = float("-inf")
        self._shown = 0
        self._left_out = 0
        self._last: deque[Line] = deque(maxlen=_LAST)

    def take(self, place: str, texts: Sequence[str], at: float) -> list[Line]:
        """Return which of some new lines of a cell to show now, at time ``at`` in seconds."""
        before = self.tick(at)
        if at - self._began >= WINDOW:
            self._began, self._shown = at, 0
        room = max(MOST - self._shown, 0)
        self._shown += min(len(texts), room)
        self._left_out += max(len(texts) - room, 0)
        self._last.extend(Line(text, place, "text") for text in texts[room:][-_LAST:])
        return before + [Line(text, place, "text") for text in texts[:room]]

    def tick(self, at: float) -> list[Line]:
        """Return what tells of a flood that is over, or has gone on for long enough."""
        return self.end() if self._left_out and at - self._began >= WINDOW else []

    def end(self) -> list[Line]:
        """Return what tells of the lines that were left out until now."""
        hidden, last = self._left_out - len(self._last), list(self._last)
        self._left_out = 0
        self._last.clear()
        if hidden <= 0:
            return last
        return [not_shown(hidden), *last]
