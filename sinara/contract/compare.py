"""Limits and lists of a contract as functions over Arrow arrays.

Missing values, NaN among them, break no limit and no list: ``null_share`` is for them.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sinara.contract import types
from sinara.contract.read import moment
from sinara.contract.values import Bound, Plain

if TYPE_CHECKING:
    import pyarrow as pa

Mask = Callable[["pa.Array"], "pa.BooleanArray"]


def missing(array: pa.Array) -> pa.BooleanArray:
    """Return which values are missing: null, or NaN."""
    import pyarrow.compute as pc

    return pc.is_null(array, nan_is_null=True)


def outside(kind: pa.DataType, bound: Bound, *, below: bool) -> Mask | None:
    """Return a function that says which values are below, or above, a limit.

    Args:
        kind: The type of the column.
        bound: The limit.
        below: Whether it is the smallest value that may be there; otherwise the largest.

    Returns:
        The function; ``None`` if the limit is not of that type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    limit = _limit(values_of(kind), bound, below=below)
    if limit is None:
        return None
    if limit in (-math.inf, math.inf):  # a limit that no value of the type reaches
        everything = (limit > 0) is below
        return lambda array: pc.and_(pc.is_valid(array), pa.scalar(everything))
    beyond = pc.less if below else pc.greater
    return lambda array: beyond(plain(array), limit)


def _limit(kind: pa.DataType, bound: Bound, *, below: bool) -> Any:
    """Return a limit as Arrow compares it exactly; infinity if it is outside of the type."""
    import pyarrow as pa

    if isinstance(bound, str):
        return _moment_limit(kind, moment(bound)) if types.is_moment(str(kind)) else None
    if pa.types.is_integer(kind):
        whole = math.ceil(bound) if below else math.floor(bound)
        try:
            return pa.scalar(whole, kind)
        except (pa.ArrowInvalid, OverflowError):
            return math.copysign(math.inf, whole)
    if pa.types.is_floating(kind):  # 0.1 is the 0.1 that the type has
        return pa.scalar(float(bound), kind)
    if pa.types.is_decimal(kind):
        return _decimal_limit(kind, decimal.Decimal(str(bound)), below=below)
    return None


def _decimal_limit(kind: Any, bound: decimal.Decimal, *, below: bool) -> Any:
    import pyarrow as pa

    rounding = decimal.ROUND_CEILING if below else decimal.ROUND_FLOOR
    with decimal.localcontext(prec=120):
        rounded = bound.quantize(decimal.Decimal(1).scaleb(-kind.scale), rounding)
    try:
        return pa.scalar(rounded, kind)
    except pa.ArrowInvalid:
        return math.copysign(math.inf, rounded)


def _moment_limit(kind: Any, bound: dt.datetime) -> Any:
    """Return a point in time in the unit of microseconds; infinity where nanoseconds end."""
    import pyarrow as pa

    zone = getattr(kind, "tz", None)
    if getattr(kind, "unit", "") == "ns" and not 1678 <= bound.year <= 2261:
        return math.inf if bound.year > 2000 else -math.inf
    naive = bound.replace(tzinfo=None)
    return pa.scalar(bound if zone else naive, pa.timestamp("us", tz=zone))


def as_moment(value: Any) -> dt.datetime | None:
    """Return a date or a time of Python's in UTC; ``None`` if it is none."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    return None


def other_than(kind: pa.DataType, values: Sequence[Plain]) -> Mask | None:
    """Return a function that says which values are none of ``values``; ``None`` if none can be.

    ``None`` means that values of the type cannot be compared with a list of plain values.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    inner = values_of(kind)
    if pa.types.is_nested(inner) or pa.types.is_binary(inner) or pa.types.is_large_binary(inner):
        return None
    allowed = pa.array([v for v in (_member(inner, v) for v in values) if v is not None], inner)

    def mask(array: pa.Array) -> pa.BooleanArray:
        if pa.types.is_dictionary(array.type):
            among = pc.is_in(_as(array.dictionary, inner), value_set=allowed)
            if pc.all(among, min_count=0).as_py():  # whatever stands in which row
                return pa.repeat(pa.scalar(False), len(array))
            found = among.take(array.indices)
        else:
            found = pc.is_in(_as(array, inner), value_set=allowed)
        return pc.and_(pc.invert(found), pc.invert(missing(array)))

    return mask


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if array.type == kind else array.cast(kind)


def _member(kind: pa.DataType, value: Plain) -> Any:
    """Return one value of a list as the type has it; ``None`` if the type has no such value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if isinstance(value, bool) or pa.types.is_boolean(kind):
        return value if isinstance(value, bool) and pa.types.is_boolean(kind) else None
    if isinstance(value, str):
        if text:
            return value
        try:
            return pc.cast(pa.scalar(value), kind).as_py() if types.is_moment(str(kind)) else None
        except pa.ArrowInvalid:
            return None
    if text or not types.is_number(str(kind)):
        return None
    try:
        given: Any = decimal.Decimal(str(value)) if pa.types.is_decimal(kind) else value
        return pa.scalar(given, kind).as_py()
    except (pa.ArrowInvalid, OverflowError):
        return None


def values_of(kind: pa.DataType) -> pa.DataType:
    """Return the type that values of ``kind`` are compared in: nothing of how they are stored."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_float16(kind):
        return pa.float32()
    views = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return views.get(kind, kind)


def plain(array: pa.Array) -> pa.Array:
    """Return an array as its limits are compared: days become points in time."""
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = pa.timestamp("us") if pa.types.is_date32(array.type) else values_of(array.type)
    return _as(array, kind)
