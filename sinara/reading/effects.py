"""What code that was not worked out may have done to the names that are known.

The rule is caution: a name stays known only if nothing that was passed over can have set it,
or changed the list or dictionary that it stands for, under this name or another.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sinara.reading.aliases import aliases_of
from sinara.reading.declarations import Declarations
from sinara.reading.expressions import Evaluator
from sinara.reading.functions import BUILTINS
from sinara.reading.values import Unknown, UnreadableError, mutable_parts, words

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
_ANYTHING = frozenset({"exec", "eval", "globals", "locals", "vars", "setattr", "delattr"})
# Functions that do not change what they are given; by name, so that any module's will do.
_HARMLESS = BUILTINS | words(
    "print display pprint dumps dump info debug warning warn error log isinstance "
    "type any all sum open iter next map filter reversed round id hash callable "
    "NotebookSubstep"
)


class Effects:
    """Forgets what is no longer certain.

    Args:
        evaluator: Holds the names.
        declarations: Is told of a declaration in code that was passed over.
    """

    def __init__(self, evaluator: Evaluator, declarations: Declarations) -> None:
        self._evaluator = evaluator
        self._declarations = declarations
        self._set_by_functions: set[str] = set()
        self._changed_by_functions: set[str] = set()

    def store(self, name: str, value: Any) -> None:
        """Set a global name, unless a function may set or change it behind our back."""
        mutable = name in self._changed_by_functions and mutable_parts(
            value, self._evaluator.budget
        )
        if name in self._set_by_functions or mutable:
            why = f"{name} may be changed by a function"
            value = Unknown(None, self._evaluator.cell, why)
        self._evaluator.names[name] = value

    def forget_everything(self, node: ast.AST) -> None:
        """Forget all names, after code that may set any of them."""
        for name in [*self._evaluator.names, *BUILTINS]:
            self._forget_name(name, node)

    def of_expression(self, node: ast.expr) -> None:
        """Forget what an expression that was passed over may have changed."""
        for part in _outside_functions([node], self.of_function):
            self._of_part(part)

    def of_statement(self, node: ast.stmt) -> None:
        """Forget what a statement that may or may not have run may have set or changed."""
        parts = list(_outside_functions([node], self.of_function))
        for name in aliases_of(_names_changed(parts), parts):
            self.forget_parts(ast.copy_location(ast.Name(name, ast.Load()), node))
        for part in parts:
            self._of_part(part)
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
                self._forget_name(part.id, node)
            elif isinstance(part, ast.Import | ast.ImportFrom):
                self._of_import(part)
            elif isinstance(part, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and part.name:
                self._forget_name(part.name, node)
            elif isinstance(part, ast.MatchMapping) and part.rest:
                self._forget_name(part.rest, node)

    def of_target(self, target: ast.expr, node: ast.AST) -> None:
        """Forget the names, and the containers, that an assignment to ``target`` changes."""
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
                self._forget_name(part.id, node)
            self._of_part(part)

    def of_function(self, node: Function) -> None:
        """Note what a function may do whenever it is called; a class body counts as one."""
        if not isinstance(node, ast.Lambda):
            self._forget_name(node.name, node)
        inside = list(ast.walk(node))
        globals_ = {name for part in inside if isinstance(part, ast.Global) for name in part.names}
        own = set() if isinstance(node, ast.ClassDef) else _own_names(inside) - globals_
        self._set_by_functions |= globals_
        for name in globals_:
            self._forget_name(name, node)
        for part in inside:
            for changed in _changed(part):
                names = {n.id for n in ast.walk(changed) if isinstance(n, ast.Name)}
                names = aliases_of(names, inside)
                self._changed_by_functions |= names - own
                for name in names - own:
                    self.forget_parts(ast.Name(name, ast.Load()))
            if isinstance(part, ast.Call):
                if _name_of(part) in _ANYTHING:
                    self.forget_everything(part)
                if self._declarations.found_in(part):
                    self._declarations.pass_over(part, in_function=True)

    def forget_parts(self, node: ast.expr) -> None:
        """Forget every name that leads to a container which ``node`` leads to."""
        evaluator = self._evaluator
        try:
            values = [evaluator.without_effects(node)]
        except UnreadableError:
            read = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
            values = [evaluator.names.get(name) for name in read]
        parts = mutable_parts(values, evaluator.budget) - {id(values)}
        for name, value in list(evaluator.names.items()) if parts else ():
            if parts & mutable_parts(value, evaluator.budget):
                self._forget_name(name, node)

    def _of_part(self, part: ast.AST) -> None:
        self._evaluator.budget.step()
        if isinstance(part, ast.NamedExpr):
            self._forget_name(part.target.id, part)
        if isinstance(part, ast.Call) and _name_of(part) in _ANYTHING:
            self.forget_everything(part)
        if isinstance(part, ast.Call) and self._declarations.found_in(part):
            self._declarations.pass_over(part, in_function=False)
        for changed in _changed(part):
            self.forget_parts(changed)

    def _of_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.forget_everything(node)
            else:
                self._forget_name(alias.asname or alias.name.partition(".")[0], node)

    def _forget_name(self, name: str, node: ast.AST) -> None:
        cell = self._evaluator.cell
        line = getattr(node, "lineno", None)
        place = f"cell {cell + 1}, line {line}" if line else f"cell {cell + 1}"
        why = f"what {name} is after {place} is known only when the notebook runs"
        self._evaluator.names[name] = Unknown(None, cell, why)


def _names_changed(parts: Iterable[ast.AST]) -> set[str]:
    """Return the names in all expressions whose lists and dictionaries the code may change."""
    return {
        inner.id
        for part in parts
        for changed in _changed(part)
        for inner in ast.walk(changed)
        if isinstance(inner, ast.Name)
    }


def _own_names(inside: list[ast.AST]) -> set[str]:
    """Return the parameters of a function and the names that it sets."""
    return {part.arg for part in inside if isinstance(part, ast.arg)} | {
        part.id for part in inside if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _changed(part: ast.AST) -> Iterable[ast.expr]:
    """Return the expressions whose lists and dictionaries a node may change."""
    if isinstance(part, ast.Subscript | ast.Attribute) and not isinstance(part.ctx, ast.Load):
        return (part.value,)
    if isinstance(part, ast.AugAssign):  # a list is extended in place
        return (part.target,)
    if isinstance(part, ast.Call) and _name_of(part) not in _HARMLESS:
        owner = (part.func.value,) if isinstance(part.func, ast.Attribute) else ()
        return (*owner, *part.args, *(keyword.value for keyword in part.keywords))
    return ()


def _name_of(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _outside_functions(
    nodes: list[ast.AST], on_function: Callable[[Function], None]
) -> Iterator[ast.AST]:
    """Yield the nodes that run where they stand; the bodies of functions are told apart."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            on_function(node)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))
