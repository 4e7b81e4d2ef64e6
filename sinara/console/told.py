"""How the end of a run is told: for a failure the cell and the cause, and where the page is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from sinara.console.lines import inert, say
from sinara.contract.told import broken_line
from sinara.record import Failure, RunRecord, SubstepRecord

_LINES_AROUND = 2


def tell_end(record: RunRecord, evidence: Path, stream: TextIO | None = None) -> None:
    """Print what failed, where and why, if anything did, and where the report is.

    Args:
        record: The run, ended.
        evidence: The local folder in which its notebooks and pages lie.
        stream: Where to; the process's error stream by default.
    """
    for line in end_lines(record, evidence):
        say(line, stream)


def end_lines(record: RunRecord, evidence: Path) -> Iterator[str]:
    """Return the lines of :func:`tell_end`; nothing in them acts on a terminal."""
    for text in _end(record, evidence):
        yield from map(inert, text.split("\n"))


def _end(record: RunRecord, evidence: Path) -> Iterator[str]:
    failed = next((s for s in record.substeps if s.failure is not None), None)
    if failed is not None and failed.failure is not None:
        yield from _failure(record, failed, failed.failure, evidence)
    elif record.status != "succeeded":
        yield f"x {record.step_name}: {record.message}"
    yield f"report  {evidence / 'index.html'}"


def _failure(
    record: RunRecord, substep: SubstepRecord, failure: Failure, evidence: Path
) -> Iterator[str]:
    in_cell = failure.cell is not None and not substep.name.endswith(".py")
    cell = f" in cell {(failure.cell or 0) + 1}" if in_cell else ""
    line = "" if failure.line is None else f", line {failure.line}"
    where = f"{record.step_name} / {substep.name} {substep.status}{cell}{line}"
    tries = f", {len(substep.attempts)} attempts" if len(substep.attempts) > 1 else ""
    yield f"x {where}, after {substep.seconds:.1f} s{tries}"
    if substep.notebook:
        yield from (f"    {shown}" for shown in _source(evidence / substep.notebook, failure))
    yield from _cause(substep, failure)
    if substep.notebook:
        yield f"  executed notebook  {evidence / substep.notebook}"
    if failure.traceback:
        yield f"  full traceback     sinara run log {record.run_id} --traceback"
    if substep.notebook:
        yield f"  look into it       sinara run debug {record.run_id}"


def _cause(substep: SubstepRecord, failure: Failure) -> Iterator[str]:
    """Return the cause; of a contract each broken rule and each row that breaks it on a line."""
    broken = [e for e in (*substep.inputs, *substep.outputs) if any(not r.kept for r in e.contract)]
    if failure.kind != "contract" or not broken:
        yield f"  {failure.message}"
    for entity in broken if failure.kind == "contract" else ():
        what = "Output" if entity.kind == "outputs" else "Input"
        yield f"  {what} '{entity.name}' breaks its contract:"
        for rule in entity.contract:
            if not rule.kept:
                yield f"    {broken_line(replace(rule, sample=()))}"
                yield from (f"      {row}" for row in rule.sample)


def _source(notebook: Path, failure: Failure) -> list[str]:
    """Return the lines of the failed cell around the one that failed, numbered."""
    if failure.cell is None or failure.line is None:
        return []
    try:
        source = json.loads(notebook.read_text(encoding="utf-8"))["cells"][failure.cell]["source"]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    lines = (source if isinstance(source, str) else "".join(source)).splitlines()
    first = max(failure.line - _LINES_AROUND, 1)
    return [
        f"{'>' if number == failure.line else ' '} {number}  {text[:120]}"
        for number, text in enumerate(lines[first - 1 : failure.line + 1], start=first)
    ]
