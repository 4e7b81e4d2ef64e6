"""What is kept of a failure, as values, and as the JSON of ``failure.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FILE_NAME = "failure.json"  # beside the executed notebook
SCHEMA_VERSION = 1
MOST_FRAMES = 20
MOST_VARIABLES = 30  # of one frame
MOST_COLUMNS = 30  # of one table
MOST_TEXT = 300  # characters of one value
MOST_BYTES = 200_000  # of all frames together


@dataclass(frozen=True)
class Variable:
    """One variable as it was when the cell failed."""

    name: str
    type: str  # qualified: "pandas.core.frame.DataFrame"
    value: str = ""  # the beginning of its repr; empty where only the shape is told
    length: int | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    columns: tuple[tuple[str, str], ...] = ()  # (name, type)
    note: str = ""  # why there is no value: "masked", "its repr raised ValueError", ...

    @property
    def size(self) -> str:
        """Its shape, length and dtype in a few words; empty where it has none."""
        parts = [" x ".join(f"{n:,}" for n in self.shape)] if self.shape else []
        if self.length is not None and not self.shape:
            parts.append(f"length {self.length:,}")
        return ", ".join([*parts, *([self.dtype] if self.dtype else [])])


@dataclass(frozen=True)
class Frame:
    """One frame of the traceback, the cell's own first."""

    file: str  # a path, or "Cell In [3]"
    line: int
    function: str  # "<module>" for the code of a cell itself
    source: str = ""  # the line of code
    variables: tuple[Variable, ...] = ()
    left_out: int = 0  # variables beyond the limit


@dataclass(frozen=True)
class Variables:
    """The variables at a failure, or why there are none."""

    message: str = ""  # why nothing, or not all, was kept
    frames: tuple[Frame, ...] = ()  # outermost first, as in a traceback
    left_out: int = 0  # frames between the first and the others


def to_json(kept: Variables) -> str:
    """Return ``kept`` as JSON text."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **_lean(asdict(kept))}, indent=1) + "\n"


def _lean(value: Any) -> Any:
    """Return a JSON value without what is empty: :func:`read` fills it in."""
    if isinstance(value, dict):
        return {key: _lean(item) for key, item in value.items() if item not in ("", None, (), [])}
    return [_lean(item) for item in value] if isinstance(value, list | tuple) else value


def read(text: str | bytes) -> Variables | None:
    """Return what a ``failure.json`` holds; ``None`` if it is none. Never raises."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict) or given.get("schema_version") != SCHEMA_VERSION:
        return None
    return Variables(
        _text(given.get("message"), 1000),
        tuple(map(frame, _objects(given.get("frames"))[:MOST_FRAMES])),
        _number(given.get("left_out")),
    )


def frame(given: Mapping[str, Any]) -> Frame:
    """Return a frame made of whatever ``given`` holds; what does not fit is left out."""
    return Frame(
        _text(given.get("file"), 1000),
        _number(given.get("line")),
        _text(given.get("function"), 200),
        _text(given.get("source"), MOST_TEXT),
        tuple(map(_variable, _objects(given.get("variables"))[:MOST_VARIABLES])),
        _number(given.get("left_out")),
    )


def _variable(given: Mapping[str, Any]) -> Variable:
    length, shape, columns = (given.get(key) for key in ("length", "shape", "columns"))
    return Variable(
        _text(given.get("name"), 200),
        _text(given.get("type"), 200),
        _text(given.get("value"), 2 * MOST_TEXT),
        length if isinstance(length, int) else None,
        tuple(_number(n) for n in shape[:10]) if isinstance(shape, list) else (),
        _text(given.get("dtype"), 200),
        tuple(
            (_text(column[0], 100), _text(column[1], 100))
            for column in (columns[:MOST_COLUMNS] if isinstance(columns, list) else ())
            if isinstance(column, list) and len(column) == 2
        ),
        _text(given.get("note"), 200),
    )


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
