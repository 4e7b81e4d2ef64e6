"""A folder of files becomes parquet: one buffer is filled, written as one block, filled again."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from sinara.archive.layout import (
    FOLDER_NAME,
    LARGEST_BLOCK,
    piece_name,
    piece_size,
    schema,
)
from sinara.archive.source import Source
from sinara.errors import ArchiveError

if TYPE_CHECKING:
    import pyarrow as pa

_FILE_SIZE = 1 << 30  # bytes after which the next parquet file is begun
_MICROSECOND = 1_000  # in nanoseconds


def pack(
    files: Iterable[Source],
    new_file: Callable[[int], IO[bytes]],
    *,
    row_size: int,
    block_size: int,
) -> None:
    """Write files as an archive.

    Args:
        files: What to pack; each is read before the next is asked for.
        new_file: Called with 0, 1, …: gives the parquet files to write to, as they are needed.
        row_size: Bytes that one row may hold: longer files are cut in pieces.
        block_size: Bytes of one row group. About that much memory is used, twice.

    Raises:
        ArchiveError: If a file changes while it is read.
    """
    with _Writer(new_file, min(block_size, LARGEST_BLOCK)) as writer:
        for source in files:
            if source.file is None:
                writer.add(f"/{source.path}/{FOLDER_NAME}", source, 0, None)
                continue
            length, piece = source.status.st_size, piece_size(source.status.st_size, row_size)
            if length <= piece:
                writer.add(f"/{source.path}", source, length, None)
            else:
                for number, start in enumerate(range(0, length, piece)):
                    name = piece_name(f"/{source.path}", number)
                    writer.add(name, source, min(piece, length - start), number)
            if os.read(source.file, 1):
                raise _changed(source)


@dataclass
class _Rows:
    """The columns of the block that is being filled, ``content`` apart."""

    paths: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    parts: list[int | None] = field(default_factory=list)
    ends: array[int] = field(default_factory=lambda: array("i", [0]))


class _Writer:
    """Fills a block, writes it, and begins a new parquet file when one is long enough."""

    def __init__(self, new_file: Callable[[int], IO[bytes]], block_size: int) -> None:
        self._new_file = new_file
        self._block_size = block_size
        self._buffer = bytearray(block_size)
        self._rows = _Rows()
        self._schema = schema()
        self._files = 0
        self._sink: IO[bytes] | None = None
        self._parquet: Any = None
        self._written = 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush(even_if_empty=self._files == 0)
        finally:
            self._close()

    def add(self, path: str, source: Source, length: int, part: int | None) -> None:
        """Read the next ``length`` bytes of a file into one row."""
        rows = self._rows
        if rows.paths and rows.ends[-1] + length > self._block_size:
            self._flush()
            rows = self._rows
        if length > len(self._buffer):
            self._buffer = bytearray(length)
        start = rows.ends[-1]
        if source.file is not None:
            _read_into(source, memoryview(self._buffer)[start : start + length])
        rows.paths.append(path)
        rows.times.append(source.status.st_mtime_ns // _MICROSECOND)
        rows.modes.append(stat.S_IFMT(source.status.st_mode) | source.status.st_mode & 0o777)
        rows.parts.append(part)
        rows.ends.append(start + length)

    def _flush(self, *, even_if_empty: bool = False) -> None:
        if not self._rows.paths and not even_if_empty:
            return
        if self._parquet is None:
            self._open()
        self._parquet.write_batch(_batch(self._rows, self._buffer, self._schema))
        self._written += self._rows.ends[-1]
        self._rows = _Rows()
        if self._written >= _FILE_SIZE:
            self._close()

    def _open(self) -> None:
        from pyarrow import parquet

        self._sink = self._new_file(self._files)
        self._parquet = parquet.ParquetWriter(
            self._sink,
            self._schema,
            # Pages of about one large row, so that their buffers are used again: 1.2 times faster.
            write_batch_size=1,
            # Measured on 1 GB: snappy is as fast as nothing, zstd 1.3 times slower; and snappy
            # cannot shrink more than 21 times, so no archive of ours looks like a bomb.
            compression="snappy",
            use_dictionary=False,
            write_statistics=False,
            store_schema=False,
        )
        self._files += 1
        self._written = 0

    def _close(self) -> None:
        parquet, sink = self._parquet, self._sink
        self._parquet = self._sink = None
        try:
            if parquet is not None:
                parquet.close()
        finally:
            if sink is not None:
                sink.close()


def _batch(rows: _Rows, content: bytearray, layout: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    lengths = [end - start for start, end in zip(rows.ends, rows.ends[1:], strict=False)]
    bodies = pa.Array.from_buffers(
        pa.binary(), len(lengths), [None, pa.py_buffer(rows.ends), pa.py_buffer(content)]
    )
    columns = [rows.times, lengths, bodies, rows.paths, rows.modes, rows.parts]
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, item.type)
        for column, item in zip(columns, layout, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=layout)


def _read_into(source: Source, view: memoryview) -> None:
    assert source.file is not None
    while view:
        got = os.readv(source.file, [view])
        if not got:
            raise _changed(source)
        view = view[got:]


def _changed(source: Source) -> ArchiveError:
    return ArchiveError(f"{source.path!r} was changed while it was packed. Pack it again.")
