"""One step of a pipeline run, in a thread: its condition, its inputs, its run or its reuse."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.errors import InterruptedRunError, SinaraError
from sinara.execute import StopRequest
from sinara.pipeline.book import Book, now, shown_metrics
from sinara.pipeline.load import LoadedStep
from sinara.pipeline.plan import Inputs, PipelinePlan, PlannedStep, plan_step
from sinara.runner import Listener, PreparedSubstep, RunEvent, StepRun, run_substeps
from sinara.runner.schedule import Budget, Outcome
from sinara.settings import Condition
from sinara.settings.conditions import Name
from sinara.store import AlreadyPublishedError

if TYPE_CHECKING:
    from sinara.record import RunRecord


@dataclass(frozen=True)
class Earlier:
    """What a pipeline run that is resumed has done for one step.

    Attributes:
        done: The run that it published or reused; empty if it did not come to that.
        broken: The run that did not end well, and may be gone on with; empty if there is none.
    """

    done: str = ""
    broken: str = ""


class StepWork:
    """Does the work for the steps of one pipeline run.

    Args:
        plan: What was planned when the run began.
        book: Where everything is told.
        budget: What may go on at once.
        stop: Asks for the end.
        earlier: What the resumed run did, by step.
        trigger: Begins the trigger keys of the steps' runs, so that each is published once.
        listener: Hears, with the step's name, what the steps' runs say.
    """

    def __init__(
        self,
        plan: PipelinePlan,
        book: Book,
        budget: Budget,
        stop: StopRequest,
        earlier: Mapping[str, Earlier],
        trigger: str,
        listener: Callable[[str, RunEvent], None],
    ) -> None:
        self._plan = plan
        self._book = book
        self._budget = budget
        self._stop = stop
        self._earlier = earlier
        self._trigger = trigger
        self._listener = listener
        self._taken: dict[str, PlannedStep] = {}  # as they came out

    def do(self, name: str) -> Outcome:
        """Do what is to be done for one step; nothing is raised for what it did."""
        planned = self._plan.step(name)
        step = planned.step
        self._book.change(name, status="running", started=now())
        try:
            if why := self._unwanted(step):
                self._book.change(name, status="skipped", message=why)
                return "skipped"
            if done := self._done_before(step):
                return self._reuse(step, done, f"done before the run was resumed: {done}")
            planned = self._settled(planned)
            if planned.action == "reuse":
                self._taken[name] = planned
                return self._reuse(step, planned.run_id, "")
            return self._run(step)
        except InterruptedRunError as error:
            self._book.change(name, status="cancelled", message=str(error))
            return "failed"
        except SinaraError as error:
            self._book.change(name, status="failed", message=" ".join(error.lines))
            return "failed"

    # -- before ----------------------------------------------------------------------------

    def _unwanted(self, step: LoadedStep) -> str:
        """Return why a step is not to run, by its condition; empty if it is."""
        condition = step.options.when
        if condition is None:
            return ""
        values: dict[str, Any] = {}

        def value_of(name: Name) -> Any:
            values[str(name)] = self._value(step, name)
            return values[str(name)]

        try:
            if condition.holds(value_of):
                return ""
        except ValueError as error:
            raise SinaraError(f"when: {condition.text}: {error}") from None
        return _told_false(condition, values)

    def _value(self, reader: LoadedStep, name: Name) -> Any:
        """Return a value that an earlier step gave.

        Raises:
            SinaraError: If the step gave no such value.
        """
        needed = (self._plan.pipeline.step(one) for one in reader.needs)
        step = next(one for one in needed if one.base == name.step)
        run_id = self._book.step(step.name).run_id or ""
        record = step.store.read_record(run_id)
        metrics = {
            key: value
            for substep in record.substeps
            for key, value in shown_metrics(substep.metrics).items()
        }
        outputs = {e.name: e for s in record.substeps for e in s.outputs if e.kind == "outputs"}
        first, *rest = name.path
        if not rest and first in metrics:
            return metrics[first]
        if not rest and first in outputs:
            return True
        if len(rest) == 1 and first in outputs and rest[0] in ("rows", "bytes", "files"):
            return getattr(outputs[first], rest[0]) or 0
        there = ", ".join([*metrics, *outputs]) or "nothing"
        raise SinaraError(
            f"when: step '{name.step}' gave no '{'.'.join(name.path)}' in run {run_id}; "
            f"it gave {there}."
        )

    def _done_before(self, step: LoadedStep) -> str:
        """Return the run of this step that the resumed run published or reused, if there is one."""
        if step.name not in self._earlier:
            return ""
        done = self._earlier[step.name].done
        with contextlib.suppress(SinaraError):
            if done and step.store.commit(done):
                return done
        return self._published(step)

    def _published(self, step: LoadedStep) -> str:
        """Return the run that was published under this step's trigger key, if there is one."""
        key = self._key(step)
        commits = step.store.commits()
        return next((commit.run_id for commit in commits if commit.trigger_key == key), "")

    def _key(self, step: LoadedStep) -> str:
        return f"{self._trigger}/{step.name}"

    def _pins(self, step: LoadedStep) -> dict[str, str]:
        """Return the runs of this pipeline run that the step reads from."""
        pins = {}
        for name in step.needs:
            if run_id := self._book.step(name).run_id:
                pins[self._plan.pipeline.step(name).key] = run_id
        return pins

    def _settled(self, planned: PlannedStep) -> PlannedStep:
        """Return what is to become of a step, now that all that it reads is there."""
        step = planned.step
        as_planned = all(
            self._plan.step(name).action == "reuse"
            and self._book.step(name).run_id == self._plan.step(name).run_id
            for name in step.needs
        )
        if as_planned or not step.request.reuse:
            return planned
        return plan_step(step, Inputs(step, {}, self._pins(step)))

    # -- doing -----------------------------------------------------------------------------

    def _reuse(self, step: LoadedStep, run_id: str, message: str) -> Outcome:
        folder = step.store.record_folder(run_id)
        page = folder / "index.html" if folder else None
        metrics: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(SinaraError):
            for one in step.store.read_record(run_id).substeps:
                metrics[one.name] = shown_metrics(one.metrics)
        state = self._book.step(step.name)
        substeps = tuple(
            replace(s, status="reused", source=run_id, reasons=(), metrics=metrics.get(s.name, {}))
            for s in state.substeps
        )
        self._book.change(
            step.name,
            status="reused",
            run_id=run_id,
            message=message,
            substeps=substeps,
            report=str(page) if page and page.exists() else None,
        )
        return "done"

    def _run(self, step: LoadedStep) -> Outcome:
        request = replace(
            step.request,
            pins=self._pins(step),
            trigger_key=self._key(step),
            pipeline_run=self._book.record.run_id,
        )
        broken = self._earlier[step.name].broken if step.name in self._earlier else ""
        listener = self._hearing(step.name)
        try:
            run = self._begun(replace(request, resume=broken or None), listener)
        except AlreadyPublishedError:
            return self._reuse(step, self._published(step), "published already by this run")
        at_once = self._budget.workers if step.options.independent else 1
        record = run_substeps(run, self._slot(step), at_once=at_once)
        if record.published and step.prepared.params.env_name == "prod":
            with _told_as_warning(listener):
                run.tag()
        self._take_in(step, record, run.evidence_folder)
        return "done" if record.published else "failed"

    def _begun(self, request: Any, listener: Listener) -> StepRun:
        """Begin a run; if the old one cannot be gone on with, from the start."""
        if request.resume:
            with contextlib.suppress(SinaraError):
                return StepRun(request, listener=listener, stop=self._stop)
        return StepRun(replace(request, resume=None), listener=listener, stop=self._stop)

    def _take_in(self, step: LoadedStep, record: RunRecord, folder: Path) -> None:
        page = folder / "index.html"
        local = step.store.local and page.exists()
        self._book.take_in(step.name, record, str(page) if local else None)

    def _hearing(self, name: str) -> Listener:
        def hear(event: RunEvent) -> None:
            self._book.hear(name, event)
            self._listener(name, event)

        return hear

    def _slot(self, step: LoadedStep) -> Callable[[PreparedSubstep], Any]:
        settings, step_name = step.prepared.settings, step.prepared.params.step_name

        def slot(substep: PreparedSubstep) -> contextlib.AbstractContextManager[bool]:
            memory = settings.for_substep(step_name, substep.name).memory
            return self._budget.share(memory, lambda: bool(self._stop.numbers))

        return slot


def _told_false(condition: Condition, values: Mapping[str, Any]) -> str:
    found = ", ".join(f"{name} is {_short(value)}" for name, value in values.items())
    return f"not run: {condition.text} does not hold ({found})"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@contextlib.contextmanager
def _told_as_warning(listener: Listener) -> Iterator[None]:
    try:
        yield
    except SinaraError as error:
        listener(RunEvent("warning", text=str(error)))
