"""The first rows of an entity, without reading the rest of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sinara.errors import StoreError


def read_head(url: str, rows: int, storage_options: Mapping[str, Any] | None = None) -> Any:
    """Return the first rows of an entity of parquet files.

    Args:
        url: The entity's URL: a local path, or an fsspec URL.
        rows: How many rows at the most.
        storage_options: What fsspec needs to open the URL.

    Returns:
        A ``pyarrow.Table``.

    Raises:
        StoreError: If the entity holds no parquet that can be read.
    """
    import fsspec
    import pyarrow
    from pyarrow import dataset, fs

    filesystem, path = fsspec.core.url_to_fs(url, **dict(storage_options or {}))
    files = sorted(found for found in filesystem.find(path) if found.endswith(".parquet"))
    if not files:
        raise StoreError(f"{url} holds no parquet file, so it has no rows to show.")
    arrow = fs.PyFileSystem(fs.FSSpecHandler(filesystem))
    try:
        return dataset.dataset(
            files, filesystem=arrow, partitioning="hive", partition_base_dir=path
        ).head(rows)
    except pyarrow.ArrowException as error:
        raise StoreError(f"{url} cannot be read: {str(error).splitlines()[0]}") from error
