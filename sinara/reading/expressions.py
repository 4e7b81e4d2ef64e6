"""Expressions of a notebook worked out as far as that is possible without running it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sinara.reading import functions, operators, vocabulary
from sinara.reading.values import (
    MAX_DEPTH,
    MAX_TEXT,
    Budget,
    Known,
    Substep,
    Unknown,
    UnreadableError,
    shortened,
)

_WENT_WRONG = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
_CONVERSIONS = {ord("s"): "str", ord("r"): "repr", ord("a"): "ascii"}


class Evaluator:
    """Works out expressions over the names that are known so far.

    Attributes:
        names: The global names of the notebook, with what is known of each.
        call_special: Answers calls of functions that belong to sinara; see ``statements``.
        pure: Refuse everything that would change a value.
    """

    def __init__(self, budget: Budget, call_special: Callable[[str, ast.Call], Any]) -> None:
        self.names: dict[str, Any] = {}
        self.budget = budget
        self.cell = 0
        self.pure = False
        self._call_special = call_special
        self._scopes: list[dict[str, Any]] = []
        self._depth = 0
        self._passed_over: dict[int, ast.expr] = {}

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression.

        Raises:
            UnreadableError: If only a run can tell, or the expression would fail in a run.
        """
        self.budget.step()
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise UnreadableError(
                    f"it is nested deeper than {MAX_DEPTH} levels", node, self.cell
                )
            work = _WORK.get(type(node))
            if work is None:
                raise Unknown(node, self.cell).error()
            return work(self, node)
        except _WENT_WRONG as error:
            why = f"{shortened(node)} fails: {type(error).__name__}: {_one_line(error)}"
            raise UnreadableError(why, node, self.cell) from None
        except UnreadableError as error:
            if error.node is None:
                error.node, error.cell = node, self.cell
            raise
        finally:
            self._depth -= 1

    def item(self, node: ast.expr) -> Any:
        """Return the value of a part of a list or dictionary; it may be an :class:`Unknown`."""
        try:
            return self.value(node)
        except UnreadableError as error:
            self._passed_over[id(node)] = node
            return Unknown(error.node, self.cell if error.cell is None else error.cell, error.why)

    def take_passed_over(self) -> list[ast.expr]:
        """Return, once, the expressions that were replaced by an unknown value."""
        taken, self._passed_over = list(self._passed_over.values()), {}
        return taken

    def without_effects(self, node: ast.expr) -> Any:
        """Return the value of an expression that is looked at once more."""
        before, self.pure = self.pure, True
        try:
            return self.value(node)
        finally:
            self.pure = before

    # -- one method for each kind of expression ---------------------------------------------

    def _constant(self, node: ast.Constant) -> Any:
        return self.budget.bounded(node.value)

    def _name(self, node: ast.Name) -> Any:
        for scope in (*reversed(self._scopes), self.names):
            if node.id in scope:
                return _known(scope[node.id])
        if node.id in functions.BUILTINS:
            return Known(f"builtins.{node.id}")
        raise UnreadableError(f"the name {node.id!r} is not known before the notebook runs")

    def _text(self, node: ast.JoinedStr) -> str:
        return str(self.budget.bounded("".join(self._pieces(node))))

    def _pieces(self, node: ast.JoinedStr) -> Iterator[str]:
        size = 0
        for part in node.values:
            piece = str(part.value) if isinstance(part, ast.Constant) else self.value(part)
            size += len(piece)
            if size > MAX_TEXT:
                raise UnreadableError(f"it is longer than {MAX_TEXT} characters")
            yield piece

    def _formatted(self, node: ast.FormattedValue) -> str:
        value = self.value(node.value)
        if node.conversion in _CONVERSIONS:
            value = functions.as_text(value, _CONVERSIONS[node.conversion], self.budget)
        spec = self.value(node.format_spec) if node.format_spec else ""
        return functions.formatted(value, spec, self.budget)

    def _sequence(self, node: ast.List | ast.Tuple) -> Any:
        found: list[Any] = []
        for element in node.elts:
            if isinstance(element, ast.Starred):
                found.extend(self.budget.items(self.value(element.value)))
            else:
                found.append(self.item(element))
        self.budget.bounded(found)
        return found if isinstance(node, ast.List) else tuple(found)

    def _set(self, node: ast.Set) -> Any:
        return set(self._sequence(ast.Tuple(node.elts, ast.Load())))

    def _dict(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found.update(self._mapping(value))
            else:
                found[self.budget.plain(self.value(key))] = self.item(value)
        return self.budget.bounded(found)

    def _mapping(self, node: ast.expr) -> dict[Any, Any]:
        value = self.value(node)
        if type(value) is not dict:
            raise UnreadableError(f"{shortened(node)} is no dictionary")
        return value

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        return operators.arithmetic(node.op, left, right, self.budget)

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not operators.truth(value)
        if type(value) in operators.NUMBERS and isinstance(node.op, ast.USub | ast.UAdd):
            return -value if isinstance(node.op, ast.USub) else +value
        raise Unknown(node, self.cell).error()

    def _boolean(self, node: ast.BoolOp) -> Any:
        value: Any = None
        for part in node.values:
            value = self.value(part)
            if operators.truth(value) is isinstance(node.op, ast.Or):
                break
        return value

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        for op, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other)
            if not operators.holds(op, left, right, self.budget):
                return False
            left = right
        return True

    def _either(self, node: ast.IfExp) -> Any:
        return self.value(node.body if operators.truth(self.value(node.test)) else node.orelse)

    def _subscript(self, node: ast.Subscript) -> Any:
        value = self.value(node.value)
        if type(value) not in (dict, list, tuple, str):
            raise Unknown(node, self.cell).error()
        if isinstance(node.slice, ast.Slice):
            ends = (node.slice.lower, node.slice.upper, node.slice.step)
            return value[slice(*(None if end is None else self.value(end) for end in ends))]
        key = self.budget.plain(self.value(node.slice))
        if isinstance(value, dict) and key not in value:
            raise UnreadableError(f"{shortened(node.value)} has no {key!r}")
        return _known(value[key])

    def _attribute(self, node: ast.Attribute) -> Any:
        value = self.value(node.value)
        if isinstance(value, Known):
            return vocabulary.member(f"{value.name}.{node.attr}")
        if isinstance(value, Substep) and node.attr in value.names:
            return value.names[node.attr]
        raise Unknown(node, self.cell).error()

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            if not isinstance(owner, Known | Substep):
                args, keywords = self._arguments(node)
                return functions.call_method(
                    owner, node.func.attr, args, keywords, self.budget, pure=self.pure
                )
        function = self.value(node.func)
        if not isinstance(function, Known):
            raise Unknown(node, self.cell).error()
        if function.name.startswith("sinara."):
            return self._call_special(function.name.removeprefix("sinara."), node)
        args, keywords = self._arguments(node)
        return functions.call_known(function.name, args, keywords, self.budget)

    def _arguments(self, node: ast.Call) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                args.extend(self.budget.items(self.value(arg.value)))
            elif isinstance(arg, ast.GeneratorExp):
                args.append(iter(self._comprehended(arg.elt, arg.generators)))
            else:
                args.append(self.value(arg))
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                keywords.update(self._mapping(keyword.value))
            else:
                keywords[keyword.arg] = self.value(keyword.value)
        return args, keywords

    def _comprehension(self, node: ast.ListComp | ast.SetComp) -> Any:
        found = self._comprehended(node.elt, node.generators)
        return found if isinstance(node, ast.ListComp) else set(self.budget.plain(found))

    def _dict_comprehension(self, node: ast.DictComp) -> Any:
        pair = ast.Tuple([node.key, node.value], ast.Load())
        pairs = self._comprehended(ast.copy_location(pair, node), node.generators)
        return {self.budget.plain(key): value for key, value in pairs}

    def _comprehended(self, element: ast.expr, generators: list[ast.comprehension]) -> list[Any]:
        self._scopes.append({})
        try:
            found = [self.item(element) for _ in self._rounds(generators)]
        finally:
            self._scopes.pop()
        return list(self.budget.bounded(found))

    def _rounds(self, generators: list[ast.comprehension]) -> Iterator[None]:
        first, *others = generators
        if first.is_async:
            raise UnreadableError("an asynchronous loop is known only when the notebook runs")
        for value in self.budget.items(self.value(first.iter)):
            self.budget.step()
            bind(first.target, value, self._scopes[-1])
            if all(operators.truth(self.value(test)) for test in first.ifs):
                if others:
                    yield from self._rounds(others)
                else:
                    yield


def bind(target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
    """Set the names of a target, ``x`` or ``x, (y, z)``, as an assignment does.

    Raises:
        UnreadableError: If the target is something else, or the value has not as many parts.
    """
    if isinstance(target, ast.Name):
        scope[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List) and type(value) in (list, tuple):
        if len(value) != len(target.elts):
            raise UnreadableError(f"{len(value)} values do not fit {shortened(target)}", target)
        for part, item in zip(target.elts, value, strict=True):
            bind(part, item, scope)
    else:
        raise UnreadableError(f"{shortened(target)} is set to what only a run can tell", target)


def _known(value: Any) -> Any:
    if isinstance(value, Unknown):
        raise value.error()
    return value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:80]


_WORK: Mapping[type[ast.expr], Callable[[Evaluator, Any], Any]] = {
    ast.Constant: Evaluator._constant,
    ast.Name: Evaluator._name,
    ast.JoinedStr: Evaluator._text,
    ast.FormattedValue: Evaluator._formatted,
    ast.List: Evaluator._sequence,
    ast.Tuple: Evaluator._sequence,
    ast.Set: Evaluator._set,
    ast.Dict: Evaluator._dict,
    ast.BinOp: Evaluator._binary,
    ast.UnaryOp: Evaluator._unary,
    ast.BoolOp: Evaluator._boolean,
    ast.Compare: Evaluator._compare,
    ast.IfExp: Evaluator._either,
    ast.Subscript: Evaluator._subscript,
    ast.Attribute: Evaluator._attribute,
    ast.Call: Evaluator._call,
    ast.ListComp: Evaluator._comprehension,
    ast.SetComp: Evaluator._comprehension,
    ast.DictComp: Evaluator._dict_comprehension,
}
