"""Take over a substep that succeeded in an earlier run: its outputs, its record, its notebook."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sinara.context import Handback
from sinara.errors import CorruptError, OutputError, SinaraError
from sinara.interface import Interface, make_interface
from sinara.record import EntityRecord, RunRecord, SubstepRecord
from sinara.runner.describe import now
from sinara.runner.substep import SubstepOutcome, SubstepPlace
from sinara.runner.trees import copy_tree

if TYPE_CHECKING:
    from sinara.store import RunWriter


class Source(Protocol):
    """An earlier run whose data nobody takes away meanwhile."""

    record: RunRecord

    def entity_folder(self, entity: str) -> Path:
        """Return where an entity of it lies."""

    def reports_folder(self, substep: str) -> Path:
        """Return where the reports of a substep of it lie."""


def adopt(
    old: SubstepRecord, source: Source, place: SubstepPlace, writer: RunWriter, *, word: str
) -> SubstepOutcome:
    """Copy what a substep of an earlier run wrote into this run, and seal it here.

    Every byte is read, and the seal has to come out as it did in the old run.

    Args:
        old: Its record in the old run, status succeeded.
        source: The old run.
        place: Of the substep in this run.
        writer: Of this run.
        word: What to call it: ``adopted``, ``reused``.

    Raises:
        CorruptError: If an output differs from what was sealed; nothing of it is left here then.
        SinaraError: If something cannot be copied; the same.
    """
    outputs: list[EntityRecord] = []
    try:
        for entity in old.outputs:
            if entity.kind == "outputs":
                entity = replace(entity, url=_copy(entity, source, place, writer))
            outputs.append(replace(entity, run_id=writer.run_id))
    except (SinaraError, OSError):
        for entity in old.outputs:
            if entity.kind == "outputs":
                writer.take_out(entity.name)
        raise
    origin = old.adopted_from or source.record.run_id
    took = "" if old.adopted_from else f"; there it took {old.seconds:.1f} s"
    record = replace(
        old,
        started=now(),
        seconds=0.0,
        outputs=tuple(outputs),
        inputs=tuple(_own(entity, source.record.run_id, writer.run_id) for entity in old.inputs),
        adopted_from=origin,
        resumed=f"{word} from {origin} (code and parameters unchanged, outputs as sealed{took})",
    )
    return SubstepOutcome(record, _interface(old), Handback(), _notebook(source, place))


def _copy(entity: EntityRecord, source: Source, place: SubstepPlace, writer: RunWriter) -> str:
    """Copy one entity and seal it; return its URL."""
    if place.continuation is None:
        raise OutputError("outputs are adopted on a local store only")
    url = writer.entity_url(entity.name)
    try:
        copy_tree(source.entity_folder(entity.name), Path(url), place.continuation.where.disk)
    except FileNotFoundError:
        raise CorruptError(f"its output '{entity.name}' is not there any more") from None
    if writer.seal(entity.name).manifest != entity.manifest:
        raise CorruptError(f"its output '{entity.name}' differs from what was sealed")
    return url


def _own(entity: EntityRecord, old: str, new: str) -> EntityRecord:
    """Return an input; one that an earlier substep of the old run wrote is this run's now."""
    if entity.run_id != old:
        return entity
    return replace(entity, run_id=new, url=entity.url.replace(old, new))


def _interface(old: SubstepRecord) -> Interface:
    try:
        return make_interface(**(old.interface or {}))
    except SinaraError:
        return Interface()


def _notebook(source: Source, place: SubstepPlace) -> Any:
    """Copy the executed notebook, for this run's own report; None if it is not there."""
    import nbformat

    path = source.reports_folder(place.context.substep_name) / place.output.name
    try:
        content = path.read_bytes()
        notebook = nbformat.from_dict(json.loads(content))
    except (OSError, ValueError):
        return None
    place.output.write_bytes(content)
    return notebook
