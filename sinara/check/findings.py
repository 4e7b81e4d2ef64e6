"""One thing that somebody should look at, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One mistake, or one thing that may surprise.

    Attributes:
        severity: ``error`` if a run would fail, ``warning`` if it may surprise.
        file: The file, relative to the step's folder where it lies in it.
        cell: Index of the cell in the notebook, from 0; ``None`` if it is not in a cell.
        line: Line in the cell, or in the file, from 1.
        code: A word that names the kind of finding, for scripts.
        message: One line: what is wrong and what to do.
    """

    severity: Literal["error", "warning"]
    file: str
    cell: int | None
    line: int | None
    code: str
    message: str


def error(
    file: str, code: str, message: str, cell: int | None = None, line: int | None = None
) -> Finding:
    """Return a finding that would make a run fail."""
    return Finding("error", file, cell, line, code, message)


def warning(
    file: str, code: str, message: str, cell: int | None = None, line: int | None = None
) -> Finding:
    """Return a finding that may surprise."""
    return Finding("warning", file, cell, line, code, message)
