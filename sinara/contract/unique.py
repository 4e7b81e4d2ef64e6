"""Whether some columns tell each row from any other, in bounded memory.

::

    one column of numbers    rising from row to row?     ─► no row twice
      or points in time      within a small range?       ─► a mark for each number seen
    any columns              a 64-bit word for each row, a part of the words at a time, sorted;
                             rows whose words are equal are compared by their values
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sinara.contract import types
from sinara.contract.files import Table
from sinara.contract.scan import SAMPLES
from sinara.contract.statistics import extent

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MOST_WORDS = 2**24  # in memory at a time: 128 MiB
_MOST_MARKS = 2**27  # bytes, one for each number of a range
_CANDIDATES = 1000  # words that stand for two rows or more, looked up at a time
_GOLDEN = 0x9E3779B97F4A7C15  # odd: multiplying by it loses nothing


@dataclass(frozen=True)
class Repeats:
    """Rows that have the values of another one.

    Attributes:
        rows: How many rows repeat an earlier one.
        places: Of up to three rows that have their values twice, from 0.
    """

    rows: int = 0
    places: tuple[int, ...] = ()


def comparable(kind: str) -> bool:
    """Return whether values of an Arrow type can be looked for twice."""
    return not types.is_nested(kind)


def find_repeats(table: Table, names: Sequence[str]) -> Repeats:
    """Return which rows repeat an earlier one; rows with a missing value are left out.

    Args:
        table: The table.
        names: The columns; all of them comparable.

    Raises:
        ContractError: If a file cannot be read.
    """
    if len(names) == 1 and (_rises(table, names[0]) or _all_marked(table, names[0])):
        return Repeats()
    rows, candidates = _equal_words(table, names)
    if not rows:
        return Repeats()
    places = _compare(table, names, candidates)
    return Repeats(rows, places) if places else Repeats()


# -- one column of whole numbers -------------------------------------------------------------


def _rises(table: Table, name: str) -> bool:
    """Return whether each value is larger than the one in the row before; none is missing."""
    if not _is_whole(table, name):
        return False
    last: int | None = None
    for batch in table.batches([name]):
        array = batch.column(0)
        if array.null_count:
            return False
        values = _whole(array)
        if not len(values):
            continue
        if (last is not None and values[0] <= last) or not (values[1:] > values[:-1]).all():
            return False
        last = values[-1]
    return True


def _all_marked(table: Table, name: str) -> bool:
    """Return whether as many different numbers are marked as there are values."""
    import numpy as np

    known = extent(table, name) if types.is_integer(table.columns[name].kind) else None
    if known is None or not isinstance(known.low, int) or not isinstance(known.high, int):
        return False
    span = known.high - known.low + 1
    if span > min(_MOST_MARKS, 8 * table.rows) or known.high >= 2**63:
        return False
    marks, filled = np.zeros(span, bool), 0
    for batch in table.batches([name]):
        values = _whole(batch.column(0).drop_null())
        marks[values - known.low] = True
        filled += len(values)
    return bool(np.count_nonzero(marks) == filled)


def _is_whole(table: Table, name: str) -> bool:
    column = table.columns[name]
    return not column.partition and (
        types.is_integer(column.kind) or column.kind.startswith(("date", "timestamp["))
    )


def _whole(array: pa.Array) -> np.ndarray[Any, Any]:
    """Return values without a missing one as numbers of 64 bits; different ones differ."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_date32(kind) or _is_time(kind, 32):
        array = array.view(pa.int32())
    elif pa.types.is_boolean(kind):
        array = array.cast(pa.int8())
    unsigned = pa.types.is_uint64(kind) or pa.types.is_date64(kind) or _is_time(kind, 64)
    array = array.view(pa.int64()) if unsigned else array.cast(pa.int64())
    numbers: np.ndarray[Any, Any] = array.to_numpy()
    return numbers


def _is_time(kind: pa.DataType, bits: int) -> bool:
    return bool(kind.bit_width == bits and str(kind).startswith(("time", "duration")))


# -- any columns -----------------------------------------------------------------------------


def _equal_words(table: Table, names: Sequence[str]) -> tuple[int, np.ndarray[Any, Any]]:
    """Return how many rows have the word of an earlier row, and the first such words."""
    import numpy as np

    bits = max(0, (table.rows - 1).bit_length() - (MOST_WORDS - 1).bit_length())
    rows, candidates = 0, np.empty(0, np.uint64)
    buffer = np.empty(min(table.rows, MOST_WORDS + MOST_WORDS // 8), np.uint64)
    for part in range(1 << bits):
        used = 0
        for _, _, every, there in _words(table, names):
            found = every if there.all() else every[there]
            mine = found[found >> np.uint64(64 - bits) == part] if bits else found
            if used + len(mine) > len(buffer):  # the parts are not of one size
                buffer = np.concatenate([buffer, np.empty(len(buffer) // 2 + len(mine), np.uint64)])
            buffer[used : used + len(mine)] = mine
            used += len(mine)
        words = buffer[:used]
        words.sort()
        again = words[1:][words[1:] == words[:-1]]
        rows += len(again)
        room = _CANDIDATES - len(candidates)
        candidates = np.concatenate([candidates, np.unique(again)[:room]])
    return rows, candidates


def _compare(
    table: Table, names: Sequence[str], candidates: np.ndarray[Any, Any]
) -> tuple[int, ...]:
    """Return the places of up to three rows whose values stand there twice; none if none does."""
    import numpy as np

    first: dict[tuple[Any, ...], int] = {}
    places: list[int] = []
    for start, batch, words, there in _words(table, names):
        for at in np.flatnonzero(np.isin(words, candidates)).tolist():
            if not there[at]:
                continue
            values = tuple(_text(batch.column(name)[at]) for name in names)
            if values in first:
                places += [p for p in (first[values], start + at) if p not in places]
                if len(places) >= SAMPLES:
                    return tuple(places[:SAMPLES])
            elif len(first) < 100 * _CANDIDATES:
                first[values] = start + at
    return tuple(places)


def _text(value: pa.Scalar) -> str:
    import pyarrow as pa

    text = str(value)
    return "0.0" if text == "-0.0" and pa.types.is_floating(value.type) else text


def _words(
    table: Table, names: Sequence[str]
) -> Iterator[tuple[int, pa.RecordBatch, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Yield the place of a batch's first row, the batch, a word for each row, and which count.

    A row that has a missing value does not count.
    """
    import numpy as np

    start = 0
    for batch in table.batches(list(names)):
        words = np.zeros(batch.num_rows, np.uint64)
        there = np.ones(batch.num_rows, bool)
        with np.errstate(over="ignore"):
            for name in names:
                found, valid = _column_words(batch.column(name))
                words = _mixed(words + found) if len(names) > 1 else found * np.uint64(_GOLDEN)
                there &= valid
        yield start, batch, words, there
        start += batch.num_rows


def _mixed(words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return words in which each bit depends on all bits of the old ones.

    Source:
        The finalizer of SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
        generators", OOPSLA 2014.
    """
    import numpy as np

    words = words + np.uint64(_GOLDEN)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray[Any, Any] = words ^ (words >> np.uint64(31))
    return mixed


def _column_words(array: pa.Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return a word for each value, and whether the value is there."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from sinara.contract.compare import missing

    if pa.types.is_dictionary(array.type):
        inner, there = _column_words(array.dictionary)
        places = pc.fill_null(array.indices, 0).to_numpy(zero_copy_only=False)
        valid = np.asarray(array.is_valid())
        if not len(inner):
            return np.zeros(len(array), np.uint64), valid
        return inner[places], valid & there[places]
    valid = ~np.asarray(missing(array))
    kind = array.type
    if pa.types.is_floating(kind):
        numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0  # no negative zero
        return numbers.view(np.uint64), valid
    if pa.types.is_integer(kind) or pa.types.is_temporal(kind) or pa.types.is_boolean(kind):
        filled = (
            array
            if not array.null_count
            else pc.fill_null(array, pa.scalar(0, pa.int8()).cast(kind))
        )
        return _whole(filled).view(np.uint64), valid
    return _text_words(array), valid


def _text_words(array: pa.Array) -> np.ndarray[Any, Any]:
    import numpy as np
    import pyarrow as pa
    from pandas.util import hash_array

    if pa.types.is_decimal(array.type) or pa.types.is_null(array.type):
        array = array.cast(pa.string())
    texts = np.asarray(array.to_numpy(zero_copy_only=False), dtype=object)
    return np.asarray(hash_array(texts, categorize=False), np.uint64)
