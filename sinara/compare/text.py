"""A comparison as lines for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sinara.compare import words
from sinara.compare.values import (
    CellChange,
    Diff,
    EntityChange,
    Side,
    SubstepDiff,
    ValueChange,
)
from sinara.report.words import duration

_LINES = 60  # of one cell


def tell(diff: Diff) -> Iterator[str]:
    """Yield the lines of a comparison: only what differs, substep by substep."""
    yield f"old  {_side(diff.old)}"
    yield f"new  {_side(diff.new)}"
    took = diff.old.record, diff.new.record
    if took[0] and took[1]:
        yield f"took {duration(took[0].seconds)} -> {duration(took[1].seconds)}"
    yield from _values("parameters", diff.params)
    yield from _values("packages", diff.packages)
    same = []
    for substep in diff.substeps:
        if substep.kind == "same" and substep.code.state in ("same", "unknown"):
            same.append(substep.name)
            continue
        yield ""
        yield from _substep(substep)
    if same:
        yield ""
        yield f"the same: {', '.join(words.one_line(name) for name in same)}"
    if diff.same:
        yield "Nothing that was compared differs."


def _side(side: Side) -> str:
    if side.record is None:
        return words.one_line(side.label)
    commit = words.one_line(side.commit[:10]) if side.commit else "in no Git commit"
    files = ", ".join(words.one_line(path) for path in side.dirty[:5])
    dirty = f", with changes in {files}" if files else ""
    return f"{side.label}  {side.record.status}  {commit}{dirty}"


def _values(title: str, changes: Sequence[ValueChange]) -> Iterator[str]:
    if changes:
        yield ""
        yield title
        yield from _table([(c.name, *words.sides(c)) for c in changes])


def _table(rows: Sequence[tuple[str, str, str] | tuple[str, str, str, str]]) -> Iterator[str]:
    """Yield rows of a name, an old value, a new value and a note, in columns."""
    wide = [max(len(words.one_line(row[n])) for row in rows) for n in (0, 1)]
    for name, old, new, *note in rows:
        line = f"  {words.one_line(name):{wide[0]}}  {old:>{wide[1]}} -> {new}"
        yield "  ".join([line, *(n for n in note if n)]).rstrip()


def _substep(substep: SubstepDiff) -> Iterator[str]:
    name = words.one_line(substep.name)
    if substep.kind in ("added", "removed"):
        side = "new" if substep.kind == "added" else "old"
        yield f"{name}: only on the {side} side"
        return
    took = [duration(seconds) for seconds in substep.seconds if seconds is not None]
    status = substep.status
    ended = f"{status[0]} -> {status[1]}" if status[0] != status[1] else ""
    yield "  ".join(part for part in (name, ended, " -> ".join(took)) if part)
    for side, failure in zip(("old", "new"), substep.failure, strict=True):
        if failure and substep.failure[0] != substep.failure[1]:
            yield f"  {side} failure: {words.one_line(failure)[:200]}"
    yield f"  code: {words.code(substep.code)}"
    for change in substep.code.cells:
        yield from _cell(change)
    if substep.params:
        yield "  parameters"
        rows = [(change.name, *words.sides(change)) for change in substep.params]
        yield from (f"  {line}" for line in _table(rows))
    yield from _metrics(substep)
    yield from _entities("inputs", substep.inputs)
    yield from _entities("outputs", substep.outputs)
    changed = sum(not pair.same for pair in substep.pictures)
    if changed:
        yield f"  pictures: {changed} of {len(substep.pictures)} differ (see them: -o page.html)"


def _cell(change: CellChange) -> Iterator[str]:
    yield f"    {words.cell(change)}"
    yield from (f"      {words.one_line(line)}" for line in change.lines[:_LINES])
    if len(change.lines) > _LINES:
        yield f"      … {len(change.lines) - _LINES} more lines"


def _metrics(substep: SubstepDiff) -> Iterator[str]:
    changed = [change for change in substep.metrics if change.kind != "same"]
    if changed:
        yield "  metrics"
        rows = [(c.name, *words.sides(c), words.difference(c)) for c in changed]
        yield from (f"  {line}" for line in _table(rows))


def _entities(title: str, entities: Sequence[EntityChange]) -> Iterator[str]:
    shown = [one for one in entities if one.kind != "same" or one.runs[0] != one.runs[1]]
    if shown:
        yield f"  {title}"
        yield from (f"    {_entity(entity)}" for entity in shown)


def _entity(entity: EntityChange) -> str:
    name = words.one_line(entity.name)
    if entity.kind in ("added", "removed"):
        return f"{name}  only on the {'new' if entity.kind == 'added' else 'old'} side"
    told = [f"content {words.CONTENT[entity.content]}"]
    if entity.rows != (None, None):
        told.append(f"rows {words.rows(entity.rows)}")
    if entity.bytes != (None, None):
        told.append(words.sizes(entity.bytes))
    if entity.columns or entity.reordered:
        told.append(f"columns {words.schema(entity)}")
    if entity.runs[0] != entity.runs[1]:
        told.append(f"{entity.runs[0]} -> {entity.runs[1]}")
    if entity.paths[0] != entity.paths[1]:
        told.append(" -> ".join(words.one_line(path or "-") for path in entity.paths))
    return f"{name}  {'; '.join(told)}"


def as_json(diff: Diff) -> dict[str, Any]:
    """Return a comparison as JSON holds it; of pictures, whether they differ."""
    return {
        "same": diff.same,
        "old": _side_json(diff.old),
        "new": _side_json(diff.new),
        "params": [_value_json(change) for change in diff.params],
        "packages": [_value_json(change) for change in diff.packages],
        "substeps": [_substep_json(substep) for substep in diff.substeps],
    }


def _side_json(side: Side) -> dict[str, Any]:
    record = side.record
    return {
        "label": side.label,
        "run_id": record.run_id if record else None,
        "status": record.status if record else None,
        "started": record.started if record else None,
        "seconds": record.seconds if record else None,
        "commit": side.commit,
        "dirty": list(side.dirty),
    }


def _value_json(change: ValueChange) -> dict[str, Any]:
    return {"name": change.name, "kind": change.kind, "old": change.old, "new": change.new}


def _substep_json(substep: SubstepDiff) -> dict[str, Any]:
    return {
        "name": substep.name,
        "kind": substep.kind,
        "status": list(substep.status),
        "seconds": list(substep.seconds),
        "failure": list(substep.failure),
        "code": {
            "state": substep.code.state,
            "why": substep.code.why,
            "cells": [
                {"kind": c.kind, "old": c.old, "new": c.new, "lines": list(c.lines)}
                for c in substep.code.cells
            ],
        },
        "params": [_value_json(change) for change in substep.params],
        "metrics": [vars(change) for change in substep.metrics],
        "inputs": [_entity_json(entity) for entity in substep.inputs],
        "outputs": [_entity_json(entity) for entity in substep.outputs],
        "pictures": [{"cell": pair.cell, "same": pair.same} for pair in substep.pictures],
    }


def _entity_json(entity: EntityChange) -> dict[str, Any]:
    return {
        **{key: list(v) if isinstance(v, tuple) else v for key, v in vars(entity).items()},
        "columns": [_value_json(change) for change in entity.columns],
    }
