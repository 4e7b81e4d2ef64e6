"""Which names may lead to the same list or dictionary after code that is not followed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator


def aliases_of(names: Iterable[str], code: Iterable[ast.AST]) -> set[str]:
    """Return ``names``, and every name whose value one of them may have got in ``code``.

    After ``x = m`` a change of ``x`` is a change of ``m``. The order of the code does not
    count: it may be a loop.
    """
    given: dict[str, set[str]] = {}
    for part in code:
        for target, value in _handed_over(part):
            for name in _names(target):
                given.setdefault(name, set()).update(_names(value))
    found, left = set(names), list(names)
    while left:
        for name in given.get(left.pop(), set()) - found:
            found.add(name)
            left.append(name)
    return found


def _handed_over(part: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Return what a node gives to what: (target, value)."""
    match part:
        case ast.Assign():
            yield from ((target, part.value) for target in part.targets)
        case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr() if part.value is not None:
            yield part.target, part.value
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            yield part.target, part.iter
        case ast.withitem() if part.optional_vars is not None:
            yield part.optional_vars, part.context_expr
        case ast.Match():
            for case in part.cases:
                yield from ((captured, part.subject) for captured in _captured(case.pattern))
        case ast.arguments():
            plain = [*part.posonlyargs, *part.args]
            yield from zip(reversed(plain), reversed(part.defaults), strict=False)
            yield from (
                (argument, default)
                for argument, default in zip(part.kwonlyargs, part.kw_defaults, strict=True)
                if default is not None
            )


def _captured(pattern: ast.pattern) -> Iterator[ast.Name]:
    for part in ast.walk(pattern):
        name = getattr(part, "rest" if isinstance(part, ast.MatchMapping) else "name", None)
        if isinstance(name, str):
            yield ast.Name(name, ast.Store())


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.arg):
        return {node.arg}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
