"""How times, places and events are put into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sinara.runner import RunEvent

Look = Literal["run", "start", "text", "note", "good", "bad", "warning"]


@dataclass(frozen=True)
class Line:
    """One line to show: what a cell printed with its place before it, or something said of a run.

    Attributes:
        text: What is told.
        place: Substep, cell and time; empty for what is no text of a cell.
        look: What kind of line it is, for its colour.
    """

    text: str
    place: str = ""
    look: Look = "note"

    def __str__(self) -> str:
        return f"{self.place} | {self.text}" if self.place else self.text


def duration(seconds: float) -> str:
    """Return ``12.3 s``, ``1:20`` or ``1:02:03``."""
    return f"{seconds:.1f} s" if seconds < 59.95 else clock(seconds)


def clock(seconds: float) -> str:
    """Return ``0:05``, ``1:20`` or ``1:02:03``."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """Return how long something may still take, no more precise than it is: ``about 1:20``."""
    step = 1 if seconds < 20 else 5 if seconds < 120 else 10 if seconds < 600 else 60
    return f"about {clock(max(round(seconds / step) * step, 1))}"


def in_cell(substep: str, cell: int | None) -> str:
    """Return `` [cell 7]``; nothing for a module, which has no cells for a person."""
    return "" if cell is None or substep.endswith(".py") else f" [cell {cell + 1}]"


def place(substep: str, cell: int | None, seconds: float) -> str:
    """Return where a cell's text comes from, and when: ``train.ipynb [cell 7]    12.3 s``."""
    time = f" {duration(seconds):>8}" if seconds else ""
    return f"  {substep}{in_cell(substep, cell)}{time}"


def told(event: RunEvent) -> Line | None:
    """Return the line that tells an event; None for one that has none of its own."""
    took = f"{event.status} after {duration(event.seconds)}"
    match event.kind:
        case "run_start":
            return Line(f"run {event.text}", look="run")
        case "substep_start":
            usually = f", usually {duration(event.usual)}" if event.usual else ""
            return Line(f"  {event.substep} started{usually}", look="start")
        case "resume":
            return Line(f"  {event.substep}: {event.text}")
        case "checkpoint":
            return Line(
                f"checkpoint: {event.text}", place(event.substep, event.cell, event.seconds)
            )
        case "retry":
            return Line(f"  {event.substep}: {event.text}", look="warning")
        case "substep_end":
            good = event.status == "succeeded"
            return Line(f"  {event.substep} {took}", look="good" if good else "bad")
        case "warning":
            of = f"{event.substep}: " if event.substep else ""
            return Line(f"  {of}{event.text}", look="warning")
        case "published":
            return Line(f"  published {event.text}")
        case "run_end":
            return Line(f"run {took}", look="good" if event.status == "succeeded" else "bad")
    return None


def not_shown(count: int) -> Line:
    """Return the line that stands for ``count`` others."""
    lines = "1 line" if count == 1 else f"{count:,} lines"
    return Line(f"  … {lines} not shown here; the run's log has them")
