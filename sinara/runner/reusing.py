"""What one run reuses of earlier ones, and what it leaves for later runs to reuse."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.errors import NotebookError, SinaraError
from sinara.interface import InputRef
from sinara.reading import read_cells
from sinara.runner import ingredients as parts
from sinara.runner.adopt import adopt
from sinara.runner.events import Listener, RunEvent
from sinara.runner.ingredients import FILE_NAME, Ingredients, ingredients_of
from sinara.runner.inputs import content_digest, producer, step_store
from sinara.runner.prepare import PreparedStep, PreparedSubstep, RunRequest
from sinara.runner.published import PublishedRun
from sinara.runner.resume import told
from sinara.runner.reuse import Chooser, Decision
from sinara.runner.trees import write_whole
from sinara.store.disk import Disk

if TYPE_CHECKING:
    from sinara.record import EntityRecord
    from sinara.runner.substep import SubstepOutcome, SubstepPlace
    from sinara.store import RunWriter, StepStore


class Reusing:
    """Decides, substep by substep, and keeps the ingredients of what ran.

    Args:
        prepared: The step.
        store: Where its runs are.
        request: Whether anything is reused, and what runs even so.
        pins: Gives the run that a step is read from, by the step's key, as far as it is chosen.
    """

    def __init__(
        self,
        prepared: PreparedStep,
        store: StepStore,
        request: RunRequest,
        pins: Callable[[], Mapping[str, str]],
    ) -> None:
        self._prepared = prepared
        self._store = store
        self._pins = pins
        self._reuses = request.reuse
        self._chooser = Chooser(prepared, store, self._digest, request.force)
        self._decided: dict[str, Decision] | None = None
        self._started: dict[str, Ingredients] = {}
        self._any_ran = False

    def begin(self, substep: PreparedSubstep) -> None:
        """Take note of what a substep is made of, now that it starts."""
        with contextlib.suppress(NotebookError):  # told by whoever executes it
            self._started[substep.name] = self._made_of(substep)

    def adopted(
        self, substep: PreparedSubstep, place: SubstepPlace, writer: RunWriter, say: Listener
    ) -> SubstepOutcome | None:
        """Take a substep over from a published run; ``None`` if it has to be executed."""
        if not self._reuses:
            return None
        decision = self._decide(substep)
        if decision.action != "reuse":
            return None
        try:
            outcome = self._copy(decision, substep, place, writer)
        except (SinaraError, OSError) as error:
            text = f"is not reused: {told(error)}"
            say(RunEvent("warning", substep.name, text=f"{substep.name} {text}"))
            return None
        if place.continuation is not None:
            place.continuation.begin()
        say(RunEvent("resume", substep.name, text=outcome.record.resumed))
        return outcome

    def note(
        self, substep: PreparedSubstep, outputs: tuple[EntityRecord, ...], *, ran: bool
    ) -> None:
        """Take note of what a substep gave, whether it ran or was taken over."""
        self._any_ran = self._any_ran or ran
        known = {e.name: e.manifest for e in outputs if e.kind == "outputs" and e.manifest}
        self._chooser.note(substep, known)

    def keep(self, outcomes: list[SubstepOutcome], evidence: Path, run_id: str) -> dict[str, str]:
        """Write down the ingredients of every substep of a run that is about to be published.

        Args:
            outcomes: What became of each; outputs are sealed.
            evidence: The folder of the run's evidence.
            run_id: The run. A substep that wrote under another id cannot be reused.

        Returns:
            The key of each substep that may be reused.
        """
        keys = {}
        disk = Disk(sync=False)
        chooser = Chooser(self._prepared, self._store, self._digest)
        for substep, outcome in zip(self._prepared.substeps, outcomes, strict=False):
            name, record = substep.name, outcome.record
            before = self._started.get(name)
            if before is None or before != self._now(substep):
                continue  # it was changed while it ran: nobody knows what ran
            own, folder = self._prepared.params.step, self._prepared.folder
            made = parts.with_inputs(before, outcome.interface, folder, own, chooser.digest)
            made = parts.with_left(made, outcome.interface, folder)
            outputs = [entity for entity in record.outputs if entity.kind == "outputs"]
            chooser.note(substep, {e.name: e.manifest for e in outputs if e.manifest})
            target = evidence / names.entity_folder(names.reports_entity(name)) / FILE_NAME
            write_whole(target, made.encode(), disk)
            if all(entity.run_id == run_id for entity in outputs):
                keys[name] = made.key
        return keys

    def _now(self, substep: PreparedSubstep) -> Ingredients | None:
        """Return what a substep is made of now; ``None`` if its notebook is gone, or half saved."""
        try:
            return self._made_of(substep)
        except NotebookError:
            return None

    def _made_of(self, substep: PreparedSubstep) -> Ingredients:
        return ingredients_of(self._prepared, substep, read_cells(substep.path))

    def _decide(self, substep: PreparedSubstep) -> Decision:
        if self._decided is None:
            self._decided = {one.substep: one for one in self._chooser.all()}
            self._chooser.forget()
        decision = self._decided[substep.name]
        # What runs may give the same as before: then what reads it need not run.
        again = self._any_ran and decision.action != "run"
        return self._chooser.one(substep) if again else decision

    def _copy(
        self, decision: Decision, substep: PreparedSubstep, place: SubstepPlace, writer: RunWriter
    ) -> SubstepOutcome:
        source = PublishedRun(self._store, decision.source)
        try:
            old = next(one for one in source.record.substeps if one.name == substep.name)
            return adopt(old, source, place, writer, word="reused")
        finally:
            source.release()

    def _digest(self, ref: InputRef) -> str | None:
        step = producer(ref, self._prepared.params.step)
        run_id = ref.run_id or self._pins().get(step.key)
        if run_id is None:
            return None
        try:
            commit = step_store(self._prepared.settings, step).commit(run_id, legacy=True)
        except SinaraError:
            return "missing"
        return content_digest(commit, ref.entity_name)
