"""From what an execution says to what a run says: with the substep, and what is usual."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from sinara.runner.estimate import Usual
from sinara.runner.events import Listener, RunEvent

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from sinara.execute import ExecuteEvent


def teller(
    substep: str,
    listener: Listener,
    usual: Callable[[], Usual],
    began: float,
    notebook: NotebookNode | None = None,
) -> Callable[[ExecuteEvent], None]:
    """Return what an execution is to call for everything that happens in it.

    Args:
        substep: The substep's name.
        listener: Is told.
        usual: Gives how long the substep took before; asked once, when something happens.
        began: When the substep began, s, monotonic: its kernel starts before anything is executed.
        notebook: What is executed; None for a module, whose only cell is all of it.
    """
    cells = None if notebook is None else len(notebook.cells)

    @cache
    def known() -> Usual:
        if notebook is None:
            return usual()
        code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        return usual().for_cells(code)

    def tell(event: ExecuteEvent) -> None:
        if event.kind == "end":  # its cells are over; how the substep ended, its outputs decide
            return
        seconds = event.seconds if event.kind == "cell_end" else time.monotonic() - began
        told = RunEvent(
            event.kind, substep, event.cell, seconds, event.stream, event.text, event.status
        )
        if event.kind == "kernel":
            told = replace(told, of=cells, usual=known().seconds)
        elif event.kind == "cell_start" and event.cell is not None:
            more = known().cell(event.cell), known().left(event.cell)
            told = replace(told, of=cells, usual=more[0], left=more[1])
        listener(told)

    return tell
