"""Cells as Python that ``ast`` can read, and constants read off it; nothing is executed."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

_MAGIC_LINE = re.compile(r"^(\s*)(?:[%!?,;/]|\w[\w.]*\s*\?{1,2}\s*$)")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w.,\s]+=\s*)[%!].*$")
# Cell magics whose body is Python that runs in the notebook's own namespace.
_PYTHON_CELL_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
UNKNOWN = object()


class NotPythonError(ValueError):
    """A cell that cannot be read as Python; ``line`` counts from 1."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def parse(source: str) -> ast.Module:
    """Return the syntax tree of a cell, with IPython's own lines left out of it.

    Line numbers stay those of the cell.

    Raises:
        NotPythonError: If what is left is no Python, or the cell belongs to another language.
    """
    first = source.lstrip().split(maxsplit=1)[:1]
    if first and first[0].startswith("%%") and first[0] not in _PYTHON_CELL_MAGICS:
        raise NotPythonError(f"the cell begins with {first[0]}", 1)
    try:
        return _parse(source)
    except NotPythonError:
        return _parse(without_magics(source))


def without_magics(source: str) -> str:
    """Return the source with each line that only IPython understands replaced by ``pass``."""
    lines = []
    goes_on = False
    for line in source.split("\n"):
        magic = None if goes_on else _MAGIC_LINE.match(line)
        assigned = None if goes_on else _ASSIGNED_MAGIC.match(line)
        if goes_on:
            lines.append("")
        elif magic:
            lines.append(f"{magic.group(1)}pass")
        elif assigned:
            lines.append(f"{assigned.group(1)}...")
        else:
            lines.append(line)
        goes_on = bool(goes_on or magic or assigned) and line.rstrip().endswith("\\")
    return "\n".join(lines)


def _parse(source: str) -> ast.Module:
    try:
        with warnings.catch_warnings():  # "\d" in a cell is the notebook's affair
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        raise NotPythonError(error.msg or "invalid syntax", error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotPythonError(f"too deep or no text: {type(error).__name__}") from None


def constant(node: ast.expr | None) -> Any:
    """Return the value of a literal, with ``60 * 60`` and ``10**6`` worked out.

    Returns:
        The value, or :data:`UNKNOWN` if only running the cell would tell.
    """
    if node is None:
        return UNKNOWN
    if isinstance(node, ast.BinOp):
        return _arithmetic(node.op, constant(node.left), constant(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = constant(node.operand)
        return -value if type(value) in (int, float) else UNKNOWN
    if isinstance(node, ast.Dict):
        if None in node.keys:
            return UNKNOWN
        keys, values = [constant(key) for key in node.keys], [constant(v) for v in node.values]
        if any(item is UNKNOWN for item in values) or not all(isinstance(k, str) for k in keys):
            return UNKNOWN
        return dict(zip(keys, values, strict=True))
    if isinstance(node, ast.List):
        items = [constant(item) for item in node.elts]
        return UNKNOWN if any(item is UNKNOWN for item in items) else items
    try:
        value = ast.literal_eval(node)
        return UNKNOWN if value is ... else value  # `...` stands for what is not told
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    numbers = type(left) in (int, float) and type(right) in (int, float)
    if numbers and abs(left) < 2**64 and abs(right) < 2**64:
        try:
            if isinstance(op, ast.Add):
                return left + right
            if isinstance(op, ast.Sub):
                return left - right
            if isinstance(op, ast.Mult):
                return left * right
            if isinstance(op, ast.Div):
                return left / right
            if isinstance(op, ast.Pow) and abs(right) <= 64 and abs(left) <= 1024:
                value = left**right
                return value if isinstance(value, int | float) else UNKNOWN
        except (ArithmeticError, ValueError):
            return UNKNOWN
    if isinstance(op, ast.Add) and isinstance(left, str) and isinstance(right, str):
        return left + right
    return UNKNOWN
