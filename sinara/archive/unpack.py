"""An archive becomes a folder of files: first its rows are judged, then its content is written."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from sinara.archive.plan import Plan, Row, Target
from sinara.errors import ArchiveError
from sinara.extract.limits import Limits
from sinara.extract.members import one_line
from sinara.extract.tars import write_all
from sinara.extract.tree import Tree, new_tree

_BATCH_BYTES = 256 << 20  # that one batch decodes to at most, if the archive is hostile
_BATCH_ROWS = 1024
_READ_BYTES = 1 << 20  # pages are read by and by, not a row group at once


class Stored(Protocol):
    """One parquet file of an archive."""

    @property
    def size(self) -> int:
        """In bytes."""

    def open(self) -> IO[bytes]:
        """Open it for reading."""


def unpack(where: str, stored: Sequence[Stored], folder: Path, limits: Limits) -> None:
    """Write the files of an archive into ``folder``, all of them or none.

    Args:
        where: The archive, for refusals: "Archive /data/x".
        stored: Its parquet files.
        folder: Made if it is missing; files in it that have the same names are replaced.
        limits: What to refuse.

    Raises:
        ArchiveError: If the archive is damaged, hostile or beyond the limits; ``folder`` is
            then as it was.
    """
    plan = Plan(where, sum(file.size for file in stored), limits)
    with _reported(where):
        for file in stored:
            with _parquet(file) as parquet:
                plan.read(parquet)
        plan.finish()
        _check_space(where, plan.meter.bytes, folder)
    with new_tree(folder) as tree, _reported(where):
        for target in plan.targets:
            if target.is_folder:
                tree.make_folder(target.parts)
        for file, rows in zip(stored, plan.files, strict=True):
            with _parquet(file) as parquet, contextlib.closing(_Files(tree)) as files:
                _write_rows(where, parquet, rows, files)


def _write_rows(where: str, parquet: Any, rows: list[Row], files: _Files) -> None:
    at = 0
    with contextlib.closing(_contents(parquet)) as contents:
        for content in contents:
            if at == len(rows) or len(content) != rows[at].length:
                raise ArchiveError(f"{where} is damaged: a row has not the length that it says.")
            if not rows[at].target.is_folder:
                files.write(rows[at], content)
            at += 1
    if at != len(rows):
        raise ArchiveError(f"{where} was changed while it was read.")


class _Files:
    """Writes rows to files; a file stays open until another is written, for pieces follow."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._target: Target | None = None
        self._out = -1

    def write(self, row: Row, content: memoryview) -> None:
        """Write the content of one row to its place."""
        if row.target is not self._target:
            self.close()
            self._out = self._open(row.target)
            self._target = row.target
        if len(row.target.pieces) > 1:
            os.lseek(self._out, row.start, os.SEEK_SET)
        write_all(self._out, content)

    def close(self) -> None:
        """Close the file that is open, if one is."""
        target, self._target = self._target, None
        if target is None:
            return
        try:
            if target.seconds is not None and os.utime in os.supports_fd:
                os.utime(self._out, (target.seconds, target.seconds))
        finally:
            os.close(self._out)

    def _open(self, target: Target) -> int:
        if target.begun:
            return self._tree.reopen(target.parts)
        target.begun = True
        return self._tree.create(target.parts, target.mode)


def _contents(parquet: Any) -> Generator[memoryview, None, None]:
    """Give the content of every row in order, one batch in memory.

    Decoding ahead in a thread was measured, and was slower on a disk than one after the other.
    """
    for batch in _batches(parquet):
        yield from _views(batch.column("content"))


def _batches(parquet: Any) -> Iterator[Any]:
    for group in range(parquet.metadata.num_row_groups):
        # A column may be stored as numbers of a few values, so that each row decodes to as much
        # as the whole group stores. (What encodings a column has is not asked: pyarrow ends the
        # process when that part of the metadata is damaged.)
        size = parquet.metadata.row_group(group).total_byte_size
        rows = min(max(1, _BATCH_BYTES // max(size, 1)), _BATCH_ROWS)
        yield from parquet.iter_batches(
            batch_size=rows, row_groups=[group], columns=["content"], use_threads=False
        )


def _views(column: Any) -> Iterator[memoryview]:
    """Give the values of a binary array without copying them."""
    if column.null_count:
        raise ValueError("a row has no content")
    _, ends, data = column.buffers()
    wide = str(column.type) == "large_binary"
    first, last = column.offset, column.offset + len(column)
    at = memoryview(ends)[: (last + 1) * (8 if wide else 4)].cast("q" if wide else "i")
    body = memoryview(data) if data is not None else memoryview(b"")
    for row in range(first, last):
        yield body[at[row] : at[row + 1]]


@contextlib.contextmanager
def _parquet(file: Stored) -> Iterator[Any]:
    from pyarrow import parquet

    with file.open() as source:
        yield parquet.ParquetFile(source, buffer_size=_READ_BYTES)


def _check_space(where: str, needed: int, folder: Path) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise ArchiveError(
            f"{where} unpacks to {needed:,} bytes, but {there} has {free:,} left. "
            "Nothing was written."
        )


@contextlib.contextmanager
def _reported(where: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, LookupError, OverflowError, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # pyarrow's own have no number
            raise ArchiveError(f"{where} cannot be unpacked: {error.strerror}") from error
        raise ArchiveError(
            f"{where} is damaged: {one_line(error)}. Nothing was written."
        ) from error
