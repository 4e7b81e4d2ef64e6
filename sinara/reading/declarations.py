"""Calls of ``substep.interface(...)`` as a reading of the notebook comes upon them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from sinara.errors import InterfaceError
from sinara.interface import Interface, make_interface
from sinara.reading.expressions import Evaluator
from sinara.reading.values import Stop, Substep, Unknown, UnreadableError, unknown_parts

Problem = tuple[int, int, str, bool]


class Declarations:
    """Keeps the last interface that a notebook is certain to declare.

    Attributes:
        interface: The interface declared last, if it could be read.
        problems: Why there is none: cell, line in the cell, text, and whether a run fails.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.interface: Interface | None = None
        self.problems: list[Problem] = []
        self._evaluator = evaluator
        self._in_functions: list[Problem] = []

    def found_in(self, call: ast.Call) -> bool:
        """Return whether a call is ``interface`` of a substep."""
        func = call.func
        if not (isinstance(func, ast.Attribute) and func.attr == "interface"):
            return False
        if isinstance(func.value, ast.Name) and func.value.id == "substep":
            return True
        try:
            return isinstance(self._evaluator.without_effects(func.value), Substep)
        except UnreadableError:
            return makes_substep(func.value)

    def follow(self, call: ast.Call, value_of: Callable[[ast.expr], Any]) -> None:
        """Read a call that is certain to run; it takes the place of an earlier one.

        Raises:
            Stop: If the call would fail, and the run with it.
        """
        kinds: dict[str, Any] = {}
        problems: list[Problem] = []
        if call.args:
            problems.append(self._certain(call.lineno, "interface() takes its lists by name only"))
        for keyword in call.keywords:
            value = value_of(keyword.value)
            if keyword.arg is not None:
                kinds[keyword.arg] = value
            elif type(value) is dict:
                kinds.update(value)
            elif not isinstance(value, Unknown):
                value = Unknown(keyword.value, self._evaluator.cell)
            problems.extend(self._unreadable(keyword, value))
        self.interface, self.problems = None, list(dict.fromkeys(problems))
        if not problems:
            try:
                self.interface = make_interface(**kinds)
            except InterfaceError as error:
                self.problems = [self._certain(call.lineno, line) for line in error.lines]
                raise Stop from None

    def pass_over(self, call: ast.Call, *, in_function: bool) -> None:
        """Note a call in code that may or may not run."""
        if in_function:
            text = "interface() is called in a function: declare it in a cell of its own"
            self._in_functions.append(self._problem(call.lineno, text))
        else:
            self.fail(call.lineno, "interface() is called in code that may or may not run")

    def fail(self, line: int, text: str) -> None:
        """Note why there is no interface that is certain."""
        self.interface, self.problems = None, [self._problem(line, text)]

    def finish(self) -> None:
        """Let a declaration inside a function, which may run at any time, spoil the reading."""
        if self._in_functions:
            self.interface, self.problems = None, self._in_functions

    def _unreadable(self, keyword: ast.keyword, value: Any) -> list[Problem]:
        found = []
        for unknown in unknown_parts(value, self._evaluator.budget):
            line = getattr(unknown.node, "lineno", None)
            if unknown.cell != self._evaluator.cell or line is None:
                line = keyword.value.lineno
            text = f"{keyword.arg}: {unknown.text}" if keyword.arg else unknown.text
            found.append(self._problem(line, text))
        return found

    def _problem(self, line: int, text: str) -> Problem:
        return self._evaluator.cell, line, text, False

    def _certain(self, line: int, text: str) -> Problem:
        return self._evaluator.cell, line, text, True


def makes_substep(node: ast.expr) -> bool:
    """Return whether an expression is ``NotebookSubstep(...)``, from wherever it was imported."""
    if not isinstance(node, ast.Call):
        return False
    func = node.func
    last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return last == "NotebookSubstep"
