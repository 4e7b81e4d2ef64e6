"""A run record as JSON text, and back.

The text is JSON that any reader takes: no NaN, no value that JSON does not know.
A reader skips keys that it does not know and refuses a newer ``schema_version``.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sinara.errors import CorruptError, StoreError
from sinara.record.values import SCHEMA_VERSION, RunRecord

_DEEPEST = 50  # levels of nesting kept of a value; deeper ones become their text


def to_json(record: RunRecord) -> str:
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
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"A run record is not JSON: {error}. Restore record.json.") from error
    if not isinstance(data, dict):
        raise CorruptError(f"A run record is a JSON object; found {type(data).__name__}.")
    version = data.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise StoreError(
            f"Run '{data.get('run_id')}' was recorded by a newer sinara (schema {version}; "
            f"this one reads up to {SCHEMA_VERSION}). Upgrade: pip install -U sinara"
        )
    record: RunRecord = _build(RunRecord, data, "record")
    return record


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _build(cls: Any, data: Any, where: str) -> Any:
    """Return a ``cls`` made of the keys of ``data`` that it knows."""
    if not isinstance(data, dict):
        raise _wrong(where, "an object", data)
    given: dict[str, Any] = {}
    for known in fields(cls):
        if known.name in data:
            hint = _hints(cls)[known.name]
            given[known.name] = _read(hint, data[known.name], f"{where}.{known.name}")
        elif known.default is MISSING and known.default_factory is MISSING:
            raise CorruptError(f"A run record is damaged: {where}.{known.name} is missing.")
    return cls(**given)


def _read(hint: Any, value: Any, where: str) -> Any:
    """Return ``value`` as the type ``hint`` of a field has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        if value not in inner:
            raise _wrong(where, " or ".join(map(str, inner)), value)
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else _read(inner[0], value, where)
    if origin is tuple:
        return _read_tuple(inner, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        return {key: _read(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(hint):
        return _build(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _wrong(where, hint.__name__, value)
    return value


def _read_tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, "a list", value)
    if inner[-1] is not Ellipsis and len(inner) != len(value):
        raise _wrong(where, f"{len(inner)} items", value)
    kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
    pairs = zip(kinds, value, strict=True)
    return tuple(_read(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))


def _wrong(where: str, wanted: str, found: Any) -> CorruptError:
    shown = _text(found)[:60]
    return CorruptError(f"A run record is damaged: {where} has to be {wanted}; found {shown!r}.")
