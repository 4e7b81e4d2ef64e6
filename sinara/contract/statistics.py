"""What the footers of parquet files say of a column, where they say it exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sinara.contract import types
from sinara.contract.files import Table

if TYPE_CHECKING:
    import pyarrow as pa

_OURS = "parquet-cpp"  # the writer that leaves NaN out of the limits of floating point columns


@dataclass(frozen=True)
class Extent:
    """What is known of a column without reading it.

    Attributes:
        nulls: How many values are missing, NaN not among them; ``None`` if that is not known.
        low: The smallest value, NaN left out; ``None`` if not known, or if there is none.
        high: The largest one.
        empty: Whether it is known that every value is missing.
    """

    nulls: int | None = None
    low: Any = None
    high: Any = None
    empty: bool = False


def extent(table: Table, name: str) -> Extent:
    """Return what the footers say of a column; nothing of one that is no plain column."""
    column = table.columns[name]
    if column.partition or column.fault:
        return Extent()
    chunks = [chunk for chunk in _chunks(table, name) if chunk is None or chunk.num_values]
    if any(chunk is None or chunk.statistics is None for chunk in chunks):
        return Extent()
    told = [(chunk.num_values, chunk.statistics) for chunk in chunks]
    counted = all(found.has_null_count for _, found in told)
    nulls = sum(found.null_count for _, found in told) if counted else None
    filled = [f for count, f in told if not (f.has_null_count and f.null_count == count)]
    if not filled:
        return Extent(nulls, empty=True)
    exact = types.is_number(column.kind) or types.is_moment(column.kind)
    if types.is_float(column.kind):
        exact = all(str(footer.created_by).startswith(_OURS) for footer in table.footers)
    if not exact or not all(found.has_min_max for found in filled):
        return Extent(nulls)
    limits = _limits(filled)
    return Extent(nulls, *limits) if limits else Extent(nulls)


def _limits(filled: list[Any]) -> tuple[Any, Any] | None:
    """Return the least and the largest value; None if pyarrow has no value for them."""
    try:
        low, high = min(found.min for found in filled), max(found.max for found in filled)
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return None
    known = low is not None and high is not None
    return (low, high) if known and low == low and high == high else None


def _chunks(table: Table, name: str) -> list[Any]:
    """Return the column's part of each row group; ``None`` for one that has none of its own."""
    found: list[Any] = []
    for footer, schema in zip(table.footers, table.schemas, strict=True):
        leaf = _leaf(schema, name)
        for group in range(footer.num_row_groups):
            found.append(None if leaf is None else footer.row_group(group).column(leaf))
    return found


def _leaf(schema: pa.Schema, name: str) -> int | None:
    """Return which of the stored columns is the one called ``name``: nested ones are several."""
    place = schema.get_field_index(name)
    if place < 0 or _leaves(schema.field(place).type) != 1 or schema.field(place).type.num_fields:
        return None
    return sum(_leaves(schema.field(index).type) for index in range(place))


def _leaves(kind: pa.DataType) -> int:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return 1
    inner = [kind.field(index).type for index in range(kind.num_fields)]
    return sum(map(_leaves, inner)) if inner else 1
