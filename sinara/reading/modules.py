"""The step's own modules that a notebook imports, found without importing anything."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sinara.reading.cells import CellSource
from sinara.reading.source import NotPythonError, parse_cell

_MOST = 1000  # modules; a step with more has its virtual environment on the way


def local_modules(cells: Sequence[CellSource], folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each module in a step's folder that its cells import.

    Modules that these import are followed too. What is found on other paths (``sys.path``,
    installed packages) is not looked at.

    Args:
        cells: Of the notebook.
        folder: The step's folder.

    Returns:
        Path relative to the folder -> digest of the file.
    """
    pending: list[Path] = []
    for cell in cells:
        if cell.cell_type == "code":
            try:
                pending += _imported(parse_cell(cell.source), folder, folder)
            except NotPythonError:
                continue
    found: dict[str, str] = {}
    while pending and len(found) < _MOST:
        path = pending.pop()
        name = path.relative_to(folder).as_posix()
        if name in found:
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue
        found[name] = hashlib.sha256(content).hexdigest()
        try:
            pending += _imported(ast.parse(content).body, folder, path.parent)
        except (SyntaxError, ValueError, RecursionError):
            continue
    return dict(sorted(found.items()))


def _imported(body: Iterable[ast.stmt], folder: Path, own: Path) -> Iterator[Path]:
    for node in ast.walk(ast.Module(list(body), [])):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(folder, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = folder if node.level == 0 else _up(own, node.level - 1)
            parts = node.module.split(".") if node.module else []
            if base == folder or folder in base.parents:
                yield from _files(base, parts)
                for alias in node.names:
                    yield from _files(base, [*parts, alias.name])


def _up(folder: Path, levels: int) -> Path:
    for _ in range(levels):
        folder = folder.parent
    return folder


def _files(base: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Yield the files that the import of a dotted name reads: packages on the way, the module."""
    for part in parts:
        if part == "*":
            return
        module, package = base / f"{part}.py", base / part / "__init__.py"
        if package.is_file():
            yield package
        elif module.is_file():
            yield module
            return
        base = base / part
