"""A run from its beginning to its end: substep after substep, or several at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from sinara.errors import InterruptedRunError
from sinara.kernels.signals import StopRequest
from sinara.record import Failure, RunRecord
from sinara.runner.events import Listener, nobody
from sinara.runner.needs import needs_of
from sinara.runner.prepare import PreparedSubstep, RunRequest
from sinara.runner.run import StepRun
from sinara.runner.schedule import Outcome, Schedule

Slot = Callable[[PreparedSubstep], contextlib.AbstractContextManager[bool]]


def run_step(
    request: RunRequest, *, listener: Listener = nobody, stop: StopRequest | None = None
) -> RunRecord:
    """Run a step: every substep in order, then publish.

    Args:
        request: Which step, with which values.
        listener: Is told what happens while it happens.
        stop: Asks for the end of the run, if it goes on in a thread.

    Returns:
        The final record; look at its ``status`` and ``exit_code``.

    Raises:
        SinaraError: If the step is configured wrongly; there is no run then.
    """
    return run_substeps(StepRun(request, listener=listener, stop=stop))


def run_substeps(run: StepRun, slot: Slot | None = None, *, at_once: int = 1) -> RunRecord:
    """Execute every substep of a run that was begun, up to the first failure, and end it.

    Args:
        run: The run.
        slot: Is held while a substep is executed; gives False if the run is to end instead.
        at_once: How many substeps that do not need each other may run at once. More than one is
            for a run that a :class:`StopRequest` ends.
    """
    if run.refused is not None:
        return run.record

    def execute(substep: PreparedSubstep) -> bool:
        with slot(substep) if slot else contextlib.nullcontext(True) as free:
            if not free:
                raise InterruptedRunError(run.stopped)
            return run.run_substep(substep).status == "succeeded"

    try:
        if at_once > 1 and not run.is_resumed:
            _run_at_once(run, execute, at_once)
        else:
            all(map(execute, run.prepared.substeps))
    except InterruptedRunError as error:
        return run.end(Failure(kind="interrupted", message=str(error)))
    except BaseException as error:
        if run.stopped:  # others' code made another error of it
            return run.end()
        run.end(Failure(kind="error", message=f"{type(error).__name__}: {error}"))
        raise
    return run.end()


def _run_at_once(run: StepRun, execute: Callable[[PreparedSubstep], bool], at_once: int) -> None:
    """Execute substeps as soon as those that they need are done.

    Raises:
        BaseException: The first that came out of one of them.
    """
    substeps = {substep.name: substep for substep in run.prepared.substeps}
    errors: list[BaseException] = []

    def work(name: str) -> Outcome:
        try:
            return "done" if execute(substeps[name]) else "failed"
        except BaseException as error:
            errors.append(error)
            return "failed"

    needs = needs_of(run.prepared.substeps, run.prepared.params.step)
    Schedule(needs, work, workers=at_once).run()
    if errors:
        raise errors[0]
