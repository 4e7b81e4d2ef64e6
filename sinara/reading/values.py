"""What an expression of a notebook may stand for when nothing is executed, and its bounds.

Known values are plain Python values. What only a run can tell is an :class:`Unknown`, which
may sit inside a known list or dictionary; whoever needs it gets :class:`UnreadableError`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_STEPS = 50_000  # expressions looked at in one notebook
MAX_TEXT = 100_000  # characters of one text
MAX_ITEMS = 10_000  # items of one list, dictionary or range
MAX_DEPTH = 60  # expressions inside expressions, lists inside lists
MAX_INT = 2**64
_SCALARS = (str, int, float, bool, type(None), bytes, complex)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_ITERATORS: tuple[type, ...] = (type(iter([])),)


class UnreadableError(Exception):
    """An expression that only a run can tell; the text says why, the node says where."""

    def __init__(self, why: str, node: ast.AST | None = None, cell: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.node = node
        self.cell = cell


class Stop(Exception):
    """The notebook goes no further."""


@dataclass(frozen=True, eq=False)
class Unknown:
    """The value of what could not be read: an expression, or a name that anybody may change."""

    node: ast.AST | None
    cell: int
    why: str = ""

    @property
    def text(self) -> str:
        """Why it is unknown, in one line."""
        return self.why or f"{shortened(self.node)} is known only when the notebook runs"

    def error(self) -> UnreadableError:
        """Return the error for whoever needs this value."""
        return UnreadableError(self.text, self.node, self.cell)


@dataclass(frozen=True)
class Known:
    """A function or a module that is known by its full name, such as ``os.path.join``."""

    name: str


@dataclass(frozen=True, eq=False)
class Substep:
    """What ``NotebookSubstep(...)`` returns."""

    names: dict[str, str] = field(default_factory=dict)


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


def shortened(node: ast.AST | None) -> str:
    """Return the source of a node on one line, cut to fit a message."""
    try:
        text = " ".join(ast.unparse(node).split()) if node is not None else "it"
    except RecursionError:
        text = "an expression"
    return text if len(text) <= 60 else f"{text[:57]}..."


class Budget:
    """The work that one reading may take; everything that grows asks here first."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, count: int = 1) -> None:
        """Count ``count`` pieces of work."""
        self.steps += count
        if self.steps > MAX_STEPS:
            raise UnreadableError("it takes too much work to read without running the notebook")

    def items(self, value: Any) -> list[Any]:
        """Return what a loop over ``value`` gives, in order.

        Raises:
            UnreadableError: If the order depends on the run, as that of a set does, if there is
                too much, or if nothing known can be looped over.
        """
        if type(value) in (set, frozenset) and len(value) > 1:
            raise UnreadableError("the order of a set differs from run to run")
        if type(value) not in (str, range, *_CONTAINERS, *_VIEWS, *_ITERATORS):
            raise UnreadableError(f"a value of type {type(value).__name__} cannot be looped over")
        if type(value) not in _ITERATORS and len(value) > MAX_ITEMS:
            raise UnreadableError(f"it has more than {MAX_ITEMS} items")
        found = list(value)
        self.step(len(found))
        return found

    def plain(self, value: Any) -> Any:
        """Return ``value`` if all of it is known and it is small enough to be shown as text."""
        size = 0
        if type(value) is str and len(value) <= MAX_TEXT:
            return value
        for part in self._parts(value, 0):
            size += len(part) if isinstance(part, str | bytes) else 1
            if size > MAX_TEXT:
                raise UnreadableError(f"it is longer than {MAX_TEXT} characters")
        return value

    def _parts(self, value: Any, depth: int) -> Iterator[Any]:
        self.step()
        if isinstance(value, Unknown):
            raise value.error()
        if depth > MAX_DEPTH:
            raise UnreadableError(f"it is nested deeper than {MAX_DEPTH} levels")
        if type(value) in _SCALARS:
            yield value
        elif type(value) is dict:
            for key, item in value.items():
                yield key
                yield from self._parts(item, depth + 1)
        elif type(value) in _CONTAINERS:
            for item in value:
                yield from self._parts(item, depth + 1)
        elif type(value) is not range:
            raise UnreadableError(
                f"a value of type {type(value).__name__} has no text before it runs"
            )
        yield ""

    def bounded(self, value: Any) -> Any:
        """Return a new value if it is within the bounds of its type."""
        if isinstance(value, str | bytes) and len(value) > MAX_TEXT:
            raise UnreadableError(f"it is longer than {MAX_TEXT} characters")
        if isinstance(value, _CONTAINERS) and len(value) > MAX_ITEMS:
            raise UnreadableError(f"it has more than {MAX_ITEMS} items")
        if isinstance(value, int) and abs(value) > MAX_INT:
            raise UnreadableError("it is a number of more than 64 bits")
        return value


def mutable_parts(value: Any, budget: Budget) -> set[int]:
    """Return the identities of all lists, dictionaries and sets in ``value``."""
    return {id(part) for part in _everything(value, budget) if isinstance(part, _CONTAINERS)}


def unknown_parts(value: Any, budget: Budget) -> list[Unknown]:
    """Return what is unknown in ``value``, or ``value`` itself."""
    return [part for part in _everything(value, budget) if isinstance(part, Unknown)]


def _everything(value: Any, budget: Budget) -> Iterator[Any]:
    """Yield a value and everything in it, each container once."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _CONTAINERS):
            if id(part) in seen:
                continue
            seen.add(id(part))
            budget.step(1 + len(part))
            waiting.extend(part.values() if isinstance(part, dict) else part)
        yield part
