"""What the footers of parquet files say: rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO

from sinara.errors import OutputError
from sinara.store.trees import partitions

Columns = tuple[tuple[str, str], ...]
MAGIC = b"PAR1"


def is_parquet(path: str) -> bool:
    """Return whether a name says that the file is parquet."""
    return path.endswith((".parquet", ".parq", ".pq"))


def read_footers(
    entity: str, paths: Sequence[str], open_file: Callable[[str], IO[bytes]]
) -> tuple[int | None, Columns]:
    """Read the footer of every parquet file among ``paths``.

    Returns:
        The rows in all of them, None if there is no parquet file; and the columns of all
        of them in the order met, keys of hive partitions last, with the type "partition".

    Raises:
        OutputError: One line per parquet file that cannot be read.
    """
    files = [path for path in paths if is_parquet(path)]
    if not files:
        return None, ()
    rows, columns, problems = 0, dict[str, str](), list[str]()
    for path in files:
        try:
            count, found = _footer(open_file(path))
        except (OSError, ValueError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            problems.append(f"Output '{entity}': '{path}' is no readable parquet file: {why}")
            continue
        rows += count
        for name, kind in found:
            columns.setdefault(name, kind)
    if problems:
        raise OutputError(*problems[:20])
    for key in partitions(files):
        columns.setdefault(key, "partition")
    return rows, tuple(columns.items())


def _footer(file: IO[bytes]) -> tuple[int, Columns]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with file:
        try:
            metadata = pq.read_metadata(file)
            schema = metadata.schema.to_arrow_schema()
        except pa.ArrowException as error:
            raise ValueError(str(error)) from error
    return metadata.num_rows, tuple((field.name, str(field.type)) for field in schema)


def looks_like_parquet(file: IO[bytes]) -> bool:
    """Return whether a file begins and ends as parquet does."""
    with file:
        start = file.read(4)
        size = file.seek(0, 2)
        if size < 12:
            return False
        file.seek(-4, 2)
        return start == MAGIC == file.read(4)
