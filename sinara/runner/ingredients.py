"""What the outcome of a substep follows from, and how that differs from one time to another.

Two executions with the same ingredients give the same outputs, as far as the code is deterministic
and reads nothing that is not declared. So the outputs of the first can stand for the second's.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sinara.interface import InputRef, Interface
from sinara.names import StepName, full_name
from sinara.packages import installed
from sinara.packages.fingerprint import fingerprint
from sinara.reading import CellSource
from sinara.reading.meaning import cell_meanings
from sinara.reading.modules import imported
from sinara.record import plain
from sinara.runner.inputs import producer
from sinara.runner.prepare import PreparedStep, PreparedSubstep

FILE_NAME = "ingredients.json"
DigestOf = Callable[[InputRef], str | None]
_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Ingredients:
    """Everything that counts.

    Attributes:
        cells: Index in the notebook, from 0, and digest of each cell that does something.
        modules: Digest of each module of the step's own that it imports.
        params: All parameters that it sees, as JSON holds them; secrets as references.
        kernel: The kernel, and the version of its Python.
        packages: Version of each installed package that it rests on.
        inputs: Digest of the content of each input, by its full name; ``None``: not known yet.
        customs: State of each custom input, by its path; ``None``: nobody can tell.
        left: State in which each custom output was left, by its path. Not part of the key.
    """

    cells: tuple[tuple[int, str], ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    kernel: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    customs: Mapping[str, str | None] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that counts; empty if something of it is not known."""
        if None in self.inputs.values() or None in self.customs.values():
            return ""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        told |= {"left": {}, "cells": [digest for _, digest in self.cells]}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def encode(self) -> bytes:
        """Return it as a file of JSON."""
        told = {"schema_version": _SCHEMA_VERSION, "key": self.key, **asdict(self)}
        return json.dumps(told, indent=1, sort_keys=True).encode()


def decode(data: bytes) -> Ingredients | None:
    """Return the ingredients in a file; ``None`` if it holds none that this version can read."""
    try:
        told = json.loads(data)
        if told.pop("schema_version") != _SCHEMA_VERSION:
            return None
        key = told.pop("key")
        cells = tuple((int(index), str(digest)) for index, digest in told.pop("cells"))
        found = Ingredients(cells=cells, **told)
    except (ValueError, KeyError, TypeError):
        return None
    return found if found.key == key else None


def ingredients_of(
    prepared: PreparedStep, substep: PreparedSubstep, cells: Sequence[CellSource]
) -> Ingredients:
    """Return what a substep is made of now, but for its inputs.

    Args:
        prepared: The step.
        substep: Which of its substeps.
        cells: Its cells.
    """
    params, folder = prepared.params, prepared.folder
    interpreter, kernel = _kernel(substep)
    found = imported(cells, folder)
    return Ingredients(
        cells=cell_meanings(cells),
        modules=found.modules,
        params={
            "pipeline_params": plain(params.pipeline_params),
            "step_params": plain(params.step_params),
            "substep_params": plain(substep.given),
        },
        kernel=kernel,
        packages=installed(interpreter).of(found.names),
    )


def with_inputs(
    ingredients: Ingredients, interface: Interface, folder: Path, own: StepName, digest_of: DigestOf
) -> Ingredients:
    """Return the ingredients with all that the substep reads.

    Args:
        ingredients: Without it.
        interface: What the substep declares.
        folder: The step's folder: custom paths may be relative to it.
        own: The step.
        digest_of: Gives the digest of an input's content, if it is known.
    """
    inputs = {}
    for ref in interface.inputs:
        name = full_name(producer(ref, own), ref.entity_name)
        inputs[f"{name}@{ref.run_id}" if ref.run_id else name] = digest_of(ref)
    customs = {ref.path: _state(ref.path, folder) for ref in interface.custom_inputs}
    return replace(ingredients, inputs=inputs, customs=customs)


def with_left(ingredients: Ingredients, interface: Interface, folder: Path) -> Ingredients:
    """Return the ingredients with the state in which custom outputs are now."""
    left = {ref.path: _state(ref.path, folder) or "" for ref in interface.custom_outputs}
    return replace(ingredients, left=left)


def differences(old: Ingredients, new: Ingredients) -> tuple[str, ...]:
    """Return in what two differ, the most telling first; each a clause of one line.

    Args:
        old: What ran.
        new: What would run now.
    """
    return (
        *_cells(old, new),
        *_each(old.modules, new.modules, "{name}, which it imports, {how}"),
        *_params(old, new),
        *_each(old.inputs, new.inputs, "input {name} has new content", "input {name} {how}"),
        *_each(old.customs, new.customs, "custom input {name} was changed", "{name} {how}"),
        *_packages(old.packages, new.packages),
        *((f"kernel {old.kernel} → {new.kernel}",) if old.kernel != new.kernel else ()),
    )


def _state(path: str, folder: Path) -> str | None:
    """Return the state of a custom path; ``None`` if it is on no disk of this machine."""
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    return None if "://" in path else fingerprint(folder / path)


def _kernel(substep: PreparedSubstep) -> tuple[str, str]:
    """Return the interpreter of a substep's kernel, and what the kernel is called."""
    version = ".".join(platform.python_version_tuple()[:2])
    spec = substep.kernel
    if spec is None:
        return sys.executable, f"Python {version}"
    own = spec.command(Path())[0] == sys.executable
    name = f"{spec.name} (Python {version})" if own else f"{spec.name} ({spec.argv[0]})"
    return (sys.executable if own else spec.argv[0]), name


def _cells(old: Ingredients, new: Ingredients) -> Iterator[str]:
    before, now = [d for _, d in old.cells], [d for _, d in new.cells]
    if before == now:
        return
    if sorted(before) == sorted(now):
        yield "its cells are in another order"
        return
    changed = [index + 1 for index, digest in new.cells if digest not in before]
    gone = [digest for digest in before if digest not in now]
    if changed:
        yield f"cell {_listed(changed)} {'is' if len(changed) == 1 else 'are'} new or changed"
    elif len(gone) == 1:
        yield "a cell was removed"
    else:
        yield f"{len(gone)} cells were removed"


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return shown if len(numbers) <= 5 else f"{shown} and {len(numbers) - 5} more"


def _params(old: Ingredients, new: Ingredients) -> Iterator[str]:
    for kind, given in new.params.items():
        before = old.params.get(kind, {})
        for name in sorted({*before, *given}):
            if name not in before:
                yield f"parameter {name} is new: {_value(given[name])}"
            elif name not in given:
                yield f"parameter {name} is gone: it was {_value(before[name])}"
            elif before[name] != given[name]:
                yield f"parameter {name}: {_value(before[name])} → {_value(given[name])}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _packages(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"package {name} {old.get(name, 'none')} → {new.get(name, 'none')}"


def _each(
    old: Mapping[str, Any], new: Mapping[str, Any], changed: str, other: str = ""
) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield (other or changed).format(name=name, how="is new")
        elif name not in new:
            yield (other or changed).format(name=name, how="is not used any more")
        elif old[name] != new[name] and new[name] is not None:
            yield changed.format(name=name, how="was changed")
