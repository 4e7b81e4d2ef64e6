"""Results of checks as JSON holds them: handed from a kernel to its driver, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sinara.contract.values import RuleResult

_TEXTS = ("column", "rule", "asked", "found")


def plain_results(results: Iterable[RuleResult]) -> list[dict[str, Any]]:
    """Return results as lists and dictionaries."""
    return [{**asdict(result), "sample": list(result.sample)} for result in results]


def read_results(value: object) -> tuple[RuleResult, ...]:
    """Return the results that :func:`plain_results` made.

    Raises:
        ValueError: If ``value`` is something else.
    """
    if not isinstance(value, list):
        raise ValueError("results are a list")
    return tuple(map(_result, value))


def _result(value: object) -> RuleResult:
    given = value if isinstance(value, dict) else {}
    column, rule, asked, found = (given.get(name) for name in _TEXTS)
    kept, sample = given.get("kept"), given.get("sample", [])
    rows = isinstance(sample, list) and all(isinstance(row, str) for row in sample)
    texts = all(isinstance(text, str) for text in (column, rule, asked, found))
    if not (texts and isinstance(kept, bool) and rows):
        raise ValueError("it is no result of a check")
    return RuleResult(str(column), str(rule), str(asked), str(found), kept, tuple(sample))
