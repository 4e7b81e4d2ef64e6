"""One run of a pipeline: planned, executed in parallel, recorded truly, shown while it goes.

::

    load ─► plan ─► record ─► steps in threads, each as a run of its own ─► record, page
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sinara.errors import RunError, RunNotFoundError, SinaraError, StoreError, UsageError
from sinara.execute import StopRequest
from sinara.execute import warm_up as warm_kernels
from sinara.pipeline.book import Book, now, planned_state
from sinara.pipeline.load import Pipeline, load_pipeline
from sinara.pipeline.log import PipelineLog
from sinara.pipeline.plan import PipelinePlan, make_plan
from sinara.pipeline.request import PipelineRequest, request_of
from sinara.pipeline.steps import Earlier, StepWork
from sinara.pipeline.watch import Watcher, write_lost
from sinara.record import PipelineRecord, StepState
from sinara.runner import RunEvent
from sinara.runner.schedule import Budget, Outcome, Schedule
from sinara.runner.signals import handled
from sinara.settings import Settings
from sinara.store import open_store
from sinara.store.pipelines import PipelineRuns, new_pipeline_run_id
from sinara.store.values import ASIDE
from sinara.store.world import this_process

_TICK = 0.1  # s between two looks at what has changed
_SHARE = 10  # the record is written again after so many times what it cost


class Listening:
    """Hears what happens while a run goes; each method may be called from any thread."""

    def begun(self, run: PipelineRun) -> None:
        """The run has a record; nothing was executed yet."""

    def event(self, step: str, event: RunEvent) -> None:
        """The run of a step says something."""

    def tick(self, record: PipelineRecord) -> None:
        """About ten times a second, and at the end: the record as it is."""


class PipelineRun:
    """A run of a pipeline; made, then executed once.

    Attributes:
        plan: What was planned when it was made.
        runs: The runs of the pipeline, this one's place.
        folder: The local folder in which its record and its page lie.
    """

    def __init__(
        self,
        request: PipelineRequest,
        *,
        resume: str | None = None,
        run_id: str | None = None,
        listening: Listening | None = None,
        trigger: str | None = None,
    ) -> None:
        """Read, check and plan; nothing is executed or written yet.

        Args:
            request: What is to run.
            resume: The pipeline run to go on with: its id, the beginning of it, or ``last``. What
                was asked for then is asked for again; only ``folder`` of the request counts.
            run_id: An id that was made for it already.
            listening: Who hears what.
            trigger: What starts it, if it is not a person.

        Raises:
            SinaraError: If a step is configured wrongly, an input is missing, or the run cannot
                be resumed; there is no run then.
        """
        self._listening = listening or Listening()
        old = (
            None if resume is None else find_pipeline_run(request.folder, resume, request.env_name)
        )
        if old is not None:
            request = _request_again(request, _resumable(old))
        pipeline = load_pipeline(request)
        self.plan = make_plan(pipeline)
        _refuse_missing(self.plan)
        workers = request.workers or pipeline.settings.workers or _processors()
        budget = pipeline.settings.memory_budget
        memory = budget if request.memory is None else request.memory or None
        _refuse_too_large(pipeline, memory)
        self._budget = Budget(workers, memory)
        self._stop = StopRequest()
        self.runs = pipeline_runs(pipeline.settings, pipeline.env_name, pipeline.name)
        run_id = run_id or new_pipeline_run_id()
        process = this_process()
        record = PipelineRecord(
            run_id=run_id,
            env_name=pipeline.env_name,
            pipeline_name=pipeline.name,
            status="running",
            started=now(),
            folder=str(pipeline.folder),
            user=pipeline.settings.user,
            host=process.host,
            pid=process.pid,
            process_started=process.started,
            boot_id=process.boot,
            workers=workers,
            request=request.as_dict(),
            resumed_from=old.run_id if old else None,
            root=(old.root or old.run_id) if old else run_id,
            trigger=trigger,
            steps=tuple(planned_state(one) for one in self.plan.steps),
            points=pipeline.points,
            best=request.best,
            lowest=request.lowest,
        )
        self._book = Book(record, self.plan)
        self._work = StepWork(
            self.plan,
            self._book,
            self._budget,
            self._stop,
            _earlier(old),
            f"{ASIDE if pipeline.points else ''}pipeline/{record.root}",
            self._heard,
        )
        self._schedule: Schedule[str] = Schedule(
            {one.step.name: one.step.needs for one in self.plan.steps},
            self._do,
            workers=workers,
            keep_going=request.keep_going,
            skipped=self._skipped,
        )
        self._bugs: list[BaseException] = []
        self._written = -1
        self._next = 0.0

    @property
    def record(self) -> PipelineRecord:
        """The record as things stand."""
        return self._book.record

    @property
    def pipeline(self) -> Pipeline:
        """What runs."""
        return self.plan.pipeline

    def stop(self, number: int = signal.SIGINT) -> None:
        """Ask for the end of the run, as a signal does; a second time means: at once."""
        self._stop.ask(number)
        self._schedule.stop()

    def execute(self) -> PipelineRecord:
        """Execute the plan; the record that is returned is written.

        Raises:
            RunError: If the run is over and its record cannot be written.
            Exception: A fault of sinara itself, after the run was ended as failed.
        """
        with contextlib.ExitStack() as cleanup:
            for lost in self.runs.recover():
                write_lost(self.runs, lost)
            self.folder = self._local_folder(cleanup)
            self._log = PipelineLog(self.folder)
            self._watcher = Watcher(self.folder, self.pipeline)
            cleanup.enter_context(handled(lambda number, _: self.stop(number)))
            self.runs.write(self.record)
            if notebooks := self.plan.count("run", "open"):
                self._watcher.show(self.record, now=True)
                self._warm_up(notebooks)
            self._listening.begun(self)
            self._schedule.run(self._wait)
            self._book.note(self._watcher.fallen(self.record))
            record = self._end()
            self._write_last(record)
            self._listening.tick(record)
        if self._bugs:
            raise self._bugs[0]
        return record

    # -- while it goes ---------------------------------------------------------------------

    def _do(self, name: str) -> Outcome:
        try:
            return self._work.do(name)
        except BaseException as error:
            self._bugs.append(error)
            message = f"{type(error).__name__}: {error}"
            self._book.change(name, status="failed", message=message)
            self._log.add(name, "bug", "".join(traceback.format_exception(error)))
            return "failed"

    def _heard(self, step: str, event: RunEvent) -> None:
        self._log.hear(step, event)
        self._listening.event(step, event)

    def _skipped(self, name: str, cause: str | None) -> None:
        why = f"not run: {cause} did not succeed" if cause else "not run: the run ended before"
        self._book.change(name, status="skipped", message=why)

    def _wait(self, done: queue.SimpleQueue[Any]) -> object:
        try:
            return done.get(timeout=_TICK)
        except queue.Empty:
            return None
        finally:
            self._write()

    def _write(self) -> None:
        """Write record and page, if anything has changed; a run goes on where that cannot be."""
        version, began = self._book.version, time.monotonic()
        if version != self._written and began >= self._next:
            with contextlib.suppress(SinaraError):  # the next one, or the last, may do better
                self.runs.write(self.record)
                self._written = version
            self._next = began + _SHARE * (time.monotonic() - began)
        record = self.record
        self._watcher.show(record)
        self._listening.tick(record)

    def _write_last(self, record: PipelineRecord) -> None:
        """Write the record and the page of a run that is over.

        Raises:
            RunError: If the record cannot be written: until it is recovered it says "running".
        """
        try:
            self.runs.write(record)
        except StoreError as error:
            raise RunError(
                *error.lines,
                f"Run {record.run_id} is over ({record.status}) and its record cannot say so. What "
                "its steps published is there. When that is mended: "
                f"sinara pipeline run --resume {record.run_id}",
            ) from error
        self._watcher.show(record, now=True)
        for path in self.folder.iterdir() if self._remote else ():
            self.runs.put_file(record.run_id, path.name, path.read_bytes())

    def _warm_up(self, notebooks: int) -> None:
        """Have as many kernels prepared as will be needed."""
        if self.pipeline.settings.warm:
            warm_kernels(preload=self.pipeline.settings.preload, expect=notebooks)
        # While kernels boot, by one thread: several at once may see halves of modules. It takes
        # seconds on a slow machine, and whoever stops the run then does not wait for it.
        imports = threading.Thread(target=_import_what_runs_need, name="sinara-warm", daemon=True)
        imports.start()
        while imports.is_alive() and not self._stop.names:
            imports.join(_TICK)

    def _local_folder(self, cleanup: contextlib.ExitStack) -> Path:
        folder = self.runs.folder(self.record.run_id)
        self._remote = folder is None
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="sinara-pipeline-"))
            cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    # -- the end ---------------------------------------------------------------------------

    def _end(self) -> PipelineRecord:
        steps = self.record.steps
        failed = [step for step in steps if step.status == "failed"]
        if self._stop.names:
            return self._book.end(
                status="cancelled", exit_code=130, message=f"Stopped by {self._stop.names[0]}."
            )
        if failed or any(step.status == "cancelled" for step in steps):
            return self._book.end(status="failed", exit_code=1, message=_told(failed))
        return self._book.end(status="succeeded", exit_code=0)


def _told(failed: Sequence[StepState]) -> str:
    """Return what failed in one line: the first failure whole, the others by their names."""
    first = "".join(f"{step.name}: {step.message}" for step in failed[:1])
    others = ", ".join(step.name for step in failed[1:])
    return f"{first} Failed, too: {others}." if others else first


def _import_what_runs_need() -> None:
    """Import ahead; what cannot be imported is told by the step that needs it."""
    # RuntimeError: nothing more can be registered for the exit of a process that exits already.
    with contextlib.suppress(ImportError, RuntimeError):
        import papermill.engines  # noqa: F401

        from sinara import report

        report.warm()


def pipeline_runs(settings: Settings, env_name: str, pipeline: str) -> PipelineRuns:
    """Return the runs of one pipeline in one env."""
    env = settings.env(env_name)
    store = open_store(env.root, storage_options=env.storage_options, durability="fast")
    return store.pipeline(pipeline)


def find_pipeline_run(folder: Path, asked: str, env_name: str | None = None) -> PipelineRecord:
    """Return the record of a pipeline run.

    Args:
        folder: That holds the steps, or one of them.
        asked: Its id, the beginning of it, or ``last``.
        env_name: The env; as the first step's parameter file says by default.

    Raises:
        RunNotFoundError: If there is none.
        UsageError: If several fit.
    """
    pipeline = load_pipeline(PipelineRequest(folder, env_name=env_name))
    runs = pipeline_runs(pipeline.settings, pipeline.env_name, pipeline.name)
    ids = runs.run_ids()
    found = ids[:1] if asked == "last" else [one for one in ids if asked and one.startswith(asked)]
    if not found:
        raise RunNotFoundError(
            f"Pipeline '{pipeline.name}' has no run '{asked}' in env '{pipeline.env_name}'. "
            "See what there is: sinara run list"
        )
    if len(found) > 1 and asked not in found:
        raise UsageError(f"'{asked}' fits {len(found)} runs: {', '.join(found[:5])}. Give more.")
    return runs.read(asked if asked in found else found[0])


def _resumable(record: PipelineRecord) -> PipelineRecord:
    if record.status == "succeeded":
        raise UsageError(f"Run {record.run_id} succeeded: there is nothing to resume.")
    if record.status == "running":
        raise UsageError(
            f"Run {record.run_id} still goes on. Stop it first: sinara run stop {record.run_id}"
        )
    return record


def _request_again(given: PipelineRequest, old: PipelineRecord) -> PipelineRequest:
    """Return what was asked of the old run, with how to run it as it is asked for now."""
    again = request_of(old.request)
    given_anew = [
        word
        for word, is_given in (
            ("steps", given.select), ("--from", given.start), ("--to", given.end),
            ("--only", given.only), ("--set", given.overrides), ("--force", given.force),
            ("--no-reuse", not given.reuse), ("points", given.points),
        )
        if is_given
    ]  # fmt: skip
    if given_anew:
        raise UsageError(
            f"--resume goes on with what was asked for then; it takes no {', '.join(given_anew)}. "
            "Leave that out, or run without --resume: what did not change is reused."
        )
    return replace(
        again,
        workers=given.workers or again.workers,
        memory=again.memory if given.memory is None else given.memory,
        keep_going=given.keep_going or again.keep_going,
        retries=again.retries if given.retries is None else given.retries,
        timeout=given.timeout or again.timeout,
    )


def _earlier(old: PipelineRecord | None) -> Mapping[str, Earlier]:
    if old is None:
        return {}
    return {
        step.name: Earlier(
            done=step.run_id or "" if step.status in ("succeeded", "reused") else "",
            broken=step.run_id or "" if step.status not in ("succeeded", "reused") else "",
        )
        for step in old.steps
    }


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _refuse_missing(plan: PipelinePlan) -> None:
    lines = [f"{step.step.name}: {line}" for step in plan.steps for line in step.missing]
    if lines:
        raise RunNotFoundError(*lines)


def _refuse_too_large(pipeline: Pipeline, budget: int | None) -> None:
    from sinara.settings.amounts import bytes_text

    lines = []
    for step in pipeline.steps if budget else ():
        params = step.prepared.params
        for substep in params.substeps:
            memory = step.prepared.settings.for_substep(params.step_name, substep.name).memory
            if memory and budget and memory > budget:
                lines.append(
                    f"{step.name}/{substep.name} may use {bytes_text(memory)}, and all that runs "
                    f"at once has {bytes_text(budget)}. Raise memory_budget, or lower its memory."
                )
    if lines:
        raise UsageError(*lines)


def run_pipeline(
    request: PipelineRequest, *, resume: str | None = None, listening: Listening | None = None
) -> PipelineRecord:
    """Run a pipeline and return the record of the run; look at its ``status``.

    Args:
        request: What is to run.
        resume: The pipeline run to go on with.
        listening: Who hears what meanwhile.

    Raises:
        SinaraError: If it cannot be run as it is; there is no run then.
    """
    return PipelineRun(request, resume=resume, listening=listening).execute()
