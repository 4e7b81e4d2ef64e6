"""Which names a piece of code needs, and which it binds: followed in order, nothing executed.

Optimistic where it cannot be certain: both branches of an ``if`` bind their names, a loop
runs at least once. So what is reported as missing is missing for certain, or nearly so.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

# Magics that run a statement of the notebook.
_TIMING = frozenset({"time", "prun"})
# Magics that bind no name.
_SILENT = frozenset(
    {
        "matplotlib", "load_ext", "reload_ext", "autoreload", "config", "precision", "env",
        "set_env", "cd", "pwd", "ls", "pip", "conda", "mamba", "uv", "timeit", "who", "whos",
        "bash", "sh", "system", "writefile", "html", "HTML", "javascript", "markdown", "latex",
    }
)  # fmt: skip
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Use:
    """A name that is used, and the line in its cell, from 1."""

    name: str
    line: int


@dataclass
class Flow:
    """Follows statements with the names that are there.

    Attributes:
        there: Names that are bound so far.
        missing: Names that were used when they were not bound.
        used: Every name that was used at once.
        on_call: What the functions use once they are called, by the name that they are bound to.
        star: Whether names were bound that nobody knows: ``from … import *``, ``%run``.
    """

    there: set[str]
    missing: list[Use] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    on_call: dict[str, list[Use]] = field(default_factory=dict)
    star: bool = False

    def follow(self, body: Iterable[ast.stmt]) -> None:
        """Follow statements in their order."""
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.ClassDef():
                self._class(node)
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.AugAssign():
                self._need(node.value)
                if isinstance(node.target, ast.Name):
                    self._use(node.target.id, node.lineno)
                self._bind(node.target)
            case ast.Delete():
                self._need(node)
                self.there -= {t.id for t in node.targets if isinstance(t, ast.Name)}
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match():
                self._match(node)
            case ast.Expr(
                ast.Call(ast.Attribute(attr="run_line_magic" | "run_cell_magic")) as call
            ):
                self._magic(call)
            case _:
                self._plain(node)

    def _plain(self, node: ast.stmt) -> None:
        """Follow a statement whose parts are evaluated in the order of these fields."""
        for name in ("value", "iter", "test", "annotation", "items", "exc", "cause", "msg"):
            part = getattr(node, name, None)
            for item in part if isinstance(part, list) else [part]:
                if isinstance(item, ast.withitem):
                    self._need(item.context_expr)
                    self._bind(item.optional_vars)
                else:
                    self._need(item)
        for target in [*getattr(node, "targets", ()), getattr(node, "target", None)]:
            self._bind(target)
        for name in ("body", "orelse"):
            self.follow(getattr(node, name, ()))

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        self.follow(node.body)
        for handler in node.handlers:
            self._need(handler.type)
            self.there |= {handler.name} if handler.name else set()
            self.follow(handler.body)
        self.follow(node.orelse)
        self.follow(node.finalbody)

    def _match(self, node: ast.Match) -> None:
        self._need(node.subject)
        for case in node.cases:
            for part in ast.walk(case.pattern):
                names = (getattr(part, "name", None), getattr(part, "rest", None))
                self.there |= {name for name in names if name}
            self._need(case.guard)
            self.follow(case.body)

    def _magic(self, call: ast.Call) -> None:
        """Follow a magic: some run Python in the notebook, some bind names that nobody knows."""
        name, text = ([a.value for a in call.args if isinstance(a, ast.Constant)] + ["", ""])[:2]
        if name in _TIMING:
            try:
                self.follow(ast.parse(str(text)).body)
            except (SyntaxError, ValueError):  # it has options, or is no statement
                self.star = True
        elif name == "capture":
            self.there |= {word for word in str(text).split() if not word.startswith("-")}
        elif name not in _SILENT:
            self.star = True

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.star = True
            else:
                self.there.add(alias.asname or alias.name.partition(".")[0])

    def _function(self, node: _Function) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for part in (*node.decorator_list, *arguments.defaults, *arguments.kw_defaults):
            self._need(part)
        for part in (*(argument.annotation for argument in every), node.returns):
            self._need(part)
        self.on_call.setdefault(node.name, []).extend(_when_called(node))
        self.there.add(node.name)

    def _class(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self._need(part)
        inner = Flow(set(self.there))
        inner.follow(node.body)
        self.missing += inner.missing
        self.used |= inner.used
        self.star |= inner.star
        called = [use for uses in inner.on_call.values() for use in uses]
        self.on_call.setdefault(node.name, []).extend(called)
        self.there.add(node.name)

    def _need(self, node: ast.AST | None) -> None:
        if node is None:
            return
        parts = list(ast.walk(node))
        own = set(_bound_inside(parts))
        for part in parts:
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and part.id not in own:
                self._use(part.id, part.lineno)
        self.there |= {p.target.id for p in parts if isinstance(p, ast.NamedExpr)}

    def _use(self, name: str, line: int) -> None:
        self.used.add(name)
        if name not in self.there:
            self.missing.append(Use(name, line))

    def _bind(self, target: ast.expr | None) -> None:
        self._need(target)
        self.there |= set(bound_names(target))


def bound_names(target: ast.AST | None) -> Iterator[str]:
    """Yield the names that a target of an assignment binds."""
    for part in ast.walk(target) if target is not None else ():
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _bound_inside(parts: Sequence[ast.AST]) -> Iterator[str]:
    """Yield what comprehensions, lambdas and ``:=`` bind for themselves."""
    for part in parts:
        if isinstance(part, ast.comprehension):
            yield from bound_names(part.target)
        elif isinstance(part, ast.NamedExpr):
            yield part.target.id
        elif isinstance(part, ast.Lambda):
            yield from (node.arg for node in ast.walk(part.args) if isinstance(node, ast.arg))


def _when_called(node: _Function) -> list[Use]:
    """Return the global names that the body of a function, or of one inside it, uses."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    names: set[str] = set()
    pending = list(table.get_children())
    while pending:
        inner = pending.pop()
        pending += inner.get_children()
        names |= {s.get_name() for s in inner.get_symbols() if s.is_global() and s.is_referenced()}
    return [Use(name, node.lineno) for name in sorted(names)]
