"""How files lie in an archive: the parquet columns, and the names of the pieces of large files.

::

    modificationTime  timestamp     when the file was last changed
    length            int64         bytes in this row
    content           binary        the file, or one piece of it
    relPath           string        "/sub/file", or "/sub/file.parts/part-0007" for a piece
    mode              int32         st_mode; a folder's row stands for an empty folder
    part              int32         the number of the piece; null for a file in one row

The first four are those of the original system (Spark's ``binaryFile`` source, its ``path`` made
relative), in its order, and the pieces are named as it names them: either reads what the other
wrote. It passes over the last two, and its archives do not have them; a piece is then known by
its name alone. Rows and files come in any order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST_ROW = 64 << 20
LARGEST_BLOCK = 256 << 20  # bytes of one block pass through memory together
COLUMNS = ("modificationTime", "length", "content", "relPath", "mode", "part")
NEEDED = ("relPath", "content", "length")
CONTENT_TYPES = ("binary", "large_binary")
FOLDER_NAME = ".folder"  # to the original's readers an empty folder is one that holds this file

# The original joins pieces in the order of their names, and four digits is what it prints: a
# longer file gets longer pieces, so that its names still sort as their numbers do.
_PIECES = 10_000
_PIECE = re.compile(r"(?P<file>.*[^/])\.parts/part-(?P<number>\d{4,9})", re.DOTALL)


def schema() -> pa.Schema:
    """Return the columns of an archive written here."""
    import pyarrow as pa

    types = (
        pa.timestamp("us", tz="UTC"),
        pa.int64(),
        pa.binary(),
        pa.string(),
        pa.int32(),
        pa.int32(),
    )
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def piece_size(length: int, row_size: int) -> int:
    """Return in how many bytes each piece of a file of ``length`` bytes is cut."""
    return min(max(row_size, -(-length // _PIECES)), LARGEST_ROW)


def piece_name(path: str, number: int) -> str:
    """Return the ``relPath`` of one piece of a file."""
    return f"{path}.parts/part-{number:04d}"


def split_piece(path: str) -> tuple[str, int] | None:
    """Return the file and the number that the ``relPath`` of a piece names; None for no piece."""
    match = _PIECE.fullmatch(path)
    return (match["file"], int(match["number"])) if match else None
