"""A contract as it stands in an interface cell: read, checked, and written back.

::

    {
        "columns": {
            "id": "int64",                                        the type
            "amount": {"type": "double", "min": 0, "max": 1e6},   or rules
        },
        "other_columns": "refuse",                                or "allow", as if left out
        "key": ["id"],
        "rows": {"min": 1, "max": 5000000, "change": 0.2},
    }

Plain values only, so that it can be read without running the notebook, and kept as JSON.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sinara.contract import types
from sinara.contract.values import Bound, ColumnRules, Contract, Plain
from sinara.errors import suggest
from sinara.names import shown

MOST_COLUMNS, MOST_VALUES = 10_000, 1_000  # of a contract; of one "in"
_WORDS = ("columns", "other_columns", "key", "rows")
_COLUMN_WORDS = ("type", "min", "max", "null_share", "in", "unique")
_ROWS_WORDS = ("min", "max", "change")
_LARGEST = 2**64  # no column holds a larger whole number; JSON readers lose digits beyond it
Say = Callable[[str], None]


def read_contract(value: object) -> tuple[Contract | None, tuple[str, ...]]:
    """Return the contract of a declaration, and what is wrong with it, a line each.

    Args:
        value: What stands under ``contract`` in an entry of the interface.

    Returns:
        The contract, ``None`` if anything is wrong with it.
    """
    lines: list[str] = []
    if not isinstance(value, Mapping):
        return None, (f"it must be a dictionary, not {shown(value)}",)
    if not value:
        return None, (f"it is empty. Give it {', '.join(_WORDS)}, or leave it out",)
    _words(value, _WORDS, lines.append)
    columns = _columns(value.get("columns", {}), lines)
    other = value.get("other_columns", "allow")
    if other not in ("allow", "refuse"):
        lines.append(f"'other_columns' is {shown(other)}; it may be 'allow' or 'refuse'")
    key = _key(value.get("key", ()), lines)
    rows = _rows(value.get("rows", {}), lines)
    if lines:
        return None, tuple(lines)
    return Contract(columns, "refuse" if other == "refuse" else "allow", key, *rows), ()


def as_literal(contract: Contract) -> dict[str, Any]:
    """Return the declaration of a contract, as short as it can be said."""
    rows = dict(
        zip(
            _ROWS_WORDS,
            (contract.rows_min, contract.rows_max, contract.rows_change),
            strict=True,
        )
    )
    parts: dict[str, Any] = {
        "columns": {column.name: _column_literal(column) for column in contract.columns},
        "other_columns": contract.other_columns,
        "key": list(contract.key),
        "rows": {word: limit for word, limit in rows.items() if limit is not None},
    }
    said = {word: part for word, part in parts.items() if part and part != "allow"}
    return said or {"other_columns": "allow"}


def _column_literal(column: ColumnRules) -> Any:
    one_of = None if column.one_of is None else list(column.one_of)
    values = (column.type, column.min, column.max, column.null_share, one_of, column.unique or None)
    rules = {w: v for w, v in zip(_COLUMN_WORDS, values, strict=True) if v is not None}
    return column.type if set(rules) == {"type"} else rules


# -- columns -----------------------------------------------------------------------------------


def _columns(value: object, lines: list[str]) -> tuple[ColumnRules, ...]:
    if not isinstance(value, Mapping):
        lines.append(f"'columns' must be a dictionary of columns, not {shown(value)}")
        return ()
    if len(value) > MOST_COLUMNS:
        lines.append(f"'columns' has {len(value):,} columns; {MOST_COLUMNS:,} are the most")
        return ()
    found = []
    for name, rules in value.items():
        if not isinstance(name, str) or not name:
            lines.append(f"'columns' has a column called {shown(name)}; a name is text")
            continue
        faults: list[str] = []
        found.append(_column(name, rules, faults.append))
        lines.extend(f"column {shown(name)}: {fault}" for fault in faults)
    return tuple(found)


def _column(name: str, value: object, say: Say) -> ColumnRules:
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, Mapping):
        say(f"it must be a type or a dictionary of rules, not {shown(value)}")
        return ColumnRules(name)
    _words(value, _COLUMN_WORDS, say)
    kind = _type(value.get("type"), say)
    low, high = (_bound(word, value.get(word), kind, say) for word in ("min", "max"))
    _order(low, high, say)
    unique = value.get("unique", False)
    if not isinstance(unique, bool):
        say(f"'unique' is {shown(unique)}; it may be True or False")
    share = _share("null_share", value.get("null_share"), say, most=1)
    return ColumnRules(name, kind, low, high, share, _values(value.get("in"), say), unique is True)


def _type(value: object, say: Say) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        say(f"'type' is {shown(value)}; it must be the name of a type")
        return None
    advice = types.why_not(value)
    if advice:
        say(f"{shown(value)} is no type. {advice}")
        return None
    return value


def _bound(word: str, value: object, kind: str | None, say: Say) -> Bound | None:
    if value is None:
        return None
    if isinstance(value, str):
        if _moment(value) is None:
            say(f"'{word}' is {shown(value)}; as text it must be a date or time, '2024-12-31'")
        elif kind is not None and not types.is_moment(kind):
            say(f"'{word}' is the date {shown(value)}, but the type is {kind}")
        else:
            return value
        return None
    if not _is_number(value):
        say(f"'{word}' is {shown(value)}; it must be a number, or a date as text")
        return None
    if kind is not None and not types.is_number(kind):
        say(f"'{word}' is the number {shown(value)}, but the type is {kind}")
        return None
    return value  # type: ignore[return-value]  # _is_number has looked


def _order(low: Bound | None, high: Bound | None, say: Say) -> None:
    if low is None or high is None:
        return
    if isinstance(low, str) or isinstance(high, str):
        if not (isinstance(low, str) and isinstance(high, str)):
            say("'min' and 'max' must both be numbers, or both dates")
            return
        first, last = _moment(low), _moment(high)
        wrong = first is not None and last is not None and first > last
    else:
        wrong = low > high
    if wrong:
        say(f"'min' {shown(low)} is larger than 'max' {shown(high)}")


def moment(text: str) -> dt.datetime:
    """Return the point in time of an ISO 8601 date or time, in UTC if it does not say.

    Raises:
        ValueError: If it is none.
    """
    found = dt.datetime.fromisoformat(text)
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _moment(text: str) -> dt.datetime | None:
    try:
        return moment(text)
    except (ValueError, OverflowError):
        return None


def _values(value: object, say: Say) -> tuple[Plain, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        say(f"'in' must be a list of values, not {shown(value)}")
    elif not value:
        say("'in' is an empty list: no value could be there")
    elif len(value) > MOST_VALUES:
        say(f"'in' has {len(value):,} values; {MOST_VALUES:,} are the most")
    else:
        wrong = [item for item in value if not (isinstance(item, bool | str) or _is_number(item))]
        if not wrong:
            return tuple(value)
        say(f"'in' holds {shown(wrong[0])}; it may hold numbers, texts, True and False")
    return None


# -- the whole ---------------------------------------------------------------------------------


def _key(value: object, lines: list[str]) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) and n for n in names):
        lines.append(f"'key' must be a list of columns, not {shown(value)}")
        return ()
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        lines.append(f"'key' names column {shown(twice)} twice")
    return tuple(names)


def _rows(value: object, lines: list[str]) -> tuple[int | None, int | None, float | None]:
    if not isinstance(value, Mapping):
        lines.append(f"'rows' must be a dictionary of {', '.join(_ROWS_WORDS)}, not {shown(value)}")
        return None, None, None

    def say(line: str) -> None:
        lines.append(f"rows: {line}")

    _words(value, _ROWS_WORDS, say)
    low, high = (_count(word, value.get(word), say) for word in ("min", "max"))
    _order(low, high, say)
    return low, high, _share("change", value.get("change"), say)


def _count(word: str, value: object, say: Say) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST:
        return value
    say(f"'{word}' is {shown(value)}; it must be a number of rows, 0 or more")
    return None


def _share(word: str, value: object, say: Say, *, most: float = math.inf) -> float | None:
    if value is None:
        return None
    if _is_number(value) and 0 <= value <= most:  # type: ignore[operator]
        return value  # type: ignore[return-value]
    limit = "from 0 to 1" if most == 1 else "0 or more, and 0.1 for a tenth"
    say(f"'{word}' is {shown(value)}; it must be a share, {limit}")
    return None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < _LARGEST


def _words(given: Mapping[Any, Any], known: Collection[str], say: Say) -> None:
    for word in given:
        if word not in known:
            advice = suggest(str(word), tuple(known)) or f"There is {', '.join(known)}."
            say(f"{shown(word)} is no rule. {advice}")
