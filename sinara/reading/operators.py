"""Operators on known values: exact where the result is small and certain, refused elsewhere."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from sinara.reading import functions
from sinara.reading.values import MAX_ITEMS, Budget, Known, Substep, UnreadableError

NUMBERS = (int, float, bool)
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitOr: operator.or_,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
_SAME_KIND: dict[type[ast.operator], tuple[type, ...]] = {
    ast.Add: (str, list, tuple),
    ast.BitOr: (dict, set),
    ast.Sub: (set,),
}


def arithmetic(op: ast.operator, left: Any, right: Any, budget: Budget) -> Any:
    """Return ``left op right`` for numbers, texts, lists, tuples, sets and dictionaries."""
    if isinstance(op, ast.Mod) and isinstance(left, str):
        return functions.percent(left, right, budget)
    numbers = type(left) in NUMBERS and type(right) in NUMBERS
    if numbers:
        if isinstance(op, ast.Pow) and not (abs(right) <= 64 and abs(left) <= 2**32):
            raise UnreadableError("the number is too large to be read")
    elif isinstance(op, ast.Mult):
        several, count = (left, right) if type(right) is int else (right, left)
        if type(several) not in (str, list, tuple) or type(count) is not int:
            raise UnreadableError("it is known only when the notebook runs")
        if len(several) * count > MAX_ITEMS:
            raise UnreadableError("it is too long to be read")
    elif type(left) is not type(right) or type(left) not in _SAME_KIND.get(type(op), ()):
        raise UnreadableError("it is known only when the notebook runs")
    if type(op) not in _ARITHMETIC:
        raise UnreadableError("it is known only when the notebook runs")
    return budget.bounded(_ARITHMETIC[type(op)](left, right))


def holds(op: ast.cmpop, left: Any, right: Any, budget: Budget) -> bool:
    """Return whether ``left op right``."""
    if isinstance(op, ast.Is | ast.IsNot):
        if not any(value is None or isinstance(value, bool) for value in (left, right)):
            raise UnreadableError("whether two values are one object is known only in a run")
        return (left is right) is isinstance(op, ast.Is)
    budget.plain(left)
    looks_up = isinstance(op, ast.In | ast.NotIn) and type(right) in (dict, type({}.keys()))
    if not looks_up:
        budget.plain(right)
    return bool(_COMPARISONS[type(op)](left, right))


def truth(value: Any) -> bool:
    """Return whether a known value counts as true."""
    if isinstance(value, Known | Substep):
        raise UnreadableError("whether it is true is known only when the notebook runs")
    return bool(value)
