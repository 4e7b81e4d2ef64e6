"""The interface of a substep, read off its notebook: nothing is executed or imported.

The cells are followed in order, as a run would, but only where the outcome is certain:
constants, texts, lists and dictionaries, lookups in the given parameters, names that were set
from such values, loops over them. Whatever else a cell does makes the names that it could
touch unknown. An interface that needs an unknown value is reported as unreadable, with its
cell and line; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sinara.interface import Interface
from sinara.reading.cells import CellSource, cells_of, read_cells, read_notebook_json
from sinara.reading.given import Given
from sinara.reading.shape import check_shape
from sinara.reading.source import NotPythonError, parse_cell
from sinara.reading.statements import Follower
from sinara.reading.values import Stop, UnreadableError

__all__ = [
    "INJECTED_TAG",
    "PARAMETERS_TAGS",
    "CellSource",
    "InterfaceReading",
    "NotPythonError",
    "ReadingProblem",
    "cells_of",
    "check_shape",
    "parse_cell",
    "read_cells",
    "read_interface",
    "read_notebook_json",
]

PARAMETERS_TAGS = ("parameters", "params")
INJECTED_TAG = "injected-parameters"


@dataclass(frozen=True)
class ReadingProblem:
    """Why there is no interface to give.

    Attributes:
        cell: Index of the cell, from 0.
        line: Line in the cell, from 1.
        text: One line that says why.
        certain: A run would fail here; otherwise only a run can tell.
    """

    cell: int
    line: int
    text: str
    certain: bool = False


@dataclass(frozen=True)
class InterfaceReading:
    """What was read.

    Attributes:
        interface: The interface that a run will declare; ``None`` if there is no declaration,
            or if there are problems.
        problems: Why a declaration that is there could not be read.
    """

    interface: Interface | None = None
    problems: tuple[ReadingProblem, ...] = ()


def read_interface(
    cells: Sequence[CellSource],
    *,
    pipeline_params: Mapping[str, Any] | None = None,
    step_params: Mapping[str, Any] | None = None,
    substep_params: Mapping[str, Any] | None = None,
) -> InterfaceReading:
    """Return the interface that a notebook will declare in a run with the given parameters.

    Args:
        cells: All cells, see :func:`read_cells`.
        pipeline_params: What ``get_pipeline_params()`` returns in that run; ``None`` if that is
            not known.
        step_params: What ``get_step_params()`` returns.
        substep_params: The values that the run gives: in the annotated form by name, in the
            classic form the dictionary itself. ``None`` leaves the notebook's own values.

    Returns:
        The interface, or the problems. The last declaration counts, as in a run.
    """
    code = [cell for cell in cells if cell.cell_type == "code"]
    declaring = [place for place, cell in enumerate(code) if "interface" in cell.source]
    if not declaring:
        return InterfaceReading()
    code = code[: declaring[-1] + 1]
    given = Given(
        pipeline_params, step_params, substep_params, "\n".join(cell.source for cell in code)
    )
    follower = Follower(given.answer)
    found = follower.declarations
    try:
        _follow(follower, given, code, injecting=substep_params is not None)
    except Stop:
        pass
    except UnreadableError as error:  # the work that one reading may take is used up
        found.fail(1, error.why)
    found.finish()
    problems = tuple(ReadingProblem(*problem) for problem in found.problems)
    return InterfaceReading(None if problems else found.interface, problems)


def _follow(
    follower: Follower, given: Given, code: Sequence[CellSource], *, injecting: bool
) -> None:
    tag = next((t for t in PARAMETERS_TAGS if any(t in cell.tags for cell in code)), None)
    if tag is None:
        follower.set_names(given.injected([]))
    for cell in code:
        if injecting and INJECTED_TAG in cell.tags:  # a run replaces what an earlier one left
            continue
        body = follower.follow_cell(cell.index, cell.source)
        if tag in cell.tags:
            follower.set_names(given.injected(body))
            tag = None
