"""The cells of a notebook or a module, from the bytes of the file alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.errors import NotebookError

_FILE_LIMIT = 512 * 1024 * 1024  # bytes: a notebook that still has its outputs may be large
_MODULE_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True)
class CellSource:
    """What is read of one cell.

    Attributes:
        index: Its place in the notebook, from 0.
        cell_type: ``code``, ``markdown`` or ``raw``.
        source: Its text.
        tags: Its tags, in the order of the file.
    """

    index: int
    cell_type: str
    source: str
    tags: tuple[str, ...] = ()


def read_cells(path: Path) -> tuple[CellSource, ...]:
    """Return the cells of a notebook; a ``.py`` file is one code cell.

    Raises:
        NotebookError: One line, if the file is no notebook of format 4 or no text.
    """
    limit = _MODULE_LIMIT if path.suffix == ".py" else _FILE_LIMIT
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise NotebookError(f"{path}: cannot be read: {error.strerror}.") from None
    if len(content) > limit:
        raise NotebookError(f"{path}: is larger than {limit // 1024**2} MB. Clear its outputs.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotebookError(f"{path}: byte {error.start} is not UTF-8. Save it as UTF-8.") from None
    if path.suffix == ".py":
        return (CellSource(0, "code", text.replace("\r\n", "\n")),)
    return cells_of(read_notebook_json(text, path), path)


def read_notebook_json(text: str, path: Path) -> dict[str, Any]:
    """Return the JSON object of a notebook's text.

    Raises:
        NotebookError: One line, if it is no JSON or no notebook of format 4.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotebookError(f"{path}: is no notebook: {error.msg} at {place}.") from None
    except (RecursionError, ValueError):
        raise NotebookError(f"{path}: is no notebook: its JSON cannot be read.") from None
    if not isinstance(document, dict):
        raise NotebookError(f"{path}: is no notebook: it is not a JSON object.")
    if "worksheets" in document or document.get("nbformat") in (1, 2, 3):
        raise NotebookError(f"{path}: is a notebook of an old format. Save it in JupyterLab once.")
    if not isinstance(document.get("cells"), list):
        raise NotebookError(f"{path}: is no notebook: it has no list of cells.")
    return document


def cells_of(document: Mapping[str, Any], path: Path) -> tuple[CellSource, ...]:
    """Return the cells of a notebook's JSON object.

    Raises:
        NotebookError: One line, if a cell is no cell.
    """
    return tuple(_cell(index, cell, path) for index, cell in enumerate(document["cells"]))


def _joined(lines: list[Any]) -> str | None:
    try:
        return "".join(lines)
    except TypeError:
        return None


def _cell(index: int, cell: Any, path: Path) -> CellSource:
    if isinstance(cell, dict):
        source = cell.get("source", "")
        if isinstance(source, list):
            source = _joined(source)
        kind = cell.get("cell_type")
        if isinstance(source, str) and isinstance(kind, str):
            metadata = cell.get("metadata")
            tags = metadata.get("tags") if isinstance(metadata, dict) else None
            named = tuple(t for t in tags if isinstance(t, str)) if isinstance(tags, list) else ()
            return CellSource(index, kind, source.replace("\r\n", "\n"), named)
    raise NotebookError(f"{path}: is no notebook: its cell {index + 1} has no type or no source.")
