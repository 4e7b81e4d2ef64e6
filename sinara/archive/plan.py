"""What an archive says it holds, judged as a whole before one byte of it is written."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sinara.archive.layout import COLUMNS, CONTENT_TYPES, FOLDER_NAME, NEEDED, split_piece
from sinara.errors import ArchiveError
from sinara.extract.limits import Limits, Meter
from sinara.extract.members import MemberNames, Parts, member_parts, one_line, refusal

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LATEST_TIME = 1 << 33  # seconds: the year 2242
_NO_NUMBER = -1


@dataclass
class Target:
    """One file or empty folder to be made."""

    parts: Parts
    mode: int | None
    seconds: float | None  # when it was last changed, since 1970
    size: int = 0
    begun: bool = False
    pieces: dict[int, Row] = field(default_factory=dict)  # by number; one, for a file in one row

    @property
    def is_folder(self) -> bool:
        """Whether this is an empty folder."""
        return self.mode is not None and stat.S_ISDIR(self.mode)


@dataclass
class Row:
    """Where the content of one row goes."""

    target: Target
    length: int
    start: int = 0


class Plan:
    """The rows of an archive, read without their content.

    Args:
        where: The archive, for refusals.
        stored: The size of its parquet files, in bytes.
        limits: What to refuse.
    """

    def __init__(self, where: str, stored: int, limits: Limits) -> None:
        self.meter = Meter(where, stored, limits)
        self.files: list[list[Row]] = []  # the rows of each parquet file
        self._where = where
        self._limits = limits
        self._names = MemberNames(where)
        self._targets: dict[str, Target] = {}

    def read(self, parquet: Any) -> None:
        """Add the rows of one parquet file (an open ``ParquetFile``).

        Raises:
            ArchiveError: If it has not the columns of an archive, or a row is refused.
        """
        there = parquet.schema_arrow.names
        missing = [name for name in NEEDED if name not in there]
        if missing or str(parquet.schema_arrow.field("content").type) not in CONTENT_TYPES:
            found = ", ".join(f"{item.name}: {item.type}" for item in parquet.schema_arrow)
            raise ArchiveError(
                f"{self._where} is no archive: it needs the columns {', '.join(NEEDED)} of text, "
                f"bytes and an integer, but has {one_line(found)}."
            )
        self.meter.add(0, parquet.metadata.num_rows)
        rows: list[Row] = []
        columns = [name for name in COLUMNS if name in there and name != "content"]
        own = "part" in there
        for batch in parquet.iter_batches(batch_size=4096, columns=columns, use_threads=False):
            rows.extend(self._row(row, own) for row in _rows(batch))
        self.files.append(rows)

    def finish(self) -> None:
        """Give every piece its place, when all rows are known.

        Raises:
            ArchiveError: If a piece is missing.
        """
        for target in self._targets.values():
            for number, (at, row) in enumerate(sorted(target.pieces.items())):
                if at not in (number, _NO_NUMBER):
                    name = "/".join(target.parts)
                    raise refusal(self._where, name, f"lacks its piece {number}")
                row.start = target.size
                target.size += row.length

    @property
    def targets(self) -> Iterable[Target]:
        """All files and empty folders."""
        return self._targets.values()

    def _row(self, values: dict[str, Any], own: bool) -> Row:
        name, length, mode = values["relPath"], values["length"], values.get("mode")
        if not isinstance(name, str) or not isinstance(length, int):
            raise ArchiveError(f"{self._where} is damaged: a row has no path or no length.")
        piece = split_piece(name) if not own or values["part"] is not None else None
        path, number = piece or (name, _NO_NUMBER)
        if own and (number != (_NO_NUMBER if values["part"] is None else values["part"])):
            raise refusal(self._where, name, "is not the piece that it says it is")
        folder = mode is not None and stat.S_ISDIR(mode)
        if folder:
            path = path.removesuffix(f"/{FOLDER_NAME}")
        self.meter.add(length, 0)
        target = self._target(path, mode, values, folder=folder)
        alone = number == _NO_NUMBER or _NO_NUMBER in target.pieces
        if number in target.pieces or (target.pieces and alone):
            raise refusal(self._where, path, "is there twice")
        target.pieces[number] = Row(target, length)
        return target.pieces[number]

    def _target(
        self, path: str, mode: int | None, values: dict[str, Any], *, folder: bool
    ) -> Target:
        known = self._targets.get(path)
        if known is not None:
            return known
        # The original writes "/a" for the file "a" of the folder; a second "/" is refused.
        parts = member_parts(self._where, path.removeprefix("/"), self._limits.max_depth)
        if not parts:
            raise refusal(self._where, path, "has no name")
        self._names.add(parts, folder=folder)
        target = Target(parts, mode, values.get("modificationTime"))
        self._targets[path] = target
        return target


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    columns = {name: _values(name, batch.column(name)) for name in batch.schema.names}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _values(name: str, column: Any) -> list[Any]:
    import pyarrow as pa

    if name != "modificationTime":
        values: list[Any] = column.to_pylist()
        return values
    if not pa.types.is_timestamp(column.type):
        return [None] * len(column)
    per_second = _PER_SECOND[column.type.unit]
    times = column.cast(pa.int64()).to_pylist()
    seconds = (None if time is None else time / per_second for time in times)
    return [time if time is not None and 0 <= time < _LATEST_TIME else None for time in seconds]
