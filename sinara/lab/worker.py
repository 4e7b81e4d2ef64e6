"""A step run in a process of its own; what happens is told as JSON lines on standard output.

python -m sinara.lab.worker FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sinara.errors import SinaraError
from sinara.notebook import INJECTED_TAG, read_notebook, tags
from sinara.params import find_parameters_cell, read_parameters
from sinara.reading import read_cells
from sinara.record import RunRecord, SubstepRecord
from sinara.runner import RunEvent, RunRequest, StepRun, run_substeps

_TOLD = ("substep_start", "kernel", "cell_start", "substep_end")


def main(folder: str) -> int:
    """Run the step in ``folder``; the exit code is that of ``sinara step run``."""
    try:
        going = StepRun(RunRequest(Path(folder)), listener=_Teller(Path(folder)))
        record = run_substeps(going)
    except SinaraError as error:
        _tell({"kind": "end", "status": "refused", "message": " ".join(error.lines)})
        return error.exit_code
    failed = next((s for s in record.substeps if s.failure is not None), None)
    evidence = going.evidence_folder
    _tell(
        {
            "kind": "end",
            "status": record.status,
            "run_id": record.run_id,
            "message": _message(record, failed),
            "note": not_taken(Path(folder), record),
            "evidence": str(evidence) if evidence else None,
            "failure": _failure(Path(folder), failed),
        }
    )
    return record.exit_code or 0


class _Teller:
    """Tells what happens; cells are counted as the step's own notebook counts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells: dict[str, tuple[int, ...]] = {}  # by substep

    def __call__(self, event: RunEvent) -> None:
        if event.kind not in _TOLD:
            return
        if event.kind == "substep_start":
            self.cells[event.substep] = own_cells(self.folder / event.substep)
        own = self.cells.get(event.substep, ())
        of = max(own) + 1 if own and event.kind != "substep_start" and event.of else event.of
        told = {"kind": event.kind, "substep": event.substep, "cell": _own(own, event.cell)}
        _tell({**told, "number": event.number, "of": of})


def own_cells(notebook: Path) -> tuple[int, ...]:
    """Return for each cell of the executed notebook its index in the step's own one, from 0.

    The injected cell counts as the cell that it follows. Empty if there is nothing to read.
    """
    try:
        cells = read_notebook(notebook).cells
    except (SinaraError, OSError):
        return ()
    kept = [(i, tags(cell)) for i, cell in enumerate(cells) if INJECTED_TAG not in tags(cell)]
    found = find_parameters_cell([t if cells[i].cell_type == "code" else () for i, t in kept])
    place = found[0] + 1 if found else 0
    own = [i for i, _ in kept]
    return (*own[:place], own[max(place - 1, 0)] if own else 0, *own[place:])


def _own(own: tuple[int, ...], cell: int | None) -> int | None:
    return own[cell] if cell is not None and cell < len(own) else cell


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _message(record: RunRecord, failed: SubstepRecord | None) -> str:
    if failed is not None and failed.failure is not None:
        return f"{failed.name}: {failed.failure.message}"
    return record.message or f"published {record.run_id}"


def not_taken(folder: Path, record: RunRecord) -> str:
    """Return which values of parameters cells a run left aside: the parameter file has others.

    A person who changed one in the notebook would wonder. An empty string: there is none.
    """
    told = []
    for substep in record.substeps:
        try:
            own = read_parameters(read_cells(folder / substep.name)).defaults
        except SinaraError:
            continue
        names = [n for n, value in own.items() if substep.params.get(n, value) != value]
        if names:
            told.append(f"{', '.join(names)} in {substep.name}")
    if not told:
        return ""
    return (
        f"The values of the parameter file were taken, not those in the notebook: {'; '.join(told)}"
    )


def _failure(folder: Path, failed: SubstepRecord | None) -> dict[str, Any] | None:
    """Return the substep that failed and its cell as the step's own notebook counts them."""
    if failed is None or failed.failure is None:
        return None
    return {
        "substep": failed.name,
        "cell": _own(own_cells(folder / failed.name), failed.failure.cell),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
