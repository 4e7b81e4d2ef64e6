"""How long a substep usually takes: what the records of earlier runs say.

The records are read in a thread, and a run waits for them 10 ms at most, so a slow store costs
the run nothing: then what is known is told a little later, or not at all.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from sinara.errors import SinaraError
from sinara.record import CellRecord, SubstepRecord

if TYPE_CHECKING:
    from sinara.runner.prepare import PreparedSubstep
    from sinara.store import StepStore

_RECORDS = 5  # the newest runs; the folder of a step may hold thousands
_WAIT = 0.01  # s


@dataclass(frozen=True)
class Usual:
    """How long one substep took before.

    Attributes:
        seconds: All of it, its kernel's start included; None if it never ran well.
        cells: Index in the executed notebook and seconds of each code cell.
    """

    seconds: float | None = None
    cells: tuple[tuple[int, float], ...] = ()

    def cell(self, index: int) -> float | None:
        """Return the seconds of one cell, or None."""
        return dict(self.cells).get(index)

    def left(self, index: int) -> float | None:
        """Return the seconds of a cell and all that follow it, or None."""
        if self.cell(index) is None:
            return None
        return round(sum(seconds for at, seconds in self.cells if at >= index), 3)

    def for_cells(self, indexes: Sequence[int]) -> Usual:
        """Return what holds of a notebook with code cells at ``indexes``.

        A cell is known by its place, so times of cells count only if the places are the same.
        """
        same = [index for index, _ in self.cells] == list(indexes)
        return self if same else Usual(self.seconds)


def usual(earlier: Sequence[SubstepRecord], sha256: str, params: Mapping[str, Any]) -> Usual:
    """Return the median of the runs that resemble a substep most.

    Args:
        earlier: Records of the same substep, the newest first.
        sha256: Of its file. Runs of the same file count before others.
        params: What it is given. Among runs of the same file those with the same parameters
            count before others.
    """
    good = [record for record in earlier if record.status == "succeeded" and record.seconds > 0]
    same_file = [record for record in good if record.notebook_sha256 == sha256]
    alike = [record for record in same_file if record.params == params] or same_file or good
    if not alike:
        return Usual()
    places = _places(alike[0])
    times = [[c.seconds for c in record.cells] for record in alike if _places(record) == places]
    cells = tuple(zip(places, (round(median(t), 3) for t in zip(*times, strict=True)), strict=True))
    return Usual(round(median(record.seconds for record in alike), 3), cells)


def _places(record: SubstepRecord) -> tuple[int, ...]:
    return tuple(cell.index for cell in record.cells)


class UsualTimes:
    """Looks up, in a thread, how long the substeps of a step took before."""

    def __init__(self, store: StepStore, run_id: str) -> None:
        """Begin to read; ``run_id`` is the run that asks."""
        self._found: list[SubstepRecord] = []
        self._thread = threading.Thread(
            target=self._read, args=(store, run_id), name="usual times", daemon=True
        )
        self._thread.start()

    def of(self, substep: PreparedSubstep) -> Usual:
        """Return what is known by now; the first call waits up to 10 ms."""
        self._thread.join(_WAIT)
        earlier = [record for record in tuple(self._found) if record.name == substep.name]
        return usual(earlier, substep.sha256, substep.given)

    def _read(self, store: StepStore, run_id: str) -> None:
        with contextlib.suppress(Exception):  # whatever it is, it is not worth a run
            earlier = [other for other in store.run_ids() if other != run_id]
            for other in earlier[:_RECORDS]:
                with contextlib.suppress(SinaraError, ValueError, TypeError, LookupError):
                    self._found.extend(_substeps(store.get_file(other, "record.json")))


def _substeps(record: bytes) -> list[SubstepRecord]:
    """Return of a record's substeps what an estimate needs; to build all of it takes ten times."""
    return [
        SubstepRecord(
            name=substep["name"],
            status=substep["status"],
            seconds=float(substep["seconds"]),
            params=substep["params"],
            cells=tuple(
                CellRecord(int(cell["index"]), cell["status"], float(cell["seconds"]))
                for cell in substep["cells"]
            ),
            notebook_sha256=substep["notebook_sha256"],
        )
        for substep in json.loads(record)["substeps"]
    ]
