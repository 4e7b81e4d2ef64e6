"""A substep that failed is tried again, if the settings allow it and nothing of it is left.

::

    attempt 1 ──► failed ──► may it be tried again? ──► its processes are gone?
                                                         its outputs are emptied?
                   ◄── wait ◄── its notebook is kept as report.attempt-1.ipynb

Every attempt is in the record, and so is the reason why there was no further one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sinara.errors import InterruptedRunError, SinaraError, StoreError
from sinara.record import AttemptRecord, Failure, SubstepRecord
from sinara.runner.emptied import empty_outputs
from sinara.runner.estimate import Usual
from sinara.runner.events import Listener, RunEvent
from sinara.runner.prepare import PreparedStep, PreparedSubstep
from sinara.runner.substep import SubstepOutcome, SubstepPlace, run_substep
from sinara.settings import RETRY_CAUSES, Options

if TYPE_CHECKING:
    from sinara.store import RunWriter

LONGEST_WAIT = 60.0  # s; where doubling ends, unless the first wait is longer
_NOT_AGAIN = "It was not tried again"
_KNOWS_ITS_PROCESSES = os.name == "posix"  # elsewhere nobody can say what a kernel left behind


@dataclass(frozen=True)
class RetryPolicy:
    """When a substep is tried again.

    Attributes:
        retries: How often, at most.
        causes: After which kinds of failure.
        wait: Seconds before the first retry.
    """

    retries: int = 0
    causes: tuple[str, ...] = ()
    wait: float = 0.0


def policy_of(options: Options) -> RetryPolicy:
    """Return what the settings of a substep say."""
    return RetryPolicy(options.retries, options.retry_on, options.retry_wait)


def wait_before_retry(failure: Failure | None, attempt: int, policy: RetryPolicy) -> float | None:
    """Return how long to wait before a substep is tried again.

    Args:
        failure: Why the attempt failed; ``None`` if it did not.
        attempt: Its number, from 1.
        policy: What is allowed.

    Returns:
        Seconds: ``policy.wait`` before the first retry and twice as long before each further one,
        up to :data:`LONGEST_WAIT`. ``None`` if it is not to be tried again.
    """
    if failure is None or attempt > policy.retries or failure.kind not in policy.causes:
        return None
    if failure.kind not in RETRY_CAUSES:
        return None
    doubled = policy.wait * 2.0 ** min(attempt - 1, 64)
    return min(doubled, max(policy.wait, LONGEST_WAIT))


@dataclass(frozen=True)
class Attempts:
    """All that is needed to try one substep of a run, again and again.

    Attributes:
        prepared: The step, checked.
        substep: Which of its substeps.
        place_of: Gives the context and the fresh folders of an attempt, by its number.
        writer_for: Gives the writer of a run id.
        earlier: What became of the substeps before it in this run.
        listener: Is told what happens.
        keep: Writes the attempts so far into the run's record.
        usual: Gives how long the substep took in earlier runs.
        sleep: Waits so many seconds; raises ``InterruptedRunError`` if the run is to end.
    """

    prepared: PreparedStep
    substep: PreparedSubstep
    place_of: Callable[[int], SubstepPlace]
    writer_for: Callable[[str], RunWriter]
    earlier: Sequence[SubstepOutcome]
    listener: Listener
    keep: Callable[[tuple[AttemptRecord, ...]], None]
    usual: Callable[[], Usual] = Usual
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> SubstepOutcome:
        """Execute the substep until it succeeds or may not be tried again.

        Returns:
            The outcome of the last attempt. Its record has all of them, and the time from the
            start of the first to the end of the last one. A signal during a wait makes it
            cancelled.
        """
        step_name = self.prepared.params.step_name
        policy = policy_of(self.prepared.settings.for_substep(step_name, self.substep.name))
        began = time.monotonic()
        done: tuple[AttemptRecord, ...] = ()
        while True:
            place = self.place_of(len(done) + 1)
            outcome = run_substep(
                self.prepared, self.substep, place, self.writer_for, self.listener, self.usual
            )
            this = _attempt(len(done) + 1, outcome.record)
            try:
                this = self._prepare_next(outcome, place, this, policy)
                if this.wait is not None:
                    self._wait((*done, this), policy)
            except InterruptedRunError as error:
                outcome = _interrupted(outcome, place, this.number, str(error))
                note = "The run was stopped before it could be tried again."
                this = replace(this, wait=None, note=note, notebook=outcome.record.notebook)
            done = (*done, this)
            if this.wait is None:
                return replace(outcome, record=_joined(outcome.record, done, began, policy))

    def _prepare_next(
        self, outcome: SubstepOutcome, place: SubstepPlace, this: AttemptRecord, policy: RetryPolicy
    ) -> AttemptRecord:
        """Return the attempt's record: with the wait if all is ready for the next, or why not."""
        wait = wait_before_retry(this.failure, this.number, policy)
        if wait is None:
            return replace(this, note=_why_not(this, policy))
        kept = _kept_notebook(place, this.number)
        try:
            if outcome.processes_left or not _KNOWS_ITS_PROCESSES:
                raise StoreError("Nobody can say that all its processes are gone.")
            empty_outputs(self.prepared, outcome, place.context, self.earlier, self.writer_for)
            place.output.replace(kept)
            with contextlib.suppress(FileNotFoundError):
                place.failure.replace(kept.with_name(f"failure.attempt-{this.number}.json"))
        except InterruptedRunError:
            raise
        except (SinaraError, OSError) as error:
            return replace(this, note=f"{_NOT_AGAIN}: {' '.join(str(error).split())}")
        shutil.rmtree(place.runtime, ignore_errors=True)
        if place.continuation is not None:  # the next attempt makes its own checkpoints
            shutil.rmtree(place.continuation.where.folder, ignore_errors=True)
        return replace(this, wait=wait, notebook=f"{kept.parent.name}/{kept.name}")

    def _wait(self, done: tuple[AttemptRecord, ...], policy: RetryPolicy) -> None:
        """Tell what comes, and wait for it. A signal raises ``InterruptedRunError``."""
        this = done[-1]
        self.keep(done)
        if this.failure is None or this.wait is None:
            return
        text = (
            f"attempt {this.number} failed: {this.failure.message.rstrip('.')}; "
            f"attempt {this.number + 1} of {policy.retries + 1} in {this.wait:g} s"
        )
        self.listener(
            RunEvent(
                "retry",
                self.substep.name,
                this.failure.cell,
                this.wait,
                text=text,
                status=this.failure.kind,
                attempt=this.number,
            )
        )
        self.sleep(this.wait)


def _attempt(number: int, record: SubstepRecord) -> AttemptRecord:
    failure = record.failure
    peak = failure.peak_memory if failure else None
    return AttemptRecord(
        number, record.status, record.started, record.seconds, failure, record.notebook, peak
    )


def _why_not(this: AttemptRecord, policy: RetryPolicy) -> str:
    """Return why a retry that was left was not taken; empty if none was left, or none needed."""
    if this.failure is None or this.status != "failed" or this.number > policy.retries:
        return ""
    return f"{_NOT_AGAIN}: its cause, '{this.failure.kind}', is not in the setting retry_on."


def _kept_notebook(place: SubstepPlace, number: int) -> Path:
    return place.output.with_name(f"{place.output.stem}.attempt-{number}.ipynb")


def _interrupted(
    outcome: SubstepOutcome, place: SubstepPlace, number: int, why: str
) -> SubstepOutcome:
    """Return the outcome of a substep that a signal ended between two attempts."""
    before = outcome.record.failure.message if outcome.record.failure else ""
    message = f"{why} It waited to be tried again after: {before}"
    kept = _kept_notebook(place, number)
    notebook = kept if kept.exists() else place.output
    record = replace(
        outcome.record,
        status="cancelled",
        failure=Failure(kind="interrupted", message=message),
        outputs=(),
        notebook=f"{notebook.parent.name}/{notebook.name}",
    )
    return replace(outcome, record=record)


def _joined(
    last: SubstepRecord, done: tuple[AttemptRecord, ...], began: float, policy: RetryPolicy
) -> SubstepRecord:
    """Return the record of the last attempt, with all of them in it."""
    if not policy.retries:
        return last
    notes = tuple(one.note for one in done[-1:] if one.note and one.wait is None)
    warnings = last.warnings + notes
    if len(done) == 1:
        return replace(last, attempts=done, warnings=warnings)
    seconds = round(time.monotonic() - began, 6)
    return replace(last, attempts=done, warnings=warnings, started=done[0].started, seconds=seconds)
