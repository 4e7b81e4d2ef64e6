"""The pages of a run, written beside its record."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.errors import SinaraError
from sinara.postmortem import FILE_NAME, Variables
from sinara.postmortem import read as read_variables
from sinara.record import RunRecord, SubstepRecord, metrics, runinfo
from sinara.runner.evidence import PAGE_NAME, Evidence
from sinara.runner.substep import SubstepOutcome

if TYPE_CHECKING:
    from sinara.store import StepStore

_BUSY = 0.3  # s; a cell that takes longer leaves time for imports
_IMPORTED_WITHIN = 60.0  # s; what is not imported by then is imported where it is needed
_warming: list[threading.Timer] = []  # at most one


def warm() -> None:
    """Import what a page may need beside a cell that takes its time; it costs the run none then.

    Not earlier: two threads that import packages whose modules import each other, as nbconvert's
    and jupyter_client's do, may each see a half of them, so by now all that executes a notebook is
    there, and nobody writes a page before this is done.
    """
    from sinara import report

    if not _warming:
        _warming.append(threading.Timer(_BUSY, report.warm))
        _warming[0].name, _warming[0].daemon = "warm pages", True
        _warming[0].start()


def _warmed() -> None:
    """Wait for imports that are under way; those that were not begun are left to who needs them."""
    for timer in _warming:
        timer.cancel()
        timer.join(_IMPORTED_WITHIN)
    _warming.clear()


def write_substep_pages(
    evidence: Evidence, record: RunRecord, outcome: SubstepOutcome
) -> SubstepRecord:
    """Write the report, the business report, ``runinfo.json`` and ``metrics.json`` of one substep.

    Returns:
        The substep's record, with the names of its pages relative to the run's evidence.
    """
    from sinara.report import business_page, substep_page

    _warmed()
    folder = names.entity_folder(names.reports_entity(outcome.record.name))
    substep = replace(
        outcome.record,
        report=f"{folder}/report.html",
        business_report=f"{folder}/business_report.html",
    )
    evidence.page(
        f"{folder}/runinfo.json", json.dumps(runinfo(record, substep), indent=1, default=str)
    )
    evidence.page(f"{folder}/metrics.json", json.dumps(metrics(substep), indent=1, default=str))
    kept = _variables(evidence.folder / folder / FILE_NAME)
    evidence.page(f"{folder}/report.html", substep_page(record, substep, outcome.notebook, kept))
    evidence.page(
        f"{folder}/business_report.html", business_page(record, substep, outcome.notebook)
    )
    return substep


def _variables(file: Path) -> Variables | None:
    """Return the variables that were kept of a failure; ``None`` if nothing failed."""
    try:
        return read_variables(file.read_bytes())
    except FileNotFoundError:
        return None


def write_run_page(evidence: Evidence, record: RunRecord) -> None:
    """Write the page that joins the run's substeps."""
    from sinara.report import run_page

    _warmed()
    evidence.page(PAGE_NAME, run_page(record))


def write_lost_pages(store: StepStore, run_ids: Iterable[str]) -> None:
    """Write the pages of runs whose process was killed: only now it is known how they ended."""
    for run_id in run_ids:
        from sinara.report import run_page

        with contextlib.suppress(SinaraError):  # a broken record must not stop the next run
            page = run_page(store.read_record(run_id))
            store.put_file(run_id, PAGE_NAME, page.encode("utf-8", "replace"))
