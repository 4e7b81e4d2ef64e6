"""Anything that is a table, as record batches of about the size of a row group."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sinara.errors import StoreError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_BYTES = 64 * 1024 * 1024  # of Arrow data in one row group
GROUP_ROWS = 1024 * 1024


def as_batches(table: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema and the record batches of anything that :func:`write_table` takes.

    Raises:
        UsageError: If ``table`` is no table.
    """
    import pyarrow as pa

    if isinstance(table, pa.RecordBatchReader):
        return table.schema, iter(table)
    if isinstance(table, pa.RecordBatch):
        return table.schema, iter([table])
    if isinstance(table, pa.Table):
        return table.schema, iter(table.to_batches(max_chunksize=GROUP_ROWS))
    kind = type(table).__module__.partition(".")[0], type(table).__name__
    if kind == ("pandas", "DataFrame"):
        return as_batches(pa.Table.from_pandas(table))
    if kind == ("polars", "LazyFrame"):
        return as_batches(table.collect(engine="streaming"))
    if kind == ("polars", "DataFrame"):
        return as_batches(table.to_arrow())
    if hasattr(table, "__arrow_c_stream__"):
        return as_batches(pa.RecordBatchReader.from_stream(table))
    if isinstance(table, Iterable) and not isinstance(table, str | bytes | Mapping):
        return _chained(iter(table))
    raise UsageError(
        f"{type(table).__name__} is no table. Give a pandas or polars frame, a pyarrow table, or "
        "an iterable of record batches; for other data write files to substep.outputs()."
    )


def _chained(tables: Iterator[Any]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the batches of several tables, one after the other, in the schema of the first."""
    try:
        first = next(tables)
    except StopIteration:
        raise UsageError(
            "There is no batch to write, so nothing tells the columns. "
            "Give an empty table with a schema."
        ) from None
    schema, batches = as_batches(first)

    def rest() -> Iterator[pa.RecordBatch]:
        for table in tables:
            other, more = as_batches(table)
            if not other.equals(schema):
                raise StoreError(
                    f"A batch has columns ({_columns(other)}), the first one had "
                    f"({_columns(schema)}). Cast the batches to one schema."
                )
            yield from more

    return schema, itertools.chain(batches, rest())


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def grouped(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather small batches, and cut large ones, into tables about as large as a row group."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in itertools.chain.from_iterable(map(_cut, batches)):
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_batches(held, schema)
            held, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(held, schema)


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    pieces = max(1, -(-batch.nbytes // GROUP_BYTES))
    step = max(1, -(-batch.num_rows // pieces))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)
