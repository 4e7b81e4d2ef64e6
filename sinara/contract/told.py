"""Contracts and what came of them as text: lines of an error, and a literal to paste."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sinara.contract.read import as_literal
from sinara.contract.values import Contract, RuleResult

_WIDTH = 88
_MOST_LINES = 10


def broken(results: Iterable[RuleResult]) -> tuple[RuleResult, ...]:
    """Return the rules that are not kept."""
    return tuple(result for result in results if not result.kept)


def broken_line(result: RuleResult) -> str:
    """Return one broken rule on one line: column, rule, what was found, rows that break it."""
    where = f"column {result.column}, " if result.column else ""
    rows = f" ({'; '.join(result.sample)})" if result.sample else ""
    return f"{where}{result.rule} {result.asked}: found {result.found}{rows}"


def broken_lines(what: str, results: Iterable[RuleResult]) -> tuple[str, ...]:
    """Return a line for each rule that is not kept; none if all are.

    Args:
        what: The entity, as in ``Output 'scores'``.
        results: All rules, checked.
    """
    lines = [f"{what} breaks its contract: {broken_line(result)}" for result in broken(results)]
    more = len(lines) - _MOST_LINES
    if more <= 0:
        return tuple(lines)
    return (*lines[:_MOST_LINES], f"{what} breaks {more:,} more rules; the report has them all.")


def literal_text(contract: Contract) -> str:
    """Return a contract as source to paste into an interface cell, beside the entity's name."""
    return f'"contract": {_literal(as_literal(contract), 0, _WIDTH)},'


def _literal(value: Any, indent: int, before: int) -> str:
    """Return a value as source: on one line where it fits, otherwise an item to a line.

    Args:
        value: The value.
        indent: Of the line that it begins on.
        before: How much stands before it on that line.
    """
    line = _on_a_line(value)
    several = isinstance(value, Mapping | list) and len(value) > 0
    if not several or (indent + before + len(line) < _WIDTH and not _nested(value)):
        return line
    inner = indent + 4
    if isinstance(value, Mapping):
        pairs = ((_on_a_line(key), item) for key, item in value.items())
        items = [f"{key}: {_literal(item, inner, len(key) + 2)}" for key, item in pairs]
    else:
        items = [_literal(item, inner, 0) for item in value]
    lines = [line[0], *(f"{' ' * inner}{item}," for item in items), f"{' ' * indent}{line[-1]}"]
    return "\n".join(lines)


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values())


def _on_a_line(value: Any) -> str:
    if isinstance(value, str):
        single = repr(value)
        plain = '"' not in value and single.startswith("'")
        return f'"{single[1:-1]}"' if plain and "\\'" not in single else single
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_on_a_line(k)}: {_on_a_line(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_on_a_line, value))}]"
    return repr(value)
