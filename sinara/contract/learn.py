"""A first contract, learned from data: what holds of it, with some room for the next run.

What is learned is accepted by the data that it was learned from. Limits are rounded outwards;
columns that grow by their nature, keys and points in time, get none.
"""

from __future__ import annotations

import decimal
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sinara.contract import compare, types
from sinara.contract.files import Column, Table
from sinara.contract.unique import comparable, find_repeats
from sinara.contract.values import ColumnRules, Contract

if TYPE_CHECKING:
    import pyarrow as pa

CHANGE = 0.1  # the share by which the number of rows may change
_FEW = 12  # different texts of a column that are a list of what may be there
_OFTEN = 10  # times that each of them stands there on average
_KEYS_TRIED = 8
_INDEX = re.compile(r"__index_level_[0-9]+__")  # of pandas: where rows lay, which is no promise


@dataclass
class _Seen:
    """What a pass over a column has met."""

    missing: int = 0
    low: Any = None
    high: Any = None
    texts: set[str] | None = field(default_factory=set)  # None: too many


def learn(table: Table) -> Contract:
    """Return a contract that the table keeps.

    Args:
        table: The files of an entity.

    Raises:
        ContractError: If a file cannot be read.
    """
    every = (column for column in table.columns.values() if not column.fault)
    plain = [column for column in every if not _INDEX.fullmatch(column.name)]
    seen = {column.name: _Seen() for column in plain}
    wanted = [column.name for column in plain if not types.is_nested(column.kind)]
    for batch in table.batches(wanted) if wanted else ():
        for name in wanted:
            _look(seen[name], batch.column(name))
    key = _find_key(table, plain, seen)
    columns = tuple(_rules(column, seen[column.name], table.rows, key) for column in plain)
    return Contract(columns, key=key, rows_min=1 if table.rows else None, rows_change=CHANGE)


def _look(seen: _Seen, array: pa.Array) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    seen.missing += pc.sum(compare.missing(array)).as_py() or 0
    kind = compare.values_of(array.type)
    if types.is_number(str(kind)):
        limits = pc.min_max(compare.plain(array)).as_py()
        if limits["min"] is not None:
            seen.low = limits["min"] if seen.low is None else min(seen.low, limits["min"])
            seen.high = limits["max"] if seen.high is None else max(seen.high, limits["max"])
    if seen.texts is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        found = pc.unique(compare.plain(array)) if len(seen.texts) <= _FEW else ()
        seen.texts |= {text for text in (v.as_py() for v in found[: _FEW + 2]) if text is not None}
        seen.texts = seen.texts if len(seen.texts) <= _FEW else None


def _find_key(table: Table, columns: list[Column], seen: dict[str, _Seen]) -> tuple[str, ...]:
    """Return the first column that tells each row from any other, if one does."""
    tried = 0
    for column in columns:
        one = seen[column.name]
        whole = types.is_integer(column.kind)
        text = types.plain(column.kind) == "string" and one.texts is None
        if column.partition or one.missing or table.rows < 2 or not comparable(column.kind):
            continue
        if (whole and one.high - one.low + 1 >= table.rows) or text:
            tried += 1
            if not find_repeats(table, [column.name]).rows:
                return (column.name,)
        if tried == _KEYS_TRIED:
            break
    return ()


def _rules(column: Column, seen: _Seen, rows: int, key: tuple[str, ...]) -> ColumnRules:
    kind: str | None = types.plain(column.kind)
    if column.partition and kind is not None:
        kind = "integer" if types.is_integer(kind) else kind
    if kind == "null":
        kind = None
    elif kind is not None and kind.startswith("decimal"):  # how many digits is the data's own
        kind = "decimal"
    low = high = None
    if column.name not in key and seen.low is not None and not column.partition:
        low, high = _rounded(seen.low, up=False), _rounded(seen.high, up=True)
    elif seen.low is not None and seen.low >= 0 and not column.partition:
        low = 0
    return ColumnRules(
        column.name, kind, low, high, _null_share(column, seen, rows), _one_of(seen, rows)
    )


def _null_share(column: Column, seen: _Seen, rows: int) -> float | None:
    if types.is_nested(column.kind) or seen.missing == rows:
        return None
    digits = -math.floor(math.log10(seen.missing / rows)) + 1 if seen.missing else 0
    share = math.ceil(seen.missing / rows * 10**digits) / 10**digits
    return 0 if not seen.missing else share if share * rows >= seen.missing and share < 1 else None


def _one_of(seen: _Seen, rows: int) -> tuple[str, ...] | None:
    if not seen.texts or rows - seen.missing < _OFTEN * len(seen.texts):
        return None
    return tuple(sorted(seen.texts))


def _rounded(value: Any, *, up: bool) -> int | float | None:
    """Return a limit that ``value`` keeps, of one or two digits; ``None`` if there is none.

    Zero stays, and what lies above it begins at zero.
    """
    if not up and value >= 0:
        return 0
    if isinstance(value, float) and not math.isfinite(value):
        return None
    exact = decimal.Decimal(value)
    if not exact:
        return 0
    with decimal.localcontext(prec=400):
        unit = decimal.Decimal(1).scaleb(exact.adjusted() - 1)
        rounding = decimal.ROUND_CEILING if up else decimal.ROUND_FLOOR
        limit = (exact / unit).to_integral_value(rounding) * unit
    rounded = int(limit) if isinstance(value, int) else float(limit)
    if not math.isfinite(rounded) or abs(rounded) >= 2**64:
        return None
    short = int(rounded) if rounded == int(rounded) and abs(rounded) < 2**53 else rounded
    return (
        short
        if (decimal.Decimal(short) >= exact if up else decimal.Decimal(short) <= exact)
        else None
    )
