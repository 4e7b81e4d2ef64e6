"""Digests of code by what it does: comments, blank lines and formatting have no say."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Sequence

from sinara.reading.cells import CellSource
from sinara.reading.checkpoints import counted, tags_that_count
from sinara.reading.source import NotPythonError, parse_cell

_OF_IPYTHON = re.compile(r"^\s*(?:[\w., ]+=\s*)?[%!?]|\?\s*$", re.MULTILINE)


def cell_meanings(cells: Sequence[CellSource]) -> tuple[tuple[int, str], ...]:
    """Return the index and the digest (SHA-256) of each cell that does something.

    Args:
        cells: Of a notebook. What a run injected is left out, and so are cells in which there
            is nothing but comments.
    """
    found = []
    for cell in counted(cells):
        told = _meaning(cell.source)
        if told:
            tags = ",".join(sorted(tags_that_count(cell)))
            found.append((cell.index, _digest(f"{tags}\n{told}")))
    return tuple(found)


def module_meaning(content: bytes) -> str:
    """Return the digest (SHA-256) of a Python file; of its bytes, if it cannot be parsed."""
    try:
        return _digest(_dump(ast.parse(content).body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return hashlib.sha256(content).hexdigest()


@functools.lru_cache(maxsize=4096)  # the notebooks of a pipeline share most of their cells
def _meaning(source: str) -> str:
    if _OF_IPYTHON.search(source):  # magics are texts to us: what they mean is known to IPython
        return "\n".join(line.rstrip() for line in source.strip().splitlines())
    try:
        return _dump(parse_cell(source))
    except NotPythonError:
        return source.strip()


def _dump(body: Sequence[ast.stmt]) -> str:
    return "\n".join(map(ast.dump, body))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
