"""A step run in a process of its own; what happens is told as JSON lines on standard output.

python -m sinara.lab.worker FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sinara.errors import SinaraError
from sinara.record import RunRecord, SubstepRecord
from sinara.runner import RunEvent, RunRequest, StepRun, run_substeps

_TOLD = ("substep_start", "kernel", "cell_start", "substep_end")


def main(folder: str) -> int:
    """Run the step in ``folder``; the exit code is that of ``sinara step run``."""
    try:
        going = StepRun(RunRequest(Path(folder)), listener=_listen)
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
            "evidence": str(evidence) if evidence else None,
            "failure": _failure(evidence, failed),
        }
    )
    return record.exit_code or 0


def _listen(event: RunEvent) -> None:
    if event.kind in _TOLD:
        told = {"kind": event.kind, "substep": event.substep, "cell": event.cell}
        _tell({**told, "number": event.number, "of": event.of})


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _message(record: RunRecord, failed: SubstepRecord | None) -> str:
    if failed is not None and failed.failure is not None:
        return f"{failed.name}: {failed.failure.message}"
    return record.message or f"published {record.run_id}"


def _failure(evidence: Path | None, failed: SubstepRecord | None) -> dict[str, Any] | None:
    """Return the substep that failed and its cell as the step's own notebook counts them."""
    if failed is None or failed.failure is None:
        return None
    cell = failed.failure.cell
    if cell is not None and evidence is not None and failed.notebook:
        cell -= _injected_before(evidence / failed.notebook, cell)
    return {"substep": failed.name, "cell": cell}


def _injected_before(notebook: Path, cell: int) -> int:
    try:
        cells = json.loads(notebook.read_bytes())["cells"][:cell]
        return sum("injected-parameters" in c["metadata"].get("tags", ()) for c in cells)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
