"""What is going on in a run at this moment: one frozen value, moved on by each event."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sinara.runner import RunEvent


@dataclass(frozen=True)
class Going:
    """A substep that runs, or the publishing of a run. Times are seconds of a monotonic clock.

    Attributes:
        name: The substep; empty while the run is published.
        began: When it began.
        number: Its place in its step, from 1.
        of: How many substeps the step has.
        usual: Seconds that it usually takes.
        cells: How many cells its notebook has.
        cell: Index of the cell that runs, or ran last.
        cell_began: When that began.
        cell_ended: When it ended; None while it runs.
        cell_usual: Seconds that it usually takes.
        cell_left: Seconds that it and all after it usually take.
    """

    name: str
    began: float
    number: int | None = None
    of: int | None = None
    usual: float | None = None
    cells: int | None = None
    cell: int | None = None
    cell_began: float = 0.0
    cell_ended: float | None = None
    cell_usual: float | None = None
    cell_left: float | None = None

    def cell_seconds(self, at: float) -> float:
        """Return how long the cell has run by the time ``at``."""
        return (at if self.cell_ended is None else self.cell_ended) - self.cell_began

    def left(self, at: float) -> float | None:
        """Return about how many seconds are left; None if nobody knows."""
        if self.cell_left is None or self.cell_usual is None:
            return None if self.usual is None else max(self.usual - (at - self.began), 0.0)
        spent = min(self.cell_seconds(at), self.cell_usual)
        return self.cell_left - (spent if self.cell_ended is None else self.cell_usual)

    def share(self, at: float) -> float | None:
        """Return which part is done, 0 to 1; None if nobody knows."""
        left = self.left(at)
        if left is None or not self.usual:
            return None
        return min(max(1 - left / self.usual, 0.0), 1.0)


def moved_on(going: Going | None, event: RunEvent, at: float) -> Going | None:
    """Return what is going on after an event that happened at ``at``."""
    match event.kind:
        case "substep_start":
            return Going(event.substep, at, event.number, event.of, event.usual)
        case "publish_start":
            return Going("", at)
        case "substep_end" | "published" | "run_end":
            return None
    if going is None:
        return None
    if event.kind == "kernel":
        return replace(going, cells=event.of, usual=event.usual or going.usual)
    if event.kind == "cell_start":
        return replace(
            going,
            cells=event.of,
            cell=event.cell,
            cell_began=at,
            cell_ended=None,
            cell_usual=event.usual,
            cell_left=event.left,
        )
    return replace(going, cell_ended=at) if event.kind == "cell_end" else going
