"""Paths that code and parameters name as they stand: watched by the file system's own telling.

Most places that a notebook opens are written in it, or in its parameters: ``"/data/raw"``,
``f"/data/{day}.csv"``. A path that is put together in another way is not found here.
"""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sinara.audit.watch import SYSTEM

MOST_NAMED = 200
_LONGEST = 4096


def named_places(
    sources: Iterable[str], params: Any, step: Path
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the folders and the files out of the step's folder that are named.

    Args:
        sources: Python code; what cannot be read as such is passed over.
        params: Parameters: texts anywhere in them count.
        step: The step's folder, in which a relative path begins.

    Returns:
        Folders that are there, and files, there or not, whose folder is there.
    """
    folders: list[Path] = []
    files: list[Path] = []
    wide = _too_wide(step)
    for text in dict.fromkeys([*_texts_of_code(sources), *_texts(params)]):
        if len(folders) + len(files) >= MOST_NAMED:
            break
        path = _path(text, step)
        if path is None or path in wide or path.is_relative_to(step):
            continue
        try:
            if path.is_dir():
                folders.append(path)
            elif path.parent.is_dir():
                files.append(path)
        except OSError:  # a name that is too long, or a place that may not be looked into
            continue
    return tuple(folders), tuple(files)


def _texts_of_code(sources: Iterable[str]) -> Iterator[str]:
    for source in sources:
        try:
            tree = ast.parse("\n".join("" if _is_magic(x) else x for x in source.split("\n")))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _is_magic(line: str) -> bool:
    return line.lstrip().startswith(("%", "!"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _path(text: str, step: Path) -> Path | None:
    """Return what a text names if it can only be a path out of the step's folder."""
    text = text.removeprefix("file://")
    if len(text) > _LONGEST or "\n" in text or "\0" in text or "://" in text:
        return None
    if not text.startswith(("/", "~/", "../")):
        return None
    path = Path(os.path.normpath(step / Path(text).expanduser()))
    return None if str(path).startswith(SYSTEM) else path


def _too_wide(step: Path) -> set[Path]:
    """Return folders in which much goes on that is not the step's."""
    wide = {Path("/"), Path.home(), Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")}
    return {*wide, *(parent for one in (*wide, step) for parent in one.parents)}
