"""Execute a notebook with its checkpoints: from the newest that can be put back, or from its start.

::

    checkpoint ─► put back? ─► cells below it
                     │ no
    older checkpoint ─► … ─► from the beginning, in a new kernel each time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.context import RunContext
from sinara.errors import SinaraError
from sinara.reading import CellSource, cells_of, read_cells
from sinara.reading.checkpoints import counted
from sinara.runner.checkpoints import NOT_RESTORED, Checkpoints, clear_outputs
from sinara.runner.events import Listener, RunEvent
from sinara.runner.madeof import made_of
from sinara.runner.points import CheckpointPlace, Point, carry, write_code
from sinara.runner.prepare import PreparedStep, PreparedSubstep
from sinara.runner.resume import told
from sinara.store.disk import Disk
from sinara.store.layout import CHECKPOINTS

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from sinara.execute import Executed, ExecuteOptions, StartedKernel
    from sinara.runner.resume import Resumption
    from sinara.runner.substep import SubstepOutcome, SubstepPlace
    from sinara.store import RunWriter


class Continuation:
    """The execution of one substep, which in a resumed run goes on where it can.

    Attributes:
        where: Its checkpoints.
        resumed: In a resumed run, from where it went on and why; otherwise empty.
        warnings: What it could not save.
    """

    def __init__(
        self,
        where: CheckpointPlace,
        prepared: PreparedStep,
        substep: PreparedSubstep,
        listener: Listener,
        resumption: Resumption | None = None,
    ) -> None:
        """Prepare.

        Args:
            where: Its checkpoints.
            prepared: The step.
            substep: Which of its substeps.
            listener: Is told from where it goes on, and what was saved.
            resumption: The run that is resumed, if one is.
        """
        self.where = where
        self.resumed = ""
        self.warnings: tuple[str, ...] = ()
        self._prepared = prepared
        self._substep = substep
        self._listener = listener
        self._resumption = resumption
        self._plan = resumption.plan(substep) if resumption else None

    def adopted(self, place: SubstepPlace, writer: RunWriter) -> SubstepOutcome | None:
        """Take the substep over from the run that is resumed; ``None`` if it has to be executed.

        Args:
            place: Of the substep in this run.
            writer: Of this run.
        """
        from sinara.runner.adopt import adopt

        if self._resumption is None or self._plan is None or self._plan.adopt is None:
            return None
        try:
            outcome = adopt(self._plan.adopt, self._resumption, place, writer, word="adopted")
        except (SinaraError, OSError) as error:
            self._plan = self._resumption.plan(self._substep, refused=told(error))
            return None
        self.begin()
        self._say(outcome.record.resumed)
        return outcome

    def begin(self) -> None:
        """Take note of what the substep is made of: whoever resumes this run will ask."""
        path = self._substep.path
        write_code(self.where, made_of(self._prepared, self._substep, read_cells(path)))

    def begin_module(self) -> None:
        """Take note of what a module is made of; it has no checkpoints."""
        self.begin()
        if self._plan is not None:
            self._say(f"starts from the beginning: {self._plan.why}")

    def execute(
        self, filled: NotebookNode, output: Path, options: ExecuteOptions, kernel: StartedKernel
    ) -> Executed:
        """Execute a notebook.

        Args:
            filled: With its parameters.
            output: Where the executed notebook is written.
            options: As for :func:`sinara.execute.execute_notebook`.
            kernel: Started ahead; used up.
        """
        from sinara.execute import execute_notebook, start_ahead

        cells = cells_of(filled, self._substep.path)
        made = made_of(self._prepared, self._substep, cells)
        write_code(self.where, made)
        why = self._plan.why if self._plan else ""
        ready: StartedKernel | None = kernel
        for point in (*(self._plan.points if self._plan else ()), None):
            own: Point | None = None
            if point is not None:
                try:
                    own = carry(point, self.where)
                except (SinaraError, OSError) as error:
                    why = told(error)
                    continue
            between = Checkpoints(self.where, cells, made, self._listener, own)
            if self._plan is not None:
                self._say(_told(own, cells, why))
            ready = ready or start_ahead(options, self._substep.metadata)
            executed = execute_notebook(
                filled, output, replace(options, between=between), kernel=ready
            )
            self.warnings = tuple(between.warnings)
            if executed.failure is None or executed.failure.kind != NOT_RESTORED:
                break
            ready, why = None, f"its checkpoint cannot be put back: {executed.failure.message}"
            clear_outputs(self.where)
        return executed

    def _say(self, text: str) -> None:
        self.resumed = text
        self._listener(RunEvent("resume", self._substep.name, text=text))


def _told(point: Point | None, cells: Sequence[CellSource], why: str) -> str:
    if point is None:
        return f"starts from the beginning: {why}"
    number = counted(cells)[point.ordinal - 1].index + 1
    newer = f"; a newer one is not used: {why}" if why else ""
    return (
        f"continues after cell {number} (checkpoint in cell {number}; cells 1-{number} and "
        f"parameters unchanged{newer})"
    )


def continuation_of(
    prepared: PreparedStep,
    substep: PreparedSubstep,
    context: RunContext,
    runtime: Path,
    listener: Listener,
    resumption: Resumption | None,
) -> Continuation:
    """Return the execution of a substep, with checkpoints in the data folder of its run.

    Args:
        prepared: The step.
        substep: Which of its substeps.
        context: Of the substep.
        runtime: Its private folder.
        listener: Is told what happens.
        resumption: The run that is resumed, if one is.
    """
    env, step = prepared.env, prepared.params.step
    run = Path(names.run_url(env.root, step, context.run_id))
    references = {**prepared.params.secrets, **substep.checked.secrets}.values()
    where = CheckpointPlace(
        folder=run / CHECKPOINTS / names.entity_folder(names.reports_entity(substep.name)),
        context=context,
        runtime=runtime,
        run=run,
        tmp=None
        if "://" in env.tmp_root
        else Path(names.run_url(env.tmp_root, step, context.run_id)),
        disk=Disk(sync=prepared.settings.durability == "full"),
        references=tuple(reference.as_json() for reference in references),
        secrets=substep.secrets,
    )
    return Continuation(where, prepared, substep, listener, resumption)
