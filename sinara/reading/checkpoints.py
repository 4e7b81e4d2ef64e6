"""Checkpoint cells, read off a notebook: where they are, and what they name.

A code cell tagged ``checkpoint`` ends with the names of the variables to save::

    model, history

By hand that shows the values, as any cell does. In a run they are saved.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sinara.reading.cells import CellSource
from sinara.reading.source import NotPythonError, parse_cell

CHECKPOINT_TAG = "checkpoint"
_INJECTED = "injected-parameters"
# Tags that change what a cell does; all others may come and go.
TAGS_THAT_COUNT = frozenset(
    {CHECKPOINT_TAG, "parameters", "params", "skip-execution", "raises-exception"}
)
_FORM = "has to name the variables to save and nothing else, as in: model, history"


@dataclass(frozen=True)
class CheckpointCell:
    """One cell that is tagged ``checkpoint``.

    Attributes:
        index: Of the cell in the notebook, from 0.
        names: The variables to save, in their order.
        line: Of what is wrong with it, from 1.
        problem: What is wrong with it; empty if nothing is.
    """

    index: int
    names: tuple[str, ...] = ()
    line: int = 1
    problem: str = ""


def find_checkpoints(cells: Sequence[CellSource]) -> tuple[CheckpointCell, ...]:
    """Return the checkpoint cells of a notebook, in order."""
    return tuple(
        _read(cell)
        for cell in cells
        if cell.cell_type == "code"
        and CHECKPOINT_TAG in cell.tags
        and "skip-execution" not in cell.tags
    )


def _read(cell: CellSource) -> CheckpointCell:
    try:
        body = parse_cell(cell.source)
    except NotPythonError as error:
        why = f"the checkpoint cell is no Python: {error.text}"
        return CheckpointCell(cell.index, line=error.line, problem=why)
    if not body:
        return CheckpointCell(cell.index, problem=f"the checkpoint cell is empty: it {_FORM}")
    last = body[-1]
    value = last.value if isinstance(last, ast.Expr) else None
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    if not names or len(names) != len(parts):
        why = f"the last line of a checkpoint cell {_FORM}"
        return CheckpointCell(cell.index, line=last.lineno, problem=why)
    return CheckpointCell(cell.index, tuple(dict.fromkeys(names)))


def counted(cells: Sequence[CellSource]) -> tuple[CellSource, ...]:
    """Return the code cells that a digest covers: not empty ones, nor what a run injected."""
    return tuple(
        cell
        for cell in cells
        if cell.cell_type == "code" and cell.source.strip() and _INJECTED not in cell.tags
    )


def code_digests(cells: Sequence[CellSource]) -> tuple[str, ...]:
    """Return the SHA-256 of each counted cell: of its exact source, and of the tags that count."""
    return tuple(_digest(cell) for cell in counted(cells))


def tags_that_count(cell: CellSource) -> frozenset[str]:
    """Return the tags of a cell that change what it does."""
    return TAGS_THAT_COUNT.intersection(cell.tags)


def _digest(cell: CellSource) -> str:
    told = [cell.source, sorted(tags_that_count(cell))]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
