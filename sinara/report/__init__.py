"""Pages that people read, each one file that needs nothing else.

::

    RunRecord ─────────────────────────► run_page         _runs/<run id>/index.html
    SubstepRecord, executed notebook ──► substep_page     …/reports_<stem>_ipynb/report.html
                                    └──► business_page    …/business_report.html

Three rules hold for every page, whatever a notebook wrote:

* it opens from ``file://`` and asks nothing of any other address;
* markup by a notebook is shown in a sandboxed frame and nowhere else (:mod:`.frame`);
  everything else is text (:mod:`.elements`);
* building it never raises: a page that cannot be built becomes one that says why.

What a cell looks like comes from nbconvert and what it stands on (its Markdown, its
highlighting by Pygments); it is imported only where a cell needs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sinara.postmortem import Variables
from sinara.record import RunRecord, SubstepRecord
from sinara.report import notebook, run
from sinara.report.code import HIGHLIGHTER
from sinara.report.elements import el, join
from sinara.report.guard import describe
from sinara.report.shell import page, top

__all__ = ["business_page", "run_page", "substep_page", "warm"]


def run_page(record: RunRecord, *, log_tail: Sequence[object] = ()) -> str:
    """Return the page of a run, at most 100 KB of HTML.

    Args:
        record: The run, in any state.
        log_tail: Lines of the log, the last of which are shown.
    """
    return _build(record, record, lambda: run.build(record, log_tail))


def substep_page(
    record: RunRecord,
    substep: SubstepRecord,
    nb: Mapping[str, Any] | None,
    kept: Variables | None = None,
) -> str:
    """Return the report of a substep: every cell, with its status, its time and its outputs.

    Args:
        record: The run.
        substep: One of its substeps, in any state.
        nb: The executed notebook (nbformat 4), or None if there is none.
        kept: The variables at its failure, if it failed and they were kept.
    """
    return _build(record, substep, lambda: notebook.build_report(record, substep, nb, kept))


def business_page(record: RunRecord, substep: SubstepRecord, nb: Mapping[str, Any] | None) -> str:
    """Return the business report of a substep: outputs of cells tagged ``business_report``.

    Args:
        record: The run.
        substep: One of its substeps, in any state.
        nb: The executed notebook (nbformat 4), or None if there is none.
    """
    return _build(record, substep, lambda: notebook.build_business_report(record, substep, nb))


def warm() -> None:
    """Import what a page may need; worth calling while a kernel is busy."""
    for name in ("nbconvert.filters.markdown_mistune", *HIGHLIGHTER):
        importlib.import_module(name)


def _build(record: RunRecord, shown: RunRecord | SubstepRecord, build: Callable[[], str]) -> str:
    """Return the page, or a small one that says why there is none."""
    try:
        return build()
    except Exception as error:  # the run's own failure must not be hidden by that of a page
        words = f"This page cannot be built: {describe(error)}. The facts are in record.json."
        status, run_id = (_safe(shown, "status"), _safe(record, "run_id"))
        main = join(el("p", {"class": "alert"}, words), el("p", None, f"Run: {run_id}"))
        return page(f"{run_id}", top(status, join(run_id), "Report"), main)


def _safe(value: object, name: str) -> str:
    try:
        return str(getattr(value, name, ""))[:100]
    except Exception:  # not even its text can be had
        return ""
