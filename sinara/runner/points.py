"""Checkpoints that lie in a run: where, what of, and copied whole into the run that goes on.

They lie in the data folder of their run, so that they go when that goes: when the run is
published, or when it is given up::

    <run id>/_checkpoints/
        pins.json                        the run that each input comes from
        reports_train_ipynb/             one folder per substep, as for its reports
            code.json                    what it is made of: digests of cells, modules; parameters
            0007/                        after its seventh code cell
                checkpoint.json          written last: SHA-256 of all that is here
                variables.pickle         written and read by kernels only
            shown.json               what the cells up to it had shown
                outputs/<entity>/…       what the run's outputs held by then
                tmp/<entity>/…           the same of its temporary entities
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinara.context import RunContext
from sinara.errors import CorruptError
from sinara.runner.madeof import CODE_NAME, MadeOf, read_sealed
from sinara.runner.trees import copy_tree, remove, write_whole
from sinara.store.disk import Disk

CHECKPOINT_NAME = "checkpoint.json"


@dataclass(frozen=True)
class Point:
    """A checkpoint that was saved."""

    folder: Path
    ordinal: int  # how many code cells stand up to it, its own included; empty ones not counted
    made_of: MadeOf
    body: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that it holds."""
        return tuple(self.body["types"])


@dataclass(frozen=True)
class CheckpointPlace:
    """Where the checkpoints of one substep are, and what is needed to save them."""

    folder: Path
    context: RunContext
    runtime: Path
    run: Path  # where the run's outputs lie
    tmp: Path | None  # where its temporary entities lie
    disk: Disk = field(default_factory=Disk)
    references: tuple[dict[str, str], ...] = ()  # of secrets
    secrets: tuple[str, ...] = field(default=(), repr=False)


def read_points(folder: Path) -> list[Point]:
    """Return the checkpoints in a substep's folder, newest first; a damaged one is left out."""
    found = []
    for entry in sorted(folder.glob("[0-9]*"), reverse=True):
        try:
            made, body = read_sealed(entry / CHECKPOINT_NAME)
            found.append(Point(entry, int(entry.name), made, body))
        except (CorruptError, ValueError):
            continue
    return found


def carry(point: Point, place: CheckpointPlace) -> Point:
    """Copy a checkpoint of an earlier run into this one; every byte is checked.

    Raises:
        CorruptError: If something differs from its digest.
        OSError: If it cannot be read or written.
    """
    target = place.folder / point.folder.name
    remove(target)
    place.folder.mkdir(parents=True, exist_ok=True)
    digests = copy_tree(point.folder, target, place.disk)
    found = {path: value for path, value in digests.items() if path != CHECKPOINT_NAME}
    wanted = point.body["files"]
    for path in sorted({*found, *wanted}):
        if found.get(path) != wanted.get(path):
            remove(target)
            raise CorruptError(f"its file {path} differs from what was saved")
    made, body = read_sealed(target / CHECKPOINT_NAME)
    return Point(target, point.ordinal, made, body)


def write_code(place: CheckpointPlace, made: MadeOf) -> None:
    """Write down what a substep is made of, before it runs.

    Nothing waits for the disk: if a loss of power takes it, the substep runs again, that is all.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    write_whole(place.folder / CODE_NAME, made.encode(), Disk(sync=False))
