"""Names that would be missing if a run were resumed at a checkpoint, found without running it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sinara.reading.again import Known, root, runs_again, runs_whole, statements
from sinara.reading.cells import CellSource
from sinara.reading.checkpoints import CheckpointCell, find_checkpoints
from sinara.reading.uses import Flow, bound_names

_ALWAYS_THERE = frozenset(dir(builtins)) | {
    "get_ipython", "display", "exit", "quit", "__name__", "__doc__", "__builtins__", "__file__",
}  # fmt: skip


@dataclass(frozen=True)
class Missing:
    """A name that is used after a checkpoint and that nothing gives back."""

    cell: int  # index in the notebook, from 0
    line: int
    name: str


@dataclass(frozen=True)
class CheckpointFinding:
    """Something about a checkpoint that somebody should look at.

    Attributes:
        cell: Index of the cell in the notebook, from 0.
        line: Line in the cell, from 1.
        text: One line: what is wrong and what to do.
        certain: The notebook cannot be run so; otherwise it only cannot be resumed there.
    """

    cell: int
    line: int
    text: str
    certain: bool = False


@dataclass
class _Above:
    """What is known of the cells above a checkpoint."""

    flow: Flow
    where: dict[str, int] = field(default_factory=dict)  # name that runs again -> its cell
    changed: set[str] = field(default_factory=set)  # bound or changed by what does not run again


def missing_names(cells: Sequence[CellSource], checkpoint: CheckpointCell) -> tuple[Missing, ...]:
    """Return the names that cells need after a checkpoint and that would not be there.

    Args:
        cells: All cells of the notebook.
        checkpoint: A checkpoint cell without a problem.
    """
    code = [cell for cell in cells if cell.cell_type == "code"]
    above = _follow_above([c for c in code if c.index <= checkpoint.index])
    if above.flow.star:
        return ()
    saved = set(checkpoint.names)
    above.flow.there -= above.changed - saved
    above.flow.there |= saved
    found: list[Missing] = []
    used: set[str] = set()
    flow = above.flow
    for cell in (c for c in code if c.index > checkpoint.index):
        flow.missing, flow.used, before = [], set(), len(flow.on_call)
        flow.follow(statements(cell))
        if flow.star:
            break
        found += [Missing(cell.index, use.line, use.name) for use in flow.missing]
        used |= flow.used
        for name in list(flow.on_call)[before:]:
            above.where.setdefault(name, cell.index)
    found += _missing_on_call(above, used - saved)
    return tuple(dict.fromkeys(item for item in found if item.name not in _ALWAYS_THERE))


def checkpoint_findings(cells: Sequence[CellSource]) -> Iterator[CheckpointFinding]:
    """Yield what is wrong with the checkpoint cells of a notebook, and what a resume would miss."""
    for checkpoint in find_checkpoints(cells):
        if checkpoint.problem:
            text = f"{checkpoint.problem}."
            yield CheckpointFinding(checkpoint.index, checkpoint.line, text, certain=True)
            continue
        for item in missing_names(cells, checkpoint):
            yield CheckpointFinding(
                item.cell,
                item.line,
                f"it uses '{item.name}', which the checkpoint in cell {checkpoint.index + 1} does "
                "not save: a run cannot be resumed there. Add it to the checkpoint's names.",
            )


def _follow_above(cells: Sequence[CellSource]) -> _Above:
    above = _Above(Flow(set(_ALWAYS_THERE)))
    known = Known()
    for cell in cells:
        body = statements(cell)
        whole = runs_whole(cell)
        again = runs_again(body, known)
        for statement in body:
            before = set(above.flow.there)
            if whole or statement in again:
                above.flow.follow([statement])
                for name in above.flow.there - before:
                    above.where[name] = cell.index
            else:
                above.changed |= set(_touched(statement))
    return above


def _missing_on_call(above: _Above, used: set[str]) -> Iterator[Missing]:
    """Follow functions into what they call; yield names that are not there by the end."""
    pending, seen = sorted(used), set(used)
    while pending:
        name = pending.pop()
        for use in above.flow.on_call.get(name, ()):
            if use.name not in above.flow.there:
                yield Missing(above.where.get(name, 0), use.line, use.name)
            elif use.name not in seen:
                seen.add(use.name)
                pending.append(use.name)


def _touched(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds, or of whose object it sets an attribute or item."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield root(node)
    flow = Flow(set())
    flow.follow([statement])
    yield from flow.there
    yield from (
        n for node in ast.walk(statement) for n in bound_names(getattr(node, "target", None))
    )
