"""What a person sees of a run while it goes.

On a terminal, lines that scroll and below them what is going on, drawn again as time passes.
Elsewhere (a file, a pipe, CI) plain lines, one per thing that happened, and one now and then
when nothing does.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from sinara.console.frame import frame
from sinara.console.lines import say
from sinara.console.rows import without_colour
from sinara.console.talk import Talk
from sinara.console.terminal import Screen, can_draw
from sinara.console.ticker import Ticker
from sinara.console.words import Line, not_shown
from sinara.runner import RunEvent

_REDRAW = 0.1  # s
_LOOK_AROUND = 1.0  # s, where nothing is drawn
_MOST_WAITING = 5000  # lines for a terminal that takes none

_BEGINS = {"substep_start", "publish_start"}
_ENDS = {"substep_end", "published", "run_end"}


class Console:
    """Shows the events of a run.

    Args:
        stream: Where to; the process's error stream by default.
        verbose: Whether what the cells print is shown as well; may be changed at any time.
        clock: Seconds, monotonic.

    Used as a context, or ended by :meth:`close`, it leaves no thread and nothing half drawn;
    the end of a run does the same.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        verbose: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._talk = Talk(verbose=verbose)
        self._lock = threading.Lock()  # of the talk and of the lines that wait
        self._drawing = threading.Lock()  # of the screen
        self._waiting: list[Line] = []
        self._lost = 0  # lines for which there was no room
        out = sys.stderr if stream is None else stream
        self._screen = Screen(out) if out is not None and can_draw(out) else None
        self._ticker = Ticker(_LOOK_AROUND if self._screen is None else _REDRAW, self._tick)

    @property
    def verbose(self) -> bool:
        """Whether what the cells print is shown."""
        return self._talk.verbose

    @verbose.setter
    def verbose(self, value: bool) -> None:
        """Change it; it holds from the next line on."""
        self._talk.verbose = value

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __call__(self, event: RunEvent) -> None:
        """Show one event; on a terminal a moment later, so that it never holds up the run."""
        with self._lock:
            self._wait(self._talk.take(event, self._clock()))
            if self._screen is None:
                self._print()
        if event.kind in _BEGINS:
            self._ticker.start()
        elif event.kind in _ENDS or self._talk.going is None:
            self.close()

    def close(self) -> None:
        """Show what waits, take away what is drawn below it, and end the thread."""
        with self._lock:
            self._talk.going = None
        self._ticker.stop()
        if self._screen is not None and self._drawing.acquire(timeout=1.0):
            try:
                with self._lock:
                    lines = self._taken()
                self._screen.show(lines, [])
            finally:
                self._drawing.release()

    def _tick(self) -> None:
        try:
            if self._screen is None:
                with self._lock:
                    self._wait(self._talk.tick(self._clock()))
                    self._print()
            else:
                self._draw(self._screen)
        except Exception:  # it is only what is shown; the run and its log do not depend on it
            return

    def _draw(self, screen: Screen) -> None:
        with self._drawing:
            at, size = self._clock(), screen.size()
            with self._lock:
                self._wait(self._talk.flood_tick(at))
                lines = self._taken()
                going, rows = self._talk.going, self._talk.open
            shown = going is not None and screen.in_front()
            below = frame(going, rows, at, size, screen.signs) if shown and going else []
            screen.show(lines, below)

    def _wait(self, lines: Sequence[Line]) -> None:
        self._waiting.extend(lines)
        too_many = len(self._waiting) - _MOST_WAITING
        if too_many > 0:
            self._lost += too_many
            del self._waiting[:too_many]

    def _taken(self) -> list[Line]:
        """Return the lines that wait, and that some were lost: nothing waits any more."""
        lines, self._waiting = self._waiting, []
        lost, self._lost = self._lost, 0
        return [not_shown(lost), *lines] if lost else lines

    def _print(self) -> None:
        for line in self._taken():
            say(without_colour(str(line)), self._stream)
