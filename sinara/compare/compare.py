"""Two sides compared: what became of each parameter, metric, cell, entity and picture."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sinara.compare.cells import compare_cells
from sinara.compare.values import (
    CellChange,
    CodeDiff,
    Content,
    Diff,
    EntityChange,
    Kind,
    MetricChange,
    Part,
    PicturePair,
    Side,
    SubstepDiff,
    ValueChange,
)
from sinara.record import EntityRecord

T = TypeVar("T")


def compare(old: Side, new: Side) -> Diff:
    """Return everything that two sides differ in.

    Args:
        old: What to compare with.
        new: What is new.
    """
    return Diff(
        old,
        new,
        changed_values(old.params, new.params),
        changed_values(old.versions, new.versions),
        tuple(_substep(*pair) for pair in _by_name(old.parts, new.parts, lambda p: p.name)),
    )


def _by_name(
    old: Iterable[T], new: Iterable[T], name: Callable[[T], str]
) -> list[tuple[T | None, T | None]]:
    """Return what has one name on both sides, in the order of the new side, removed ones last."""
    before, after = {name(one): one for one in old}, {name(one): one for one in new}
    kept: list[tuple[T | None, T | None]] = [(before.get(key), one) for key, one in after.items()]
    return kept + [(one, None) for key, one in before.items() if key not in after]


def _kind(old: object, new: object, differs: bool) -> Kind:
    if old is None:
        return "added"
    return "removed" if new is None else "changed" if differs else "same"


# -- values --------------------------------------------------------------------------------


def changed_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    """Return the values that differ, by name."""
    found = []
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old:
            found.append(ValueChange(name, "added", None, new[name]))
        elif name not in new:
            found.append(ValueChange(name, "removed", old[name], None))
        elif _text(old[name]) != _text(new[name]):
            found.append(ValueChange(name, "changed", old[name], new[name]))
    return tuple(found)


def _text(value: Any) -> str:
    """Return a value so that equal ones are equal texts: 1 is not True, and NaN is itself."""
    return json.dumps(value, sort_keys=True, default=str)


def _metrics(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[MetricChange, ...]:
    changed = {change.name: change for change in changed_values(old, new)}
    found = []
    for name in (*new, *(name for name in old if name not in new)):
        kind: Kind = changed[name].kind if name in changed else "same"
        before, after = old.get(name), new.get(name)
        difference = _number(after, before)
        share = difference / abs(before) if difference is not None and before else None
        found.append(MetricChange(name, kind, before, after, difference, share))
    return tuple(found)


def _number(after: Any, before: Any) -> float | None:
    for value in (after, before):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not math.isfinite(value):
            return None
    return float(after - before)


# -- entities ------------------------------------------------------------------------------


def _inputs(old: Part, new: Part) -> tuple[EntityChange, ...]:
    return tuple(
        _entity(before, after, _input_name(before or after))
        for before, after in _by_name(old.inputs, new.inputs, _input_name)
    )


def _outputs(old: Part, new: Part) -> tuple[EntityChange, ...]:
    return tuple(
        _entity(before, after, _output_name(before or after), runs=False)
        for before, after in _by_name(old.outputs, new.outputs, _output_name)
    )


def _input_name(entity: EntityRecord | None) -> str:
    """Return ``pipeline.zone.step.entity``: the env may be another one."""
    if entity is None:
        return ""
    return entity.full_name.split(".", 1)[-1] if entity.kind == "inputs" else entity.name


def _output_name(entity: EntityRecord | None) -> str:
    return entity.name if entity is not None else ""


def _entity(
    old: EntityRecord | None, new: EntityRecord | None, name: str, *, runs: bool = True
) -> EntityChange:
    if old is None or new is None:
        content: Content = "unknown"
        columns: tuple[ValueChange, ...] = ()
        reordered = False
    else:
        content = _content(old, new)
        columns = changed_values(dict(old.columns), dict(new.columns))
        reordered = not columns and old.columns != new.columns
    rows = old.rows if old else None, new.rows if new else None
    size = old.bytes if old else None, new.bytes if new else None
    paths = _path(old), _path(new)
    # Where the digests are known they have the last word: files of another size may hold the same.
    differs = bool(columns) or reordered or rows[0] != rows[1] or paths[0] != paths[1]
    differs = differs or content == "different"
    told = (old.run_id if old else None, new.run_id if new else None) if runs else (None, None)
    kind = _kind(old, new, differs)
    return EntityChange(name, kind, content, told, rows, size, columns, reordered, paths)


def _path(entity: EntityRecord | None) -> str | None:
    return entity.url if entity is not None and entity.kind.startswith("custom") else None


def _content(old: EntityRecord, new: EntityRecord) -> Content:
    if not old.manifest or not new.manifest:
        return "unknown"
    return "equal" if old.manifest == new.manifest else "different"


# -- substeps ------------------------------------------------------------------------------


def _substep(old: Part | None, new: Part | None) -> SubstepDiff:
    before, after = old or Part(""), new or Part("")
    name = after.name or before.name
    code, cells = CodeDiff("unknown", why="it is on one side only"), tuple[CellChange, ...]()
    if old is not None and new is not None:
        code, cells = compare_cells(old.cells, new.cells)
    params = changed_values(before.params, after.params)
    metrics = _metrics(before.metrics, after.metrics)
    inputs, outputs = _inputs(before, after), _outputs(before, after)
    pictures = tuple(_pictures(before, after, cells))
    every: Sequence[MetricChange | EntityChange] = (*metrics, *inputs, *outputs)
    differs = (
        code.state == "changed"
        or bool(params)
        or any(one.kind != "same" for one in every)
        or before.status != after.status
        or before.failure != after.failure
        or any(not pair.same for pair in pictures)
    )
    return SubstepDiff(
        name,
        _kind(old, new, differs),
        code,
        (before.status, after.status),
        (before.seconds, after.seconds),
        (before.failure, after.failure),
        params,
        metrics,
        inputs,
        outputs,
        pictures,
    )


def _pictures(old: Part, new: Part, cells: Sequence[CellChange]) -> Iterable[PicturePair]:
    """Yield the pictures of each cell beside those of its partner, in their order."""
    for cell in cells:
        before = old.pictures.get(cell.old, ()) if cell.old is not None else ()
        after = new.pictures.get(cell.new, ()) if cell.new is not None else ()
        place = cell.new if cell.new is not None else cell.old or 0
        for number in range(max(len(before), len(after))):
            yield PicturePair(
                place,
                before[number] if number < len(before) else None,
                after[number] if number < len(after) else None,
            )
