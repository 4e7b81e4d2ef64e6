"""From the events of a run to lines: what cells print, what happens, and what does not.

What is printed goes line by line, with its place before it. A line that a cell draws over and
over (a progress bar) is one line; a flood is cut short, and says so.
"""

from __future__ import annotations

from sinara.console.flood import Flood
from sinara.console.going import Going, moved_on
from sinara.console.rows import Rows
from sinara.console.words import Line, about, clock, duration, in_cell, place, told
from sinara.runner import RunEvent

BAR_EVERY = 10.0  # s between two states of a progress bar, where it cannot be drawn in place
FIRST_SILENCE, NEXT_SILENCE = 60.0, 300.0  # s after which a run that says nothing is told

_Source = tuple[str, int | None, str | None]


class Talk:
    """What has been told of a run, and what is to be told next.

    Attributes:
        verbose: Whether what cells print is told.
        going: What is going on; None between substeps.
    """

    def __init__(self, *, verbose: bool = True) -> None:
        self.verbose = verbose
        self.going: Going | None = None
        self._rows: dict[_Source, Rows] = {}
        self._seconds: dict[_Source, float] = {}  # when the source printed last, in the substep
        self._bars: dict[_Source, float] = {}  # when the state of a bar was told last
        self._flood = Flood()
        self._silent_until = 0.0

    @property
    def open(self) -> tuple[str, ...]:
        """The lines that the running cell draws, or has not finished."""
        return tuple(row for rows in self._rows.values() for row in rows.open)

    def take(self, event: RunEvent, at: float) -> list[Line]:
        """Return the lines to show for an event that happened at ``at`` (s, monotonic)."""
        if event.kind == "stream":
            return self._heard(self._printed(event, at), at) if self.verbose else []
        lines: list[Line] = []
        if event.kind not in {"kernel", "cell_start", "publish_start"}:
            lines = self._rest(at)
        self.going = moved_on(self.going, event, at)
        said = told(event)
        lines += [said] if said else []
        if event.kind in {"substep_start", "publish_start"}:
            self._silent_until = at + FIRST_SILENCE
        return self._heard(lines, at)

    def tick(self, at: float) -> list[Line]:
        """Return what time alone brings: the end of a flood, a bar's state, a long silence."""
        return self._heard(self._flood.tick(at) + self._bar_states(at), at) or self._silence(at)

    def flood_tick(self, at: float) -> list[Line]:
        """Return the end of a flood, if it is time for it; the rest of :meth:`tick` is drawn."""
        return self._flood.tick(at)

    def _printed(self, event: RunEvent, at: float) -> list[Line]:
        source = (event.substep, event.cell, event.stream)
        self._seconds[source] = event.seconds
        rows = self._rows.setdefault(source, Rows())
        texts = rows.feed(event.text)
        if rows.drawn:
            self._bars.setdefault(source, at)
        if not texts:
            return []
        self._bars.pop(source, None)
        return self._flood.take(place(event.substep, event.cell, event.seconds), texts, at)

    def _rest(self, at: float) -> list[Line]:
        """Return all that was held back: a cell has ended."""
        lines: list[Line] = []
        for source, rows in self._rows.items():
            where = place(*source[:2], self._seconds[source])
            lines += self._flood.take(where, rows.rest(), at)
        self._rows.clear()
        self._bars.clear()
        return lines + self._flood.end()

    def _bar_states(self, at: float) -> list[Line]:
        lines: list[Line] = []
        for source in [s for s, since in self._bars.items() if at - since >= BAR_EVERY]:
            self._bars[source] = at
            where = place(*source[:2], self._seconds[source])
            lines += [Line(row, where, "text") for row in self._rows[source].open]
        return lines

    def _heard(self, lines: list[Line], at: float) -> list[Line]:
        if lines:
            self._silent_until = at + FIRST_SILENCE
        return lines

    def _silence(self, at: float) -> list[Line]:
        if self.going is None or at < self._silent_until:
            return []
        self._silent_until = at + NEXT_SILENCE
        return [Line(f"  {_still(self.going, at)}")]


def _still(going: Going, at: float) -> str:
    """Return that something goes on still, for how long by now, and how long it usually takes."""
    seconds, usual = at - going.began, going.usual
    where, now = going.name or "publishing", ""
    if going.cell is not None and going.cell_ended is None:
        if going.cell_seconds(at) >= FIRST_SILENCE / 2:  # it is this cell that takes so long
            where += in_cell(going.name, going.cell)
            seconds, usual = going.cell_seconds(at), going.cell_usual
        else:
            now = f", now in cell {going.cell + 1}"
    usually = f", usually {duration(usual)}" if usual else ""
    left = going.left(at)
    more = f", {about(left)} left" if left and left >= 1 else ""
    return f"{where} still running after {clock(seconds)}{now}{usually}{more}"
