"""Go on with a run that failed or was killed: what of it still holds, substep by substep.

::

    substeps that succeeded, unchanged      adopted: their outputs are copied, and checked
    the first of the others                 continues after its newest valid checkpoint
    the rest                                run from their beginning

Nothing of the old run is changed. Its data is held meanwhile, so no recovery collects it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.errors import CorruptError, RunNotFoundError, SinaraError, UsageError
from sinara.names import StepName
from sinara.reading import CellSource, read_cells
from sinara.reading.checkpoints import CheckpointCell, counted
from sinara.reading.resuming import missing_names
from sinara.record import RunRecord, SubstepRecord
from sinara.runner.inputs import Pin, step_store
from sinara.runner.madeof import CODE_NAME, MadeOf, difference, made_of, read_sealed
from sinara.runner.prepare import PreparedStep, PreparedSubstep
from sinara.store.layout import CHECKPOINTS

if TYPE_CHECKING:
    from sinara.runner.points import Point
    from sinara.store import StepStore
    from sinara.store.backend import Hold

PINS_NAME = "pins.json"


@dataclass(frozen=True)
class Plan:
    """What is to become of one substep of a resumed run.

    Attributes:
        adopt: Its record in the old run, if that may be adopted.
        points: Checkpoints of the old run from which it may go on, newest first.
        why: Why it is not adopted, or why a newer checkpoint is not used; a clause.
    """

    adopt: SubstepRecord | None = None
    points: tuple[Point, ...] = ()
    why: str = ""


def find_run(store: StepStore, asked: str) -> str:
    """Return the whole id of the run that is to be resumed.

    Args:
        store: Of the step.
        asked: An id, the beginning of one, or ``last``.

    Raises:
        RunNotFoundError: If the step has no such run.
        UsageError: If several fit, or runs cannot be resumed in this store.
    """
    if not store.local:
        raise UsageError(f"{store.url} is no local disk: only there a run can be resumed.")
    runs = store.run_ids()
    found = runs[:1] if asked == "last" else [run for run in runs if run.startswith(asked)]
    if asked in found:
        return asked
    if not found:
        if any(commit.interactive and commit.run_id == asked for commit in store.commits()):
            raise UsageError(f"{asked} was published by hand: there is nothing to resume.")
        raise RunNotFoundError(
            f"Step '{store.step.step}' has no run '{asked}' in env '{store.step.env}'. "
            "Runs are resumed in the folder of their step; see what there is: sinara run list"
        )
    if len(found) > 1:
        raise UsageError(f"'{asked}' fits {len(found)} runs: {', '.join(found[:5])}. Give more.")
    return found[0]


def check_resumable(record: RunRecord) -> None:
    """Refuse to resume what is no run that ended before it was published.

    Raises:
        UsageError: One line.
    """
    if record.published or record.status == "succeeded":
        raise UsageError(f"Run {record.run_id} succeeded: there is nothing to resume.")
    if record.status == "running":
        raise UsageError(
            f"Run {record.run_id} still goes on (process {record.pid} on {record.host}). "
            "Wait until it has ended, or stop it."
        )


class Resumption:
    """A run that is gone on with.

    Attributes:
        record: Its record.
        pins: The run that each input was read from, by the step's key.
    """

    def __init__(self, prepared: PreparedStep, store: StepStore, run_id: str) -> None:
        """Hold the data of a run.

        Raises:
            UsageError: If it cannot be resumed.
            RunNotFoundError: If its data, or a run that it read, is not there any more.
        """
        self.record = store.read_record(run_id)
        check_resumable(self.record)
        self._hold: Hold = store.hold(run_id)
        self._data = Path(store.url, run_id)
        self._evidence = store.record_folder(run_id) or self._data
        self._prepared = prepared
        self._going = True  # no substep was executed yet
        try:
            self.pins = self._read_pins()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go of the old run's data."""
        self._hold.release()

    def _read_pins(self) -> dict[str, Pin]:
        try:
            pins = json.loads((self._data / CHECKPOINTS / PINS_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise RunNotFoundError(
                f"Run {self.record.run_id} kept nothing to resume. Run the step from its start."
            ) from None
        found = {}
        for key, run_id in pins.items():
            step = StepName(*key.split("/"))
            try:
                commit = step_store(self._prepared.settings, step).commit(run_id, legacy=True)
            except RunNotFoundError:
                raise RunNotFoundError(
                    f"Run {self.record.run_id} read run {run_id} of step '{step.step}', which is "
                    "not there any more. Run the step from its start."
                ) from None
            found[key] = Pin(step, commit)
        return found

    def plan(self, substep: PreparedSubstep, *, refused: str = "") -> Plan:
        """Return what is to become of the next substep; ask for each, in their order.

        Args:
            substep: Which.
            refused: Why it could not be adopted after all, if that was tried.
        """
        if not self._going:
            return Plan(why="the substep before it ran again")
        old = next((s for s in self.record.substeps if s.name == substep.name), None)
        cells = read_cells(substep.path)
        now = made_of(self._prepared, substep, cells)
        places = executed_places(cells, substep)
        why = refused or self._why_not_adopted(substep, old, now, places)
        if old is not None and not why:
            return Plan(adopt=old)
        self._going = False
        points, unused = self._points(substep, now, cells, places)
        return Plan(points=points, why=unused if points else unused or why)

    def entity_folder(self, entity: str) -> Path:
        """Return where an entity of the old run lies."""
        return self._data / names.entity_folder(entity)

    def reports_folder(self, substep: str) -> Path:
        """Return where the reports of a substep of the old run lie."""
        return self._evidence / names.entity_folder(names.reports_entity(substep))

    def _folder(self, substep: str) -> Path:
        return self._data / CHECKPOINTS / names.entity_folder(names.reports_entity(substep))

    def _why_not_adopted(
        self,
        substep: PreparedSubstep,
        old: SubstepRecord | None,
        now: MadeOf,
        places: Sequence[int],
    ) -> str:
        if old is None:
            return "the resumed run had no such substep"
        if old.status != "succeeded":
            return f"it had {'not run' if old.status in ('pending', 'skipped') else 'not ended'}"
        outputs = [entity for entity in old.outputs if entity.kind == "outputs"]
        if any(e.run_id != self.record.run_id or not e.manifest for e in outputs):
            return "its outputs were not sealed"
        try:
            before, _ = read_sealed(self._folder(substep.name) / CODE_NAME)
        except CorruptError:
            return "what it was made of is not known"
        return difference(before, now, places)

    def _points(
        self,
        substep: PreparedSubstep,
        now: MadeOf,
        cells: Sequence[CellSource],
        places: Sequence[int],
    ) -> tuple[tuple[Point, ...], str]:
        """Return the checkpoints that hold, and why the newest one that does not, does not."""
        from sinara.runner.points import read_points

        found, refused = [], ""
        for point in read_points(self._folder(substep.name)) if substep.is_notebook else ():
            why = self._why_not(point, now, cells, places)
            if not why:
                found.append(point)
            elif not found and not refused:
                refused = why
        return tuple(found), refused

    def _why_not(
        self, point: Point, now: MadeOf, cells: Sequence[CellSource], places: Sequence[int]
    ) -> str:
        why = difference(point.made_of, now, places, cells=point.ordinal)
        if why:
            return why
        cell = counted(cells)[point.ordinal - 1]
        missing = missing_names(cells, CheckpointCell(cell.index, point.names))
        if not missing:
            return ""
        index = {c.index: place for c, place in zip(counted(cells), places, strict=True)}
        first = missing[0]
        return (
            f"cell {index[first.cell] + 1} uses '{first.name}', which the checkpoint in "
            f"cell {index[cell.index] + 1} does not save"
        )


def executed_places(cells: Sequence[CellSource], substep: PreparedSubstep) -> tuple[int, ...]:
    """Return the index that each counted cell has in the executed notebook, from 0.

    There it stands one lower when it comes after the injected parameters.
    """
    kept = [cell for cell in cells if "injected-parameters" not in cell.tags]
    parameters = -1 if substep.schema.cell is None else substep.schema.cell
    shift = 1 if substep.is_notebook else 0
    counting = {cell.index for cell in counted(cells)}
    return tuple(
        place + (shift if cell.index > parameters else 0)
        for place, cell in enumerate(kept)
        if cell.index in counting
    )


def write_pins(path: Path, pins: Mapping[str, str]) -> None:
    """Write down the run that each input comes from; kernels add what could not be read before."""
    if path.parent.parent.is_dir():  # on a local store, where the run has a folder
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dict(pins)), encoding="utf-8")


def told(error: SinaraError | OSError) -> str:
    """Return an error as a clause of one line."""
    return " ".join(str(error).split()).removesuffix(".")
