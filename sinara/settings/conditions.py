"""Conditions on what earlier steps found: ``evaluate.accuracy >= 0.9 and prep.train_set.rows > 0``.

A condition has the grammar of a Python expression, but only this much of it: ``and``, ``or``,
``not``, comparisons, numbers, texts, ``True``, ``False``, and names with dots. It is read into a
tree and never executed as code.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_LONGEST = 1000  # characters
_FORM = 'write it as in "evaluate.accuracy >= 0.9"'


@dataclass(frozen=True)
class Name:
    """A value that an earlier step gave: ``step.metric``, ``step.entity``, ``step.entity.rows``."""

    step: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        """Return it as it is written."""
        return ".".join((self.step, *self.path))


@dataclass(frozen=True)
class Condition:
    """One condition, read.

    Attributes:
        text: As it was written.
        names: Every value that it asks for.
    """

    text: str
    names: tuple[Name, ...]

    def holds(self, value_of: Callable[[Name], Any]) -> bool:
        """Return whether it is true.

        Args:
            value_of: Gives the value of a name.

        Raises:
            ValueError: One line: two values that cannot be compared.
        """
        return bool(_value(ast.parse(self.text.strip(), mode="eval").body, value_of))


def parse_condition(text: object) -> Condition:
    """Return the condition that a text stands for.

    Raises:
        ValueError: One line: what is wrong with it.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{text!r} is not a condition: {_FORM}")
    if len(text) > _LONGEST:
        raise ValueError(f"a condition has at most {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{text!r} is not a condition: {_FORM}") from None
    names = tuple(dict.fromkeys(_names(tree, text)))
    if not names:
        raise ValueError(f"{text!r} asks for no value of a step: {_FORM}")
    return Condition(text.strip(), names)


def _names(node: ast.expr, text: str) -> Iterator[Name]:
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _names(value, text)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield from _names(node.operand, text)
    elif isinstance(node, ast.Compare) and all(type(one) in _COMPARE for one in node.ops):
        for side in (node.left, *node.comparators):
            yield from _names(side, text)
    elif isinstance(node, ast.Attribute):
        yield _name(node, text)
    elif not _is_plain(node):
        raise ValueError(f"{ast.unparse(node)!r} cannot stand in a condition: {_FORM}")


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str)


def _name(node: ast.Attribute, text: str) -> Name:
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        return Name(inner.id, tuple(reversed(parts)))
    if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
        return Name(inner.value, tuple(reversed(parts)))  # "a-name with a hyphen".metric
    raise ValueError(f"{text!r} is not a condition: {_FORM}")


def _value(node: ast.expr, value_of: Callable[[Name], Any]) -> Any:
    if isinstance(node, ast.BoolOp):
        values = (_value(value, value_of) for value in node.values)
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, value_of)
        return -value if isinstance(node.op, ast.USub) else not value
    if isinstance(node, ast.Compare):
        return _compared(node, value_of)
    if isinstance(node, ast.Attribute):
        return value_of(_name(node, ast.unparse(node)))
    return node.value if isinstance(node, ast.Constant) else None


def _compared(node: ast.Compare, value_of: Callable[[Name], Any]) -> bool:
    left = _value(node.left, value_of)
    for how, side in zip(node.ops, node.comparators, strict=True):
        right = _value(side, value_of)
        try:
            if not _COMPARE[type(how)](left, right):
                return False
        except TypeError:
            raise ValueError(f"{left!r} and {right!r} cannot be compared") from None
        left = right
    return True
