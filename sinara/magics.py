"""Magics for the notebooks of a step: ``%load_ext sinara``, then ``%sinara graph``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sinara.errors import SinaraError, UsageError, suggest

VERBS = ("graph", "check")


def register(shell: Any) -> None:
    """Add ``%sinara`` to a shell of IPython."""
    shell.register_magic_function(sinara_magic, "line", "sinara")


def sinara_magic(line: str) -> Any:
    """Show the graph of this pipeline (``%sinara graph``), or look for mistakes (``check``).

    Returns:
        The picture, for ``graph``: the cell shows it.
    """
    verb, *more = line.split() or [""]
    try:
        if more or verb not in VERBS:
            hint = suggest(verb, VERBS)
            raise UsageError(f"Write %sinara graph or %sinara check. {hint}".rstrip())
        if verb == "graph":
            return _graph()
        sys.stdout.write(_check())
    except SinaraError as error:
        sys.stderr.write("\n".join([*error.lines, ""]))
    return None


def _graph() -> Any:
    from sinara.draw import Picture
    from sinara.graph import read_graph, read_history

    graph = read_graph(Path.cwd())
    return Picture(graph, read_history(graph))


def _check() -> str:
    """Return what is wrong with the step around the notebook, and with its pipeline."""
    from sinara.check import check_step
    from sinara.draw.text import one_line
    from sinara.graph import is_step, read_graph

    folder = Path.cwd()
    found = []
    if is_step(folder):
        for finding in check_step(folder):
            cell = "" if finding.cell is None else f", cell {finding.cell + 1}"
            found.append(f"{finding.severity}: {finding.file}{cell}: {finding.message}")
    found += [f"{problem.severity}: {problem.text}" for problem in read_graph(folder).problems]
    return "\n".join([*map(one_line, found), ""]) if found else "Nothing found.\n"
