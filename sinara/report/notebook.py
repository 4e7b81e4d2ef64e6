"""The pages of one substep: its report with every cell, and its business report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sinara.postmortem import Variables
from sinara.record import EntityRecord, RunRecord, SubstepRecord
from sinara.report.attempts import attempts
from sinara.report.budget import Budget
from sinara.report.cells import Cell, cell_section, read_cells, time_strip
from sinara.report.code import notebook_language
from sinara.report.contracts import contracts, contracts_note, is_broken
from sinara.report.elements import Html, el, join
from sinara.report.facts import Limits, block, entities, facts, failure_box, metrics, values
from sinara.report.files import files_block
from sinara.report.guard import guarded
from sinara.report.markdown import headings
from sinara.report.outputs import Place, markdown_block, output_kinds, outputs
from sinara.report.run import commit, part, trail, warnings
from sinara.report.shell import page, top
from sinara.report.variables import frames_note, variables
from sinara.report.words import cell_name, duration, moment, one_line

RUN_PAGE = "../index.html"
BUSINESS_TAG = "business_report"
_LIMITS = Limits()
_NO_NOTEBOOK = {
    "pending": "It has not run yet.",
    "running": "It was running when this page was written.",
    "skipped": "It did not run: what came before it failed.",
    "stopped": "Design mode: it was read, not run.",
}


def build_report(
    record: RunRecord,
    substep: SubstepRecord,
    notebook: Mapping[str, Any] | None,
    kept: Variables | None = None,
) -> str:
    """Return the page that shows every cell of a substep."""
    cells = read_cells(notebook, substep) if notebook is not None else ()
    language = notebook_language(notebook) if notebook is not None else ""
    budget = Budget()
    main = join(
        _summary(record, substep),
        _failure(substep, cells),
        block("Attempts", attempts(substep, _LIMITS, beside=True)),
        block("Variables at the failure", variables(kept), opened=False, note=frames_note(kept)),
        block("Metrics", metrics(substep.metrics, _LIMITS)),
        block(
            "Contracts",
            contracts(substep, _LIMITS),
            opened=is_broken(substep),
            note=contracts_note(substep),
        ),
        block(
            "Inputs, outputs, parameters", _details(substep), opened=False, note=_counts(substep)
        ),
        files_block(substep.files, _LIMITS),
        block("Contents", _contents(cells), opened=False),
        time_strip(cells),
        [guarded(cell_name(cell.index), cell_section, cell, language, budget) for cell in cells],
        _nothing(substep) if not cells else None,
    )
    header = top(substep.status, _path(record), substep.name, *_links(substep, cells))
    return page(f"{substep.name} · {substep.status} · {record.run_id}", header, main)


def build_business_report(
    record: RunRecord, substep: SubstepRecord, notebook: Mapping[str, Any] | None
) -> str:
    """Return the page for people who want the result: tagged outputs, and no code."""
    cells = read_cells(notebook, substep) if notebook is not None else ()
    tagged = [cell for cell in cells if BUSINESS_TAG in cell.tags]
    budget = Budget()
    main = join(
        _business_failure(substep),
        [guarded(cell_name(cell.index), _business_cell, cell, budget) for cell in tagged],
        _no_tag() if not tagged else None,
        block("About this report", _business_summary(record, substep)),
    )
    header = top(substep.status, trail(record), f"{record.step_name} · {substep.name}")
    return page(f"{record.step_name} · {substep.name} · {record.run_id}", header, main)


def _path(record: RunRecord) -> Html:
    step = el("a", {"href": RUN_PAGE}, f"{one_line(record.step_name, 100)}, {record.run_id}")
    return join(trail(record), " / ", step)


def _links(substep: SubstepRecord, cells: Sequence[Cell]) -> list[Html | None]:
    failed = _failed_anchor(cells)
    box = el("input", {"type": "checkbox", "id": "hide-code"})
    return [
        el("a", {"class": "button", "href": failed}, "Go to the failed cell") if failed else None,
        el("label", {"class": "switch"}, box, " Hide code") if cells else None,
        el("a", {"href": "business_report.html"}, "Business report")
        if substep.business_report
        else None,
    ]


def _failed_anchor(cells: Sequence[Cell]) -> str | None:
    return next((f"#{cell.anchor}" for cell in cells if cell.status == "failed"), None)


def _summary(record: RunRecord, substep: SubstepRecord) -> Html:
    return facts(
        (
            ("Run", el("code", None, record.run_id)),
            ("Started", moment(substep.started or record.started)),
            ("Took", duration(substep.seconds) if substep.status != "running" else ""),
            ("Attempts", str(len(substep.attempts)) if len(substep.attempts) > 1 else ""),
            ("Kernel", one_line(substep.kernel_name or "", 80)),
            ("Resumed", one_line(substep.resumed, 500)),
            ("Commit", commit(record)),
        )
    )


def _failure(substep: SubstepRecord, cells: Sequence[Cell]) -> Html | None:
    if substep.failure is None:
        return None
    limits = Limits(traceback_lines=0 if cells and substep.failure.cell is not None else 30)
    return failure_box(substep, substep.failure, _failed_anchor(cells), limits)


def _details(substep: SubstepRecord) -> Html:
    return join(
        warnings(substep, _LIMITS),
        part("Inputs", entities(substep.inputs, _LIMITS)),
        part("Outputs", entities(substep.outputs, _LIMITS)),
        part("Parameters", values(substep.params, _LIMITS)),
    )


def _counts(substep: SubstepRecord) -> str:
    counts = (len(substep.inputs), len(substep.outputs), len(substep.params))
    return "{} in, {} out, {} parameters".format(*counts)


def _contents(cells: Sequence[Cell]) -> Html | None:
    """Return the headings of the notebook, each a link; of one alone, nothing."""
    found = [
        el("li", {"class": f"level-{min(level, 4)}"}, el("a", {"href": f"#{cell.anchor}"}, title))
        for cell in cells
        if cell.kind == "markdown"
        for level, title in headings(cell.source)
    ]
    return el("ul", {"class": "contents"}, found[:200]) if len(found) > 1 else None


def _nothing(substep: SubstepRecord) -> Html:
    words = _NO_NOTEBOOK.get(substep.status, "")
    return el("p", {"class": "empty"}, f"There is no executed notebook to show. {words}")


def _no_tag() -> Html:
    words = f"No cell is tagged {BUSINESS_TAG}: tag the cells whose outputs belong here."
    return el("p", {"class": "empty"}, words)


def _business_cell(cell: Cell, budget: Budget) -> Html:
    place = Place(cell_name(cell.index), budget, tracebacks=False)
    if cell.kind == "markdown":
        body = markdown_block(cell.source, cell.attachments, place)
    elif cell.status == "not run":
        body = el("p", {"class": "note"}, "This part is missing: its cell did not run.")
    else:
        body = join(outputs(cell.outputs, place), _silent_failure(cell), _restored(cell))
    return el("section", {"class": "cell business", "id": cell.anchor}, body)


def _restored(cell: Cell) -> Html | None:
    if cell.status != "restored":
        return None
    return el("p", {"class": "note"}, "This part was taken over from the run that was resumed.")


def _silent_failure(cell: Cell) -> Html | None:
    """Return why a cell failed if no output tells: its kernel died, or its time was up."""
    if cell.status != "failed" or "error" in output_kinds(cell.outputs):
        return None
    return el("p", {"class": "alert"}, f"This cell failed. {one_line(cell.cause)}")


def _business_failure(substep: SubstepRecord) -> Html | None:
    if substep.status == "succeeded":
        return None
    why = one_line(substep.failure.message, 300) if substep.failure else ""
    words = f"This report is not complete: {substep.name} {_ended(substep)}. {why}"
    return el("p", {"class": "alert"}, words)


def _ended(substep: SubstepRecord) -> str:
    return {"failed": "failed", "running": "is still running"}.get(
        substep.status, f"is {substep.status}"
    )


def _business_summary(record: RunRecord, substep: SubstepRecord) -> Html:
    return facts(
        (
            ("Pipeline", one_line(record.pipeline_name)),
            ("Zone", one_line(record.zone_name)),
            ("Step", one_line(record.step_name)),
            ("Substep", one_line(substep.name)),
            ("Run", el("code", None, record.run_id)),
            ("Started", moment(substep.started or record.started)),
            ("Took", duration(substep.seconds)),
            ("Inputs", _names(substep.inputs)),
            ("Outputs", _names(substep.outputs)),
        )
    )


def _names(given: Sequence[EntityRecord]) -> Html | None:
    names = [el("li", None, one_line(entity.full_name or entity.name)) for entity in given[:100]]
    return el("ul", {"class": "plain"}, names) if names else None
