"""A lineage as lines of text, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sinara.lineage.values import Ancestor, Key, Lineage, Maker, Raw

DEPTH = 40  # levels that are drawn; a step that reads its own last run has thousands
_VALUE = 60  # characters of one parameter


def draw(lineage: Lineage, depth: int = DEPTH) -> Iterator[str]:
    """Yield the lines of an indented tree; what comes up again is told once.

    Args:
        lineage: What was traced.
        depth: Levels below the entity that are drawn; a line says what is left out.
    """
    return _Drawing(lineage, depth).lines()


class _Drawing:
    """A tree while it is drawn. Not recursive: lineages are as deep as people let them be."""

    def __init__(self, lineage: Lineage, depth: int) -> None:
        self._ancestors = lineage.ancestors
        self._root = lineage.root
        self._depth = depth
        self._told: set[Key] = set()
        self._made: dict[tuple[str, str, str], str] = {}  # maker -> the entity it was told at

    def lines(self) -> Iterator[str]:
        # (what, indent of its children, branch before it, level)
        waiting: list[tuple[Key | Raw, str, str, int]] = [(self._root, "", "", 0)]
        while waiting:
            what, indent, branch, level = waiting.pop()
            if isinstance(what, Raw):
                yield f"{branch}{_shown(what.path)}  (raw data '{_shown(what.name)}')"
                continue
            ancestor = self._ancestors[what]
            yield f"{branch}{self._head(ancestor)}"
            if what in self._told:
                continue
            self._told.add(what)
            children = self._children(ancestor)
            bar = "│  " if children else "   "
            yield from (f"{indent}{bar}{line}" for line in self._facts(ancestor))
            if children and level >= self._depth:
                yield f"{indent}└─ … more lies behind it: see it with --depth, or --json"
                continue
            below = []
            for number, child in enumerate(children):
                last = number == len(children) - 1
                grown = indent + ("   " if last else "│  ")
                below.append((child, grown, indent + ("└─ " if last else "├─ "), level + 1))
            waiting.extend(reversed(below))

    def _head(self, ancestor: Ancestor) -> str:
        name = self._name(ancestor.entity)
        if ancestor.key in self._told:
            return f"{name}  {ancestor.run_id}  (told above)"
        size = f"{ancestor.rows:,} rows" if ancestor.rows is not None else ""
        state = "" if ancestor.state == "published" else ancestor.state.upper()
        why = f"{state}: {_shown(ancestor.told)}" if ancestor.told else state
        return "  ".join(part for part in (name, ancestor.run_id, size, why) if part)

    def _name(self, entity: str) -> str:
        """Return a name without the env, pipeline and zone that it shares with the root."""
        shared = self._root[0].split(".")[:3]
        parts = entity.split(".")
        return ".".join(parts[3:] if parts[:3] == shared and entity != self._root[0] else parts)

    def _children(self, ancestor: Ancestor) -> list[Key | Raw]:
        maker = ancestor.maker
        if maker is None or self._made.get(_id(maker), ancestor.entity) != ancestor.entity:
            return []
        return [*maker.inputs, *maker.raw]

    def _facts(self, ancestor: Ancestor) -> Iterator[str]:
        maker = ancestor.maker
        if maker is None:
            return
        first = self._made.setdefault(_id(maker), ancestor.entity)
        if first != ancestor.entity:
            yield f"made with {self._name(first)}, told above"
            return
        yield f"made by  {_place(maker)}"
        yield f"code     {_code(maker)}"
        if maker.params is None:
            yield "set      not known: the record of the run is gone"
        elif maker.params:
            yield f"set      {_params(maker.params)}"


def _id(maker: Maker) -> tuple[str, str, str]:
    return maker.step, maker.run_id, maker.substep


def _place(maker: Maker) -> str:
    where = f"{_shown(maker.substep)} of {maker.step}" if maker.substep else maker.step
    if maker.by_hand:
        where += ", by hand"
    return f"{where}, executed in {maker.executed_in}" if maker.executed_in else where


def _code(maker: Maker) -> str:
    if not maker.commit:
        return "in no Git commit"
    branch = f" on {_shown(maker.branch)}" if maker.branch else ""
    files = ", ".join(_shown(path) for path in maker.dirty[:5])
    rest = f" and {len(maker.dirty) - 5} more" if len(maker.dirty) > 5 else ""
    changed = f", with changes in {files}{rest}" if maker.dirty else ""
    return f"{_shown(maker.commit)}{branch}{changed}"


def _params(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{_shown(name)}={_value(value)}" for name, value in params.items())


def _value(value: Any) -> str:
    text = _shown(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def as_json(lineage: Lineage) -> dict[str, Any]:
    """Return a lineage as JSON holds it; entities and makers refer to each other by ids."""
    ids = {key: _key_id(key) for key in lineage.ancestors}
    makers: dict[str, dict[str, Any]] = {}
    entities = []
    for key, ancestor in lineage.ancestors.items():
        maker = ancestor.maker
        made_by = "/".join(_id(maker)) if maker else None
        if maker is not None and made_by is not None and made_by not in makers:
            makers[made_by] = _maker_json(made_by, maker)
        entities.append(
            {
                "id": ids[key],
                "entity": ancestor.entity,
                "run_id": ancestor.run_id,
                "state": ancestor.state,
                "told": ancestor.told,
                "rows": ancestor.rows,
                "bytes": ancestor.bytes,
                "made_by": made_by,
            }
        )
    return {"root": ids[lineage.root], "entities": entities, "made_by": list(makers.values())}


def _maker_json(made_by: str, maker: Maker) -> dict[str, Any]:
    return {
        "id": made_by,
        "step": maker.step,
        "run_id": maker.run_id,
        "substep": maker.substep,
        "executed_in": maker.executed_in or maker.run_id,
        "by_hand": maker.by_hand,
        "time": maker.time,
        "commit": maker.commit,
        "branch": maker.branch,
        "origin": maker.origin,
        "dirty": list(maker.dirty),
        "params": None if maker.params is None else dict(maker.params),
        "inputs": [_key_id(key) for key in maker.inputs],
        "custom_inputs": [{"name": raw.name, "path": raw.path} for raw in maker.raw],
    }


def _key_id(key: Key) -> str:
    return "@".join(key)
