"""Metrics: numbers and other plain values that a substep reports about its result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from sinara.errors import UsageError


def plain_metric(name: object, value: object) -> Any:
    """Return ``value`` as JSON can hold it.

    Args:
        name: Of the metric, for messages.
        value: A number, a text, a truth value, ``None``, a date, or lists and dictionaries of
            these. Scalars and arrays of numpy, pandas, polars or torch become plain ones. NaN
            and the infinities become the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``:
            that a metric came out as NaN is a finding, and JSON has no number for it.

    Raises:
        UsageError: If the name is no text, or the value has no plain form.
    """
    if not isinstance(name, str) or not name:
        raise UsageError(f"A metric's name is a text that is not empty, not {name!r}.")
    return _plain(name, value)


def _plain(name: str, value: object) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | str):
        # a subclass (numpy.str_, an IntEnum) must become the plain type: pickle and JSON differ
        return value if type(value) in (int, str) else _base(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(name, item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(name, item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    for convert in (
        "item",
        "tolist",
        "to_list",
    ):  # scalars first: numpy, torch; then arrays, series
        plain = _call(value, convert)
        if plain is not None and plain is not value:
            return _plain(name, plain)
    raise UsageError(
        f"Metric '{name}' is {type(value).__name__}, which a report cannot hold. "
        "Give a number, a text, or lists and dictionaries of them."
    )


def _base(value: int | str) -> int | str:
    # str() of an enumeration's member would give the member's name
    return str.__str__(value) if isinstance(value, str) else int(value)


def _call(value: object, method: str) -> object | None:
    """Return what ``value.method()`` gives; ``None`` if it has none or has more than one item."""
    try:
        result: object = getattr(value, method)()
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return None
    return result


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
