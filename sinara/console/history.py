"""A run's log, to be read afterwards: what was told while it went, each line with its time.

Nothing is left out, except that a line which was drawn over and over is there once, as it was
at last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sinara.console.lines import inert
from sinara.console.rows import Rows, without_colour
from sinara.console.words import duration, in_cell, place, told
from sinara.runner import RunEvent

_Source = tuple[str, int | None, str | None]


def log_lines(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return the lines of a log.

    Args:
        events: The objects of ``log.jsonl``, in their order; see :class:`RunEvent`. A key that is
            missing or of a wrong type counts as not given.
    """
    rows: dict[_Source, tuple[Rows, str]] = {}  # and what stands before its open lines
    begun: RunEvent | None = None
    for told_as in events:
        event, time = _event(told_as), _text(told_as, "time")[11:23]
        if event.kind == "stream":
            source = (event.substep, event.cell, event.stream)
            before = f"{time}{place(event.substep, event.cell, event.seconds)} | "
            drawn = rows.get(source, (Rows(), ""))[0]
            yield from (f"{before}{without_colour(text)}" for text in drawn.feed(event.text))
            rows[source] = (drawn, before)
            continue
        if event.kind in {"cell_start", "cell_end", "substep_end"}:
            begun = event if event.kind == "cell_start" else None
        if event.kind not in {"kernel", "cell_start", "publish_start"}:
            yield from _rest(rows)
            yield inert(f"{time}  {_said(event).strip()}")
    yield from _rest(rows)
    if begun is not None:
        yield f"{' ' * 14}{begun.substep}{in_cell(begun.substep, begun.cell)} has not ended"


def _rest(rows: dict[_Source, tuple[Rows, str]]) -> Iterator[str]:
    for drawn, before in rows.values():
        yield from (f"{before}{without_colour(text)}" for text in drawn.rest())
    rows.clear()


def _said(event: RunEvent) -> str:
    line = told(event)
    if line is not None:
        return line.text
    if event.kind == "cell_end":
        where = f"{event.substep}{in_cell(event.substep, event.cell)}"
        return f"{where} {event.status} after {duration(event.seconds)}"
    return f"{event.substep} {event.kind} {event.text}"


def _event(told_as: Mapping[str, Any]) -> RunEvent:
    cell, usual = told_as.get("cell"), told_as.get("usual")
    seconds = told_as.get("seconds")
    return RunEvent(
        kind=_text(told_as, "kind"),
        substep=_text(told_as, "substep"),
        cell=cell if isinstance(cell, int) else None,
        stream=_text(told_as, "stream"),
        text=_text(told_as, "text"),
        status=_text(told_as, "status"),
        seconds=seconds if isinstance(seconds, int | float) else 0.0,
        usual=usual if isinstance(usual, int | float) else None,
    )


def _text(told_as: Mapping[str, Any], key: str) -> str:
    value = told_as.get(key)
    return value if isinstance(value, str) else ""
