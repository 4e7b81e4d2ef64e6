"""What a person sees of a pipeline run in a terminal: lines that stay, and what goes on below them.

Elsewhere (a file, a pipe, CI) plain lines, one for each substep that ended; all on the error
stream.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from sinara.console import inert, say
from sinara.console.frame import ASCII, Signs
from sinara.console.rows import Rows, without_colour
from sinara.console.terminal import Screen, can_draw
from sinara.console.told import end_lines
from sinara.console.width import cropped
from sinara.console.words import Line, Look, about, clock, duration
from sinara.errors import SinaraError
from sinara.pipeline.execution import Listening, PipelineRun
from sinara.record import PipelineRecord, StepState, SubstepState
from sinara.runner import RunEvent

_QUIET = 30.0  # s without a word, where nothing is drawn, before what goes on is told


class Show(Listening):
    """Shows one run.

    Args:
        stream: Where to; the process's error stream by default.
        verbose: Whether what the cells print is shown as well.
    """

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._verbose = verbose
        self._lock = threading.Lock()
        self._screen = Screen(self._stream) if can_draw(self._stream) else None
        self._signs = self._screen.signs if self._screen else ASCII
        self._lines: list[Line] = []
        self._told: dict[tuple[str, str], str] = {}
        self._rows: dict[tuple[str, str, str | None], Rows] = {}  # what cells have not finished
        self._spoke = time.monotonic()

    def begun(self, run: PipelineRun) -> None:
        """Say what is run, and where its page is."""
        plan, record = run.plan, run.record
        runs, reuses = plan.count("run", "open"), plan.count("reuse")
        what = "substep" if runs == 1 else "substeps"
        self._put(f"pipeline {record.pipeline_name}, run {record.run_id}", "run")
        open_ones = f" ({plan.count('open')} if inputs change)" if plan.count("open") else ""
        self._put(f"  {runs} {what} to run{open_ones}, {reuses} to reuse; page: "
                  f"{run.folder / 'index.html'}")  # fmt: skip
        self._flush([])

    def event(self, step: str, event: RunEvent) -> None:
        """Show what a cell prints, if that is wanted, and warnings."""
        if event.kind == "warning":
            self._put(f"  {step}: {event.text}", "warning")
        elif event.kind == "retry":
            self._put(f"  {step}/{event.substep}: {event.text}", "warning")
        elif event.kind == "stream" and self._verbose:
            rows = self._rows.setdefault((step, event.substep, event.stream), Rows())
            self._print(step, event.substep, rows.feed(event.text))
        elif event.kind in ("cell_end", "substep_end"):
            for source in [one for one in self._rows if one[:2] == (step, event.substep)]:
                self._print(step, event.substep, self._rows.pop(source).rest())

    def tick(self, record: PipelineRecord) -> None:
        """Tell what has ended since, and draw what goes on."""
        for step in record.steps:
            self._tell_step(step)
        going = [(s, one) for s in record.steps for one in s.substeps if one.status == "running"]
        rows = list(_rows(record, going, self._signs)) if record.status == "running" else []
        self._flush(rows)
        if self._screen is None and going and time.monotonic() - self._spoke > _QUIET:
            at = ", ".join(f"{s.name}/{one.name} {_since(one)}" for s, one in going)
            self._put(f"  still running: {at}")
            self._flush([])

    def end(self, run: PipelineRun) -> None:
        """Say how it ended: what failed and why, and what to do next."""
        record = run.record
        for step in record.steps:
            if step.status == "failed":
                self._tell_failure(run, step)
        for line in record.warnings:
            self._put(f"  warning: {line}", "warning")
        look: Look = "good" if record.status == "succeeded" else "bad"
        self._put(
            f"pipeline {record.status} in {duration(record.seconds)}: {_counts(record)}", look
        )
        self._put(f"  page {run.folder / 'index.html'}")
        if record.status != "succeeded":
            self._put(f"  go on with it: sinara pipeline run --resume {record.run_id}")
        self._flush([])

    # -- inside ----------------------------------------------------------------------------

    def _put(self, text: str, look: Look = "note") -> None:
        with self._lock:
            self._lines.append(Line(inert(text), look=look))

    def _print(self, step: str, substep: str, texts: list[str]) -> None:
        with self._lock:
            self._lines += [Line(text, f"  {step}/{substep}") for text in texts]

    def _flush(self, rows: list[str]) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._spoke = time.monotonic()
        if self._screen is None:
            for line in lines:
                say(without_colour(str(line)), self._stream)
            return
        columns, height = self._screen.size()
        shown = [cropped(row, max(columns - 1, 1)) for row in rows[: max(height - 2, 1)]]
        self._screen.show(lines, shown)

    def _tell_step(self, step: StepState) -> None:
        for one in step.substeps:
            self._tell(step, one)
        if step.status in ("skipped", "failed") and self._is_new(step.name, "", step.status):
            look: Look = "bad" if step.status == "failed" else "note"
            self._put(f"  {step.name} {step.status}: {step.message}", look)

    def _tell(self, step: StepState, one: SubstepState) -> None:
        if one.status in ("pending", "running", "skipped"):
            return
        if not self._is_new(step.name, one.name, one.status):
            return
        name = f"{step.name}/{one.name}"
        if one.status == "reused":
            source = f" from {one.source}" if one.source else ""
            self._put(f"  {name} reused{source}")
        elif one.status == "succeeded":
            why = f"  ({'; '.join(one.reasons)})" if one.reasons else ""
            self._put(f"  {name} succeeded in {duration(one.seconds)}{why}", "good")
        else:
            self._put(f"  {name} {one.status} after {duration(one.seconds)}", "bad")

    def _is_new(self, step: str, substep: str, status: str) -> bool:
        if self._told.get((step, substep)) == status:
            return False
        self._told[step, substep] = status
        return True

    def _tell_failure(self, run: PipelineRun, state: StepState) -> None:
        with contextlib.suppress(SinaraError):
            step = run.pipeline.step(state.name)
            if not state.run_id:
                return
            record = step.store.read_record(state.run_id)
            folder = step.store.record_folder(state.run_id) or Path(record.url)
            for line in end_lines(record, folder):
                self._put(line)


def _rows(
    record: PipelineRecord, going: list[tuple[StepState, SubstepState]], signs: Signs
) -> Iterator[str]:
    every = [one for step in record.steps for one in step.substeps]
    done = sum(one.status not in ("pending", "running") for one in every)
    width = 24
    full = round(width * done / max(len(every), 1))
    bar = signs.done * full + signs.left * (width - full)
    counted = f"{done}/{len(every)}  {clock(record.seconds)}"
    yield f"{signs.going} {record.pipeline_name}  {bar}  {counted}"
    for step, one in going:
        cell = f"  cell {one.cells[0]} of {one.cells[1]}" if one.cells else "  starting"
        usual = f", usually {about(one.usual)}" if one.usual and one.usual > 2 else ""
        yield f"    {step.name}/{one.name}{cell}  {_since(one)}{usual}"


def _since(one: SubstepState) -> str:
    if not one.started:
        return ""
    return clock(time.time() - datetime.fromisoformat(one.started).timestamp())


def _counts(record: PipelineRecord) -> str:
    words = {"succeeded": "ran", "reused": "reused", "failed": "failed", "cancelled": "cancelled",
             "skipped": "not begun", "pending": "not begun", "lost": "lost"}  # fmt: skip
    every = [one.status for step in record.steps for one in step.substeps]
    told = [f"{every.count(s)} {word}" for s, word in words.items() if s in every]
    return f"{', '.join(told)} of {len(every)} substeps"
