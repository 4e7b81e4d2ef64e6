"""Tables written to and read from an entity: parquet, a bounded part at a time.

::

    <entity>/part-00000.parquet     row groups of at most a million rows; a new part after
            /part-00001.parquet     PART_BYTES of Arrow data, so memory stays bounded and
                                    readers can work in parallel

A write replaces what the entity held: on a local disk by renaming a folder that was written
beside it, on an object store by removing the older files after the new ones are there.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.errors import UsageError, suggest
from sinara.substep.batches import GROUP_ROWS, as_batches, grouped
from sinara.substep.places import filesystem, is_local

if TYPE_CHECKING:
    import pyarrow as pa

PART_BYTES = 256 * 1024 * 1024  # of Arrow data in one part
FORMS = ("pandas", "polars", "arrow", "batches")


def write_table(url: str, table: Any, storage_options: Mapping[str, Any]) -> int:
    """Write ``table`` to the entity at ``url`` and return the number of its rows.

    Args:
        url: The entity's folder.
        table: A pandas or polars frame, a pyarrow table, record batch or reader, anything
            else with ``__arrow_c_stream__``, or an iterable of any of these with one schema.
        storage_options: For fsspec.

    Raises:
        UsageError: If ``table`` is none of these, or an iterable with nothing in it.
        StoreError: If the batches of an iterable differ in their columns.
    """
    schema, batches = as_batches(table)
    if is_local(url):
        return _write_local(url, schema, batches)
    return _write_remote(url, schema, batches, storage_options)


def read_table(
    url: str, form: str, columns: Iterable[str] | None, storage_options: Mapping[str, Any]
) -> Any:
    """Return the table of the entity at ``url``.

    Args:
        url: The entity's folder.
        form: ``pandas``, ``polars``, ``arrow`` (a ``pyarrow.Table``) or ``batches``, a
            ``pyarrow.RecordBatchReader`` that holds a few batches in memory at a time.
        columns: Which columns, in which order; ``None`` for all.
        storage_options: For fsspec.

    Raises:
        UsageError: If the form or a column is unknown, or the entity is no table.
    """
    if form not in FORMS:
        raise UsageError(f"as_='{form}' is not one of {', '.join(FORMS)}. {suggest(form, FORMS)}")
    wanted = None if columns is None else list(columns)
    dataset = _dataset(url, storage_options)
    unknown = [name for name in wanted or () if name not in dataset.schema.names]
    if unknown:
        known = ", ".join(dataset.schema.names)
        raise UsageError(f"{url} has no column '{unknown[0]}'; it has {known}.")
    if form == "batches":
        scanner = dataset.scanner(
            columns=wanted, batch_size=64 * 1024, batch_readahead=2, fragment_readahead=1
        )
        return scanner.to_reader()
    table = dataset.to_table(columns=wanted)
    if form == "arrow":
        return table
    if form == "polars":
        import polars

        return polars.from_arrow(table)
    return table.to_pandas()


def _write_local(url: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    target = Path(url)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    old = beside.with_suffix(".old")
    target.parent.mkdir(parents=True, exist_ok=True)
    beside.mkdir()
    try:
        rows = _write_parts(
            lambda part: str(beside / f"part-{part:05d}.parquet"), None, schema, batches
        )
        if os.path.lexists(target):
            target.rename(old)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        if os.path.lexists(old) and not os.path.lexists(target):
            old.rename(target)
        raise
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    else:
        old.unlink(missing_ok=True)
    return rows


def _write_remote(
    url: str,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    storage_options: Mapping[str, Any],
) -> int:
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    files, path = filesystem(url, storage_options)
    files.invalidate_cache()
    older = files.find(path) if files.exists(path) else []
    token = secrets.token_hex(4)
    written: list[str] = []

    def name_of(part: int) -> str:
        written.append(f"{path}/part-{part:05d}-{token}.parquet")
        return written[-1]

    try:
        rows = _write_parts(name_of, PyFileSystem(FSSpecHandler(files)), schema, batches)
    except BaseException:
        files.invalidate_cache()
        for name in filter(files.exists, written):
            files.rm(name)
        raise
    for name in older:
        files.rm(name)
    files.invalidate_cache()
    return rows


def _write_parts(
    name_of: Callable[[int], str],
    filesystem: Any,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
) -> int:
    """Write the batches to as many parts as they need, at least one; return the number of rows."""
    import pyarrow.parquet as pq

    rows = part = 0
    groups = grouped(schema, batches)
    group = next(groups, None)
    while part == 0 or group is not None:
        size = 0
        with pq.ParquetWriter(name_of(part), schema, filesystem=filesystem) as writer:
            while group is not None and size < PART_BYTES:
                writer.write_table(group, row_group_size=GROUP_ROWS)
                size += group.nbytes
                rows += group.num_rows
                group = next(groups, None)
        part += 1
    return rows


def _dataset(url: str, storage_options: Mapping[str, Any]) -> Any:

    if is_local(url):
        return _open_dataset(url, None, url)
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    files, path = filesystem(url, storage_options)
    return _open_dataset(path, PyFileSystem(FSSpecHandler(files)), url)


def _open_dataset(path: str, filesystem: Any, url: str) -> Any:
    import pyarrow as pa
    import pyarrow.dataset

    try:
        dataset = pyarrow.dataset.dataset(
            path, format="parquet", filesystem=filesystem, partitioning="hive"
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise _no_table(url, error) from error
    if not dataset.files:
        raise _no_table(url, "it holds no file")
    return dataset


def _no_table(url: str, cause: object) -> UsageError:
    line = " ".join(str(cause).split())[:200]
    return UsageError(
        f"{url} cannot be read as a parquet table: {line}. Open its files yourself at that URL."
    )
