"""What a piece of code imports, read off its tree."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from sinara.reading.source import NotPythonError, parse_cell


@dataclass(frozen=True)
class Import:
    """One import statement.

    Attributes:
        module: Dotted name of the module; empty in ``from . import x``.
        names: What is taken from it; none of a plain ``import``.
        level: Of a relative import, how many dots there are.
    """

    module: str
    names: tuple[str, ...] = ()
    level: int = 0


@dataclass(frozen=True)
class Imports:
    """All imports of a piece of code.

    Attributes:
        found: The statements, in no order that counts.
        paths: Folders that it adds to ``sys.path`` by a plain text.
    """

    found: tuple[Import, ...] = ()
    paths: tuple[str, ...] = ()


@functools.lru_cache(maxsize=4096)  # the notebooks of a pipeline share most of their cells
def imports_of_cell(source: str) -> Imports:
    """Return what a cell imports; nothing if it is no Python."""
    try:
        return _imports(parse_cell(source))
    except NotPythonError:
        return Imports()


def imports_of_module(content: bytes) -> Imports:
    """Return what a Python file imports; nothing if it cannot be parsed."""
    try:
        return _imports(ast.parse(content).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Imports()


def _imports(body: Iterable[ast.stmt]) -> Imports:
    found, paths = [], []
    for node in ast.walk(ast.Module(list(body), [])):
        if isinstance(node, ast.Import):
            found += [Import(alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append(Import(node.module or "", names, node.level))
        elif isinstance(node, ast.Call) and (path := _added_path(node)):
            paths.append(path)
    return Imports(tuple(found), tuple(paths))


def _added_path(node: ast.Call) -> str:
    """Return the text that a call adds to ``sys.path``; empty if it is no such call."""
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in ("append", "insert"):
        return ""
    of = function.value
    is_path = (
        isinstance(of, ast.Attribute)
        and of.attr == "path"
        and isinstance(of.value, ast.Name)
        and of.value.id == "sys"
    )
    last = node.args[-1] if node.args else None
    if is_path and isinstance(last, ast.Constant) and isinstance(last.value, str):
        return last.value
    return ""
