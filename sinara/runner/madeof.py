"""What the outcome of a substep depends on beside its inputs, and how two of these differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sinara.errors import CorruptError
from sinara.reading import CellSource
from sinara.reading.checkpoints import code_digests
from sinara.reading.modules import local_modules
from sinara.record import plain
from sinara.runner.prepare import PreparedStep, PreparedSubstep
from sinara.store.codec import seal, unseal

CODE_NAME = "code.json"


@dataclass(frozen=True)
class MadeOf:
    """Code and parameters of one substep.

    Attributes:
        code: SHA-256 of each code cell that is not empty.
        modules: SHA-256 of each module of the step's own that it imports.
        params: All parameters of the run that it sees, as JSON holds them; secrets as references.
        kernel: The kernel that was asked for.
    """

    code: tuple[str, ...]
    modules: dict[str, str]
    params: dict[str, Any]
    kernel: str

    def encode(self, **more: Any) -> bytes:
        """Return it as a sealed file, with whatever else is given."""
        # As a text of its own: a parameter may hold half a character, which UTF-8 does not.
        return seal({"made_of": json.dumps(plain(asdict(self))), **more})[0]


def made_of(
    prepared: PreparedStep, substep: PreparedSubstep, cells: Sequence[CellSource]
) -> MadeOf:
    """Return what a substep is made of now.

    Args:
        prepared: The step.
        substep: Which of its substeps.
        cells: Its cells.
    """
    params = prepared.params
    kernel = substep.metadata.get("kernelspec") or {}
    return MadeOf(
        code_digests(cells),
        local_modules(cells, prepared.folder),
        {
            "pipeline_params": plain(params.pipeline_params),
            "step_params": plain(params.step_params),
            "substep_params": plain(substep.given),
        },
        str(params.kernel_name or kernel.get("name") or ""),
    )


def read_sealed(path: Path) -> tuple[MadeOf, dict[str, Any]]:
    """Return what a sealed file says of a substep, and all that it holds.

    Raises:
        CorruptError: If it is damaged or not there.
    """
    try:
        body, _ = unseal(path.read_bytes(), str(path))
        told = json.loads(body["made_of"])
        made = MadeOf(tuple(told["code"]), told["modules"], told["params"], told["kernel"])
    except OSError as error:
        raise CorruptError(f"{path} cannot be read: {error.strerror}.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"{path} is damaged: {error}.") from None
    return made, body


def difference(old: MadeOf, new: MadeOf, places: Sequence[int], *, cells: int | None = None) -> str:
    """Return the first thing in which two differ, as a clause; empty if they do not.

    Args:
        old: What ran.
        new: What is to run now.
        places: Index of each cell of ``new.code`` in the notebook, from 0, for the text.
        cells: How many of the cells count; ``None`` for all.
    """
    before, now = old.code[:cells], new.code[:cells]
    for at, (one, other) in enumerate(zip(before, now, strict=False)):
        if one != other:
            return f"cell {places[at] + 1} was changed since"
    if len(before) != len(now):
        return "cells were added since" if len(now) > len(before) else "cells were removed since"
    for kind, given in new.params.items():
        if name := _first_difference(old.params.get(kind, {}), given):
            return f"parameter '{name}' was changed since"
    if name := _first_difference(old.modules, new.modules):
        return f"{name}, which it imports, was changed since"
    return "" if old.kernel == new.kernel else f"its kernel was '{old.kernel}' then"


def _first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    for name in sorted({*one, *other}):
        if name not in one or name not in other or one[name] != other[name]:
            return name
    return ""
