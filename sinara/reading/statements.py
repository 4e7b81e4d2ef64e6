"""The statements of a notebook, followed in order as far as their effect is certain."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping
from typing import Any

from sinara.reading import operators, vocabulary
from sinara.reading.declarations import Declarations, makes_substep
from sinara.reading.effects import Effects, Function
from sinara.reading.expressions import Evaluator, bind
from sinara.reading.source import NotPythonError, parse_cell
from sinara.reading.values import (
    Budget,
    Stop,
    Substep,
    Unknown,
    UnreadableError,
    mutable_parts,
    words,
)

# Line magics that set no name of the notebook.
_SAFE_MAGICS = words(
    "load_ext reload_ext unload_ext autoreload matplotlib config pip conda mamba uv "
    "env set_env cd pwd ls ll mkdir rmdir cat cp mv rm who whos who_ls timeit prun "
    "precision alias bookmark colors xmode pdb history hist lsmagic magic quickref "
    "system sx notebook tensorboard watermark html javascript aimport"
)
_SHELL = frozenset({"system", "getoutput", "getoutputs"})


class _Break(Stop):
    """A loop that was being followed ends early."""


class _Continue(Stop):
    """A round of a loop that was being followed ends early."""


class Follower:
    """Follows a notebook, statement by statement.

    Args:
        given: Returns the value of ``get_pipeline_params()`` and the like, by the function's
            name, or raises :class:`UnreadableError`.

    Attributes:
        declarations: The calls of ``substep.interface(...)`` that were met.
    """

    def __init__(self, given: Callable[[str], Any]) -> None:
        self.budget = Budget()
        self.evaluator = Evaluator(self.budget, self._call_special)
        self.declarations = Declarations(self.evaluator)
        self.effects = Effects(self.evaluator, self.declarations)
        self.evaluator.names["__name__"] = "__main__"
        self._given = given
        self._loops = 0

    def follow_cell(self, index: int, source: str) -> list[ast.stmt]:
        """Follow one cell; return its statements, none if it could not be parsed."""
        self.evaluator.cell = index
        try:
            body = parse_cell(source)
        except NotPythonError as error:
            if not error.foreign:  # a line such as `pip install x` runs all the same
                self.effects.forget_everything(ast.Pass(lineno=error.line))
                if "interface" in source:
                    self.declarations.fail(error.line, f"the cell cannot be parsed: {error.text}")
            return []
        self.run(body)
        return body

    def run(self, body: list[ast.stmt]) -> None:
        """Follow statements in order."""
        for node in body:
            self.budget.step()
            work = _WORK.get(type(node))
            if work is None:
                self._pass_over(node)
            else:
                work(self, node)
            self._forget_passed_over()

    def set_names(self, values: Mapping[str, Any]) -> None:
        """Set global names, as a cell of assignments does."""
        for name, value in values.items():
            self.effects.store(name, value)

    # -- values -------------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Any:
        """Return the value of an expression, or an :class:`Unknown`, with all its effects."""
        value = self.evaluator.item(node)
        if isinstance(value, Unknown) and makes_substep(node):
            value = Substep()
        self._forget_passed_over()
        return value

    def _forget_passed_over(self) -> None:
        for node in self.evaluator.take_passed_over():
            self.effects.of_expression(node)

    def _call_special(self, name: str, node: ast.Call) -> Any:
        if name != "NotebookSubstep":
            return copy.deepcopy(self._given(name))
        given = [*node.args, *(k.value for k in node.keywords if k.arg)]
        pipeline, step, *_ = [*map(self.evaluator.item, given), None, None]
        names = _names_of(pipeline, ("env_name", "pipeline_name", "zone_name"))
        return Substep({**names, **_names_of(step, ("step_name",))})

    # -- one method for each kind of statement ------------------------------------------------

    def _expression(self, node: ast.Expr) -> None:
        call = node.value
        if isinstance(call, ast.Call) and self.declarations.found_in(call):
            self.declarations.follow(call, self._value)
        elif isinstance(call, ast.Call) and _ipython_method(call):
            self._magic(call)
        else:
            self._value(call)

    def _assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Call) and self.declarations.found_in(node.value):
            self.declarations.follow(node.value, self._value)
            value: Any = None
        else:
            value = self._value(node.value)
        for target in node.targets:
            self._store(target, value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._store(node.target, self._value(node.value))

    def _store(self, target: ast.expr, value: Any) -> None:
        try:
            if isinstance(target, ast.Subscript):
                self._store_item(target, value)
                return
            found: dict[str, Any] = {}
            bind(target, value, found)
        except UnreadableError:
            self.effects.of_target(target, target)
        else:
            for name, part in found.items():
                self.effects.store(name, part)

    def _store_item(self, target: ast.Subscript, value: Any) -> None:
        owner = self.evaluator.value(target.value)
        key = self.evaluator.value(target.slice)
        if type(owner) is dict:
            owner[self.budget.plain(key)] = value
            self.budget.bounded(owner)
        elif type(owner) is list and type(key) is int and -len(owner) <= key < len(owner):
            owner[key] = value
        else:
            raise UnreadableError("it changes what only a run can tell")

    def _augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        try:
            reading = copy.copy(target)
            reading.ctx = ast.Load()
            old, change = self.evaluator.value(reading), self.evaluator.value(node.value)
            if type(old) is list and isinstance(node.op, ast.Add):
                old.extend(self.budget.items(change))
                self.budget.bounded(old)
                return
            if mutable_parts(old, self.budget):
                raise UnreadableError("it changes what only a run can tell")
            value = operators.arithmetic(node.op, old, change, self.budget)
        except (UnreadableError, TypeError, ValueError, ArithmeticError):
            self._pass_over(node)
        else:
            self._store(target, value)

    def _if(self, node: ast.If) -> None:
        try:
            test = operators.truth(self.evaluator.value(node.test))
        except UnreadableError:
            self._pass_over(node)
        else:
            self.run(node.body if test else node.orelse)

    def _for(self, node: ast.For) -> None:
        self._loops += 1
        try:
            for value in self.budget.items(self.evaluator.value(node.iter)):
                self._store(node.target, value)
                try:
                    self.run(node.body)
                except _Continue:
                    continue
            self.run(node.orelse)
        except _Break:
            pass
        except UnreadableError:
            self._pass_over(node)
        finally:
            self._loops -= 1

    def _function(self, node: Function) -> None:
        self.effects.of_function(node)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            full = alias.name if alias.asname else alias.name.partition(".")[0]
            self._import_name(alias.asname or full, full, node)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name != "*":
                self._import_name(alias.asname or alias.name, f"{module}.{alias.name}", node)
                continue
            members = vocabulary.all_members(module)
            if members is None:
                self.effects.forget_everything(node)
            for name, value in (members or {}).items():
                self.effects.store(name, value)

    def _import_name(self, name: str, full: str, node: ast.stmt) -> None:
        try:
            value = vocabulary.member(full)
        except UnreadableError as error:
            value = Unknown(node, self.evaluator.cell, error.why)
        self.effects.store(name, value)

    def _assert(self, node: ast.Assert) -> None:
        self._value(node.test)

    def _raise(self, _node: ast.Raise) -> None:
        raise Stop

    def _break(self, _node: ast.Break) -> None:
        raise _Break

    def _continue(self, _node: ast.Continue) -> None:
        raise _Continue

    def _nothing(self, node: ast.stmt) -> None:
        """Follow a statement that has no effect here."""

    def _pass_over(self, node: ast.stmt) -> None:
        """Forget what a statement may do; a loop that it may end is passed over whole."""
        self.effects.of_statement(node)
        ends = any(isinstance(part, ast.Break | ast.Continue) for part in ast.walk(node))
        if ends and self._loops and not isinstance(node, ast.For | ast.While):
            raise UnreadableError("it may end a loop", node, self.evaluator.cell)

    def _magic(self, call: ast.Call) -> None:
        """Follow what was a line of IPython: ``get_ipython().<method>(...)``."""
        method = _ipython_method(call)
        words = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        name, rest = (str(words[0]), str(words[1])) if len(words) == 2 else ("", "")
        if method in _SHELL or (method == "run_line_magic" and name in _SAFE_MAGICS):
            return
        if method == "run_line_magic" and name == "time":
            try:
                self.run(parse_cell(rest))
            except NotPythonError:
                self.effects.forget_everything(call)
        elif method == "run_line_magic" and name == "capture":
            for word in rest.split():
                self.effects.of_target(ast.Name(word, ast.Store()), call)
        else:
            self.effects.forget_everything(call)


def _ipython_method(call: ast.Call) -> str:
    """Return ``method`` for a call of ``get_ipython().method(...)``, or an empty string."""
    func = call.func
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
        inner = func.value.func
        if isinstance(inner, ast.Name) and inner.id == "get_ipython":
            return func.attr
    return ""


def _names_of(params: Any, names: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(params, Mapping):
        return {}
    return {name: params[name] for name in names if isinstance(params.get(name), str)}


_WORK: dict[type[ast.stmt], Callable[[Follower, Any], None]] = {
    ast.Expr: Follower._expression,
    ast.Assign: Follower._assign,
    ast.AnnAssign: Follower._annotated,
    ast.AugAssign: Follower._augmented,
    ast.If: Follower._if,
    ast.For: Follower._for,
    ast.FunctionDef: Follower._function,
    ast.AsyncFunctionDef: Follower._function,
    ast.ClassDef: Follower._function,
    ast.Import: Follower._import,
    ast.ImportFrom: Follower._import_from,
    ast.Assert: Follower._assert,
    ast.Raise: Follower._raise,
    ast.Break: Follower._break,
    ast.Continue: Follower._continue,
    ast.Pass: Follower._nothing,
    ast.Global: Follower._nothing,
    ast.Nonlocal: Follower._nothing,
}
