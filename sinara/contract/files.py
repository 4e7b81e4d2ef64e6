"""The parquet files of an entity: their footers at once, their rows a batch at a time.

Memory stays bounded however many rows there are: a few batches of the columns asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.contract import types
from sinara.errors import ContractError

if TYPE_CHECKING:
    import pyarrow as pa

# What the store counts rows of (sinara.store.parquet), which is above this package.
_SUFFIXES = (".parquet", ".parq", ".pq")
_BATCH_ROWS = 128 * 1024
_READAHEAD = 4  # batches, of each of two files


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name.
        kind: Its Arrow type, as text.
        partition: Whether it stands in the names of folders, not in the files.
        fault: Why it cannot be read as one column; empty if it can.
    """

    name: str
    kind: str
    partition: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """The parquet files of one entity.

    Attributes:
        base: The entity's folder, as the file system calls it.
        files: Paths, sorted.
        footers: The metadata of each file.
        schemas: The Arrow schema of each file.
        partitions: The keys that folders are named by.
        columns: By name, in the order met; those of partitions last.
    """

    base: str
    files: tuple[str, ...]
    footers: tuple[Any, ...]
    schemas: tuple[pa.Schema, ...]
    partitions: tuple[pa.Field, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict)
    _filesystem: Any = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        """How many rows the files hold."""
        return sum(footer.num_rows for footer in self.footers)

    def batches(
        self, columns: Sequence[str], *, as_dictionaries: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows, in their order, decoded by several threads.

        Args:
            columns: Which columns; each must be one that has no fault.
            as_dictionaries: Columns of text that are wanted as the file stores them, each value
                once.

        Raises:
            ContractError: If a file cannot be read.
        """
        import pyarrow as pa

        try:
            yield from self._scanner(columns, as_dictionaries).to_batches()
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.base, error) from error

    def _scanner(self, columns: Sequence[str], as_dictionaries: Sequence[str]) -> Any:
        import pyarrow as pa
        import pyarrow.dataset as ds

        options = ds.ParquetReadOptions(dictionary_columns=set(as_dictionaries))
        # Reading ahead would keep a column of the whole file in memory, and is slower on a disk.
        reading = ds.ParquetFragmentScanOptions(pre_buffer=False)
        text = pa.dictionary(pa.int32(), pa.string())
        fields = []
        for name in columns:
            if not self.columns[name].partition:
                kind = text if name in as_dictionaries else _common(self.schemas, name)
                fields.append(pa.field(name, kind))
        dataset = ds.dataset(
            list(self.files),
            schema=pa.schema([*fields, *self.partitions]),
            format=ds.ParquetFileFormat(options, default_fragment_scan_options=reading),
            filesystem=self._filesystem,
            partitioning=ds.partitioning(pa.schema(self.partitions), flavor="hive"),
            partition_base_dir=self.base,
        )
        return dataset.scanner(
            columns=list(columns),
            batch_size=_BATCH_ROWS,
            batch_readahead=_READAHEAD,
            fragment_readahead=2,
        )


def open_table(url: str, storage_options: Mapping[str, Any]) -> Table | None:
    """Return the table at ``url``; ``None`` if no parquet file is there.

    Args:
        url: The entity's folder: a local path, or a URL of fsspec.
        storage_options: For fsspec.

    Raises:
        ContractError: If a file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        filesystem, base, files = _find(url, storage_options)
        if not files:
            return None
        footers = tuple(pq.read_metadata(path, filesystem=filesystem) for path in files)
        schemas = tuple(footer.schema.to_arrow_schema() for footer in footers)
        table = Table(base, tuple(files), footers, schemas, _filesystem=filesystem)
        table = replace(table, partitions=tuple(_partitions(table)))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(url, error) from error
    return replace(table, columns=_columns(table))


def _find(url: str, storage_options: Mapping[str, Any]) -> tuple[Any, str, list[str]]:
    if "://" not in url:
        there = (p.relative_to(url) for p in Path(url).rglob("*") if p.name.endswith(_SUFFIXES))
        return None, url, sorted(str(Path(url, path)) for path in there if _is_data(path.parts))
    import fsspec
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    files, base = fsspec.core.url_to_fs(url, **storage_options)
    found = (str(path) for path in files.find(base) if str(path).endswith(_SUFFIXES))
    inside = sorted(p for p in found if _is_data(p.removeprefix(base).strip("/").split("/")))
    return PyFileSystem(FSSpecHandler(files)), base, inside


def _is_data(parts: Sequence[str]) -> bool:
    """Return whether a path is data: by convention what begins with ``.`` or ``_`` is not."""
    return not any(part.startswith((".", "_")) for part in parts)


def _columns(table: Table) -> dict[str, Column]:
    named: dict[str, None] = dict.fromkeys(name for s in table.schemas for name in s.names)
    columns = {name: _column(table, name) for name in named}
    for item in table.partitions:
        columns.setdefault(item.name, Column(item.name, str(item.type), partition=True))
    return columns


def _column(table: Table, name: str) -> Column:
    kinds: dict[str, str] = {}
    fault = ""
    for path, schema in zip(table.files, table.schemas, strict=True):
        places = schema.get_all_field_indices(name)
        short = path.removeprefix(table.base).lstrip("/")
        if len(places) != 1:
            fault = fault or f"{'not' if not places else len(places)} times in {short}"
            fault = fault.replace("not times", "missing")
            continue
        kinds.setdefault(types.plain(str(schema.field(places[0]).type)), short)
    if len(kinds) > 1 and not fault:
        fault = ", ".join(f"{kind} in {short}" for kind, short in list(kinds.items())[:2])
    first = next(s for s in table.schemas if name in s.names)
    return Column(name, str(first.field(first.get_all_field_indices(name)[0]).type), fault=fault)


def _common(schemas: Sequence[pa.Schema], name: str) -> pa.DataType:
    """Return the type to read a column with: its own, or that of its values where files differ."""
    import pyarrow as pa

    kinds = list(dict.fromkeys(schema.field(name).type for schema in schemas))
    if len(kinds) == 1:
        return kinds[0]
    values = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in kinds]
    return next((kind for kind in values if str(kind).startswith("large_")), values[0])


def _partitions(table: Table) -> list[pa.Field]:
    """Return the keys that folders are named by (``day=1/…``), with the types of their values."""
    import pyarrow.dataset as ds

    folders = [path.removeprefix(table.base).rpartition("/")[0] for path in table.files]
    if not any("=" in folder for folder in folders):
        return []
    found = ds.dataset(
        list(table.files),
        format="parquet",
        filesystem=table._filesystem,
        partitioning="hive",
        partition_base_dir=table.base,
    )
    stored = {name for schema in table.schemas for name in schema.names}
    return [item for item in found.schema if item.name not in stored]


def _unreadable(where: str, error: Exception) -> ContractError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ContractError(f"The contract of {where} cannot be checked: {why}")
