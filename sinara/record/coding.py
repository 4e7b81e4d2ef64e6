"""A run record as JSON text, and back.

The text is JSON that any reader takes: no NaN, no value that JSON does not know.
A reader skips keys that it does not know and refuses a newer ``schema_version``.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sinara.errors import CorruptError, StoreError
from sinara.record.pipeline import PipelineRecord
from sinara.record.values import SCHEMA_VERSION, RunRecord

_DEEPEST = 50  # levels of nesting kept of a value; deeper ones become their text


def to_json(record: RunRecord | PipelineRecord) -> str:
    """Return ``record`` as JSON text that UTF-8 can hold.

    Values that JSON does not know become what a person would write: a NumPy scalar its
    number, a path or a date its text, NaN the word ``"NaN"``. Lone surrogates (file names
    that are no UTF-8) become escapes, so :func:`from_json` gives them back.
    """
    text = json.dumps(plain(record), ensure_ascii=False, indent=1, allow_nan=False)
    # A lone surrogate can only stand inside a JSON string, where its escape means the same.
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def plain(value: Any, depth: int = 0) -> Any:
    """Return ``value`` made of dict, list, str, int, float, bool and None only; never raises."""
    if value is None or isinstance(value, bool) or type(value) is str:
        return value
    if isinstance(value, int):
        # An IntEnum is its number; Python refuses to write integers of thousands of digits.
        return int(value) if value.bit_length() < 10_000 else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _no_number(value)
    if depth >= _DEEPEST:
        return _text(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name), depth + 1) for f in fields(value)}
    if isinstance(value, Mapping):
        return {_text(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in value]
    return _plain_object(value, depth)


def _plain_object(value: Any, depth: int) -> Any:
    """Turn a scalar of NumPy or pandas into Python's, and anything else into its text."""
    item = getattr(value, "item", None)
    if callable(item):
        try:
            return plain(item(), depth + 1)
        except (TypeError, ValueError):  # an array: more than one number
            return _text(value)
    return value.isoformat() if isinstance(value, datetime) else _text(value)


def _no_number(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # a foreign __str__ may raise anything, and a record has to be written
        return f"<{type(value).__name__}>"


def from_json(text: str | bytes) -> RunRecord:
    """Return the record that ``text`` holds.

    Raises:
        StoreError: A newer sinara wrote it.
        CorruptError: It is no record: not JSON, a key missing, or a value of a wrong type.
    """
    record: RunRecord = _read(text, RunRecord)
    return record


def pipeline_from_json(text: str | bytes) -> PipelineRecord:
    """Return the record of a pipeline run that ``text`` holds; raises as :func:`from_json`."""
    record: PipelineRecord = _read(text, PipelineRecord)
    return record


def value_from_json(text: str | bytes, kind: type, what: str) -> Any:
    """Return a frozen dataclass that :func:`plain` was made of, and JSON of that.

    Args:
        text: JSON.
        kind: The dataclass; its fields may be scalars, tuples, dictionaries and dataclasses.
        what: For messages: "service.json of …".

    Raises:
        CorruptError: If it is not JSON, a key is missing, or a value has a wrong type.
    """
    try:
        return _reader(kind)(_object(text, what))
    except _Mismatch as error:
        raise CorruptError(f"{what} is damaged: {error.place[1:]} {error.what}.") from None


def _object(text: str | bytes, what: str, advice: str = "") -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{what} is not JSON: {error}.{advice}") from error
    if not isinstance(data, dict):
        raise CorruptError(f"{what} is a JSON object; found {type(data).__name__}.")
    return data


def _read(text: str | bytes, kind: type) -> Any:
    data = _object(text, "A run record", " Restore record.json.")
    version = data.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise StoreError(
            f"Run '{data.get('run_id')}' was recorded by a newer sinara (schema {version}; "
            f"this one reads up to {SCHEMA_VERSION}). Upgrade: pip install -U sinara"
        )
    try:
        return _reader(kind)(data)
    except _Mismatch as error:
        raise CorruptError(f"A run record is damaged: record{error.place} {error.what}.") from None


# -- readers: a function for each type, made once, since thousands of records are read ---------

Reader = Callable[[Any], Any]


class _Mismatch(Exception):
    """A value that is not of its field's type; ``place`` grows on the way out."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what, self.place = what, place

    def inside(self, part: str) -> _Mismatch:
        return _Mismatch(self.what, f"{part}{self.place}")


def _wrong(wanted: str, found: Any) -> _Mismatch:
    return _Mismatch(f"has to be {wanted}; found {_text(found)[:60]!r}")


@cache
def _reader(hint: Any) -> Reader:
    """Return the function that gives a JSON value as the type ``hint`` of a field has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: value
    if origin is Literal:
        return _literal_reader(inner)
    if origin in (Union, types.UnionType):
        some = _reader(inner[0])
        return lambda value: None if value is None else some(value)
    if origin is tuple:
        return _list_reader(inner[0]) if inner[-1] is Ellipsis else _pair_reader(inner)
    if origin is dict:
        return _dict_reader(_reader(inner[1]))
    return _object_reader(hint) if is_dataclass(hint) else _scalar_reader(hint)


def _scalar_reader(hint: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is hint:
            return value
        if hint is float and type(value) is int:
            return float(value)
        raise _wrong(hint.__name__, value)

    return read


def _literal_reader(allowed: tuple[Any, ...]) -> Reader:
    def read(value: Any) -> Any:
        if value not in allowed:
            raise _wrong(" or ".join(map(str, allowed)), value)
        return value

    return read


def _dict_reader(some: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong("an object", value)
        try:
            return {key: some(item) for key, item in value.items()}
        except _Mismatch:
            return {key: _at(some, item, f".{key}") for key, item in value.items()}

    return read


def _list_reader(kind: Any) -> Reader:
    some = _reader(kind)

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise _wrong("a list", value)
        try:
            return tuple([some(item) for item in value])
        except _Mismatch:  # only now is it worth counting which one it is
            return tuple(_at(some, item, f"[{i}]") for i, item in enumerate(value))

    return read


def _pair_reader(kinds: tuple[Any, ...]) -> Reader:
    readers = [_reader(kind) for kind in kinds]

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise _wrong("a list", value)
        if len(value) != len(readers):
            raise _wrong(f"{len(readers)} items", value)
        try:
            return tuple([reader(item) for reader, item in zip(readers, value, strict=True)])
        except _Mismatch:
            return tuple(_at(readers[i], item, f"[{i}]") for i, item in enumerate(value))

    return read


def _object_reader(cls: Any) -> Reader:
    hints = get_type_hints(cls)
    known = [
        (each.name, _reader(hints[each.name]), each.default is each.default_factory is MISSING)
        for each in fields(cls)
    ]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong("an object", value)
        given = {}
        name = ""
        try:
            for name, reader, required in known:
                if name in value:
                    given[name] = reader(value[name])
                elif required:
                    raise _Mismatch("is missing")
        except _Mismatch as error:
            raise error.inside(f".{name}") from None
        return cls(**given)

    return read


def _at(reader: Reader, value: Any, place: str) -> Any:
    try:
        return reader(value)
    except _Mismatch as error:
        raise error.inside(place) from None
