"""What is known of a pipeline run while it goes: told by many threads, read by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sinara.pipeline.plan import PipelinePlan, PlannedStep
from sinara.record import PipelineRecord, RunRecord, StepState, StepStatus, SubstepState
from sinara.runner import RunEvent

_ENDED: dict[str, StepStatus] = {
    "succeeded": "succeeded",
    "cancelled": "cancelled",
    "stopped": "cancelled",
}


def now() -> str:
    """Return the time, ISO 8601, UTC, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def planned_state(planned: PlannedStep) -> StepState:
    """Return the state of a step that has not begun."""
    params = planned.step.prepared.params
    return StepState(
        name=planned.step.name,
        folder=str(planned.step.folder),
        env_name=params.env_name,
        pipeline_name=params.pipeline_name,
        zone_name=params.zone_name,
        needs=planned.step.needs,
        substeps=tuple(
            SubstepState(one.substep, reasons=one.reasons if one.action != "reuse" else ())
            for one in planned.decisions
        ),
    )


class Book:
    """The record of a pipeline run, kept true by whoever does something.

    Attributes:
        version: Grows with every change.
    """

    def __init__(self, record: PipelineRecord, plan: PipelinePlan) -> None:
        self.version = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._record = record
        self._steps = {one.step.name: planned_state(one) for one in plan.steps}

    @property
    def record(self) -> PipelineRecord:
        """The record as things stand."""
        with self._lock:
            seconds = self._record.seconds or round(time.monotonic() - self._began, 3)
            return replace(self._record, seconds=seconds, steps=tuple(self._steps.values()))

    def step(self, name: str) -> StepState:
        """Return the state of one step."""
        with self._lock:
            return self._steps[name]

    def change(self, name: str, **changes: Any) -> None:
        """Change the state of one step."""
        with self._lock:
            self._steps[name] = replace(self._steps[name], **changes)
            self.version += 1

    def note(self, warnings: tuple[str, ...]) -> None:
        """Add what a person should look at."""
        with self._lock:
            self._record = replace(self._record, warnings=(*self._record.warnings, *warnings))
            self.version += 1

    def end(self, **changes: Any) -> PipelineRecord:
        """Change the run itself: it is over, and nothing waits any more."""
        with self._lock:
            for name, state in self._steps.items():
                left = tuple(
                    replace(one, status="skipped") if one.status == "pending" else one
                    for one in state.substeps
                )
                self._steps[name] = replace(state, substeps=left)
            seconds = round(time.monotonic() - self._began, 3)
            self._record = replace(self._record, stopped=now(), seconds=seconds, **changes)
            self.version += 1
        return self.record

    def change_substep(self, step: str, substep: str, **changes: Any) -> None:
        """Change the state of one substep."""
        with self._lock:
            state = self._steps[step]
            substeps = tuple(
                replace(one, **changes) if one.name == substep else one for one in state.substeps
            )
            self._steps[step] = replace(state, substeps=substeps)
            self.version += 1

    def hear(self, step: str, event: RunEvent) -> None:
        """Take in what a step's run says."""
        if event.kind == "run_start":
            self.change(step, run_id=event.text)
        elif event.kind == "substep_start":
            self.change_substep(
                step, event.substep, status="running", started=now(), usual=event.usual
            )
        elif event.kind == "cell_start" and event.cell is not None:
            self.change_substep(
                step, event.substep, cells=(event.cell + 1, event.of or event.cell + 1)
            )
        elif event.kind == "substep_end":
            status = _ENDED.get(event.status or "", "failed")
            self.change_substep(step, event.substep, status=status, seconds=event.seconds)

    def take_in(self, step: str, record: RunRecord, report: str | None) -> None:
        """Take in how a step's run ended."""
        state = self.step(step)
        old = {one.name: one for one in state.substeps}
        substeps = tuple(_ended(old.get(one.name), one) for one in record.substeps)
        status = "succeeded" if record.published else _ENDED.get(record.status, "failed")
        self.change(
            step,
            status=status,
            run_id=record.run_id,
            seconds=record.seconds,
            message=record.message,
            report=report,
            substeps=substeps,
        )


def _ended(before: SubstepState | None, record: Any) -> SubstepState:
    state = before or SubstepState(record.name)
    reused = record.status == "succeeded" and record.adopted_from
    status: StepStatus = "reused" if reused else _SUBSTEPS.get(record.status, "failed")
    return replace(
        state,
        status=status,
        source=record.adopted_from or "",
        seconds=record.seconds,
        started=record.started,
        metrics=shown_metrics(record.metrics),
        cells=None,
    )


_SUBSTEPS: dict[str, StepStatus] = {
    "pending": "pending",
    "running": "running",
    "succeeded": "succeeded",
    "cancelled": "cancelled",
    "stopped": "cancelled",
    "skipped": "skipped",
    "lost": "lost",
}


def shown_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics that a person set: numbers and words, without what every run has."""
    return {
        name: value
        for name, value in metrics.items()
        if name != "run_id" and isinstance(value, int | float | str | bool)
    }
