"""Say in a few words what a value is, running as little of its own code as can be.

Containers of the language are walked through, a few items deep. A ``repr`` of others is called
only where no more is to be expected of it than a text: not of what is read by being
looked at (iterators, files), nor of queries that would run.
"""

from __future__ import annotations

import collections
import io
import itertools
import types
from collections.abc import Iterable, Iterator
from typing import Any

from sinara.postmortem.masks import MASK, Masks, is_secret, is_secret_object
from sinara.postmortem.values import MOST_COLUMNS, MOST_TEXT

CUT = "…"  # stands where something was cut off: the driver looks for halves of secrets there
_ITEMS, _DEPTH, _STRING = 6, 4, 80
_BRACKETS: dict[Any, str] = {
    list: "[]",
    tuple: "()",
    set: "{}",
    frozenset: "{}",
    collections.deque: "[]",
}
_MAPPINGS = (
    dict,
    collections.OrderedDict,
    collections.defaultdict,
    collections.Counter,
    types.MappingProxyType,
)
_CALLABLE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)
_QUERIES = {"pyspark", "django", "sqlalchemy", "dask", "ibis", "duckdb", "peewee", "asyncio"}
_ARRAYS = {"numpy", "torch", "tensorflow", "jax", "jaxlib", "scipy", "xarray", "cupy"}
_TABLES = {"pandas", "polars", "pyarrow"}


def type_name(value: object) -> str:
    """Return the qualified name of the type of ``value``."""
    kind = type(value)
    module = kind.__module__ if isinstance(kind.__module__, str) else ""
    name = kind.__qualname__
    return name if module in {"builtins", ""} else f"{module}.{name}"


def describe(name: str, value: Any, masks: Masks) -> dict[str, Any]:
    """Return a variable as JSON has it. May raise, or take long: foreign code may run.

    Args:
        name: What it is called.
        value: The value.
        masks: The secrets that are known.
    """
    about: dict[str, Any] = {"name": name, "type": type_name(value)}
    if type(value) in {str, bytes, bytearray, range, *_BRACKETS, *_MAPPINGS}:
        about["length"] = len(value)
    roots = _roots(value)
    if is_secret(name, value) and not roots & _TABLES:
        return {**about, "note": "masked"}
    if roots & _TABLES:
        return {**about, **_table(value, masks)}
    if roots & _ARRAYS and hasattr(value, "shape"):
        return {**about, **_array(value, masks)}
    return {**about, "value": text(value, masks)}


def _roots(value: object) -> set[str]:
    """Return the packages that the type of ``value`` and its bases come from."""
    return {str(base.__module__).partition(".")[0] for base in type(value).__mro__}


def text(value: Any, masks: Masks) -> str:
    """Return the beginning of what ``value`` looks like."""
    return _cut(_show(value, masks, 0), masks)


def _cut(shown: str, masks: Masks) -> str:
    shown = masks.text(shown[: MOST_TEXT + masks.reach])
    return shown if len(shown) <= MOST_TEXT else shown[:MOST_TEXT] + CUT


def _show(value: Any, masks: Masks, depth: int) -> str:
    kind = type(value)
    if value is None or value is Ellipsis or kind in {bool, float, complex}:
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() < 1000 else f"<int of {value.bit_length()} bits>"
    if kind in {str, bytes, bytearray}:
        return _string(value, masks, MOST_TEXT - 10 if depth == 0 else _STRING)
    if kind in _BRACKETS:
        return _sequence(value, _BRACKETS[kind], masks, depth)
    if kind in _MAPPINGS:
        return _mapping(value.items(), ": ", "{}", masks, depth)
    return _object(value, masks, depth)


def _string(value: Any, masks: Masks, most: int) -> str:
    """Return the repr of a text; of a long one, of its beginning."""
    part = value[: most + masks.reach]
    if isinstance(part, str):
        part = masks.text(part)
    whole = repr(part[:most])
    return whole if len(value) <= most else f"{whole[:-1]}{CUT}{whole[-1]}"


def _sequence(value: Iterable[Any], brackets: str, masks: Masks, depth: int) -> str:
    if depth >= _DEPTH:
        return f"{brackets[0]}{CUT}{brackets[1]}"
    items = list(itertools.islice(value, _ITEMS + 1))
    shown = [_show(item, masks, depth + 1) for item in items[:_ITEMS]]
    more = [CUT] if len(items) > _ITEMS else []
    return f"{brackets[0]}{', '.join([*shown, *more])}{brackets[1]}"


def _mapping(
    items: Iterable[tuple[Any, Any]], between: str, brackets: str, masks: Masks, depth: int
) -> str:
    if depth >= _DEPTH:
        return f"{brackets[0]}{CUT}{brackets[1]}"
    pairs = list(itertools.islice(items, _ITEMS + 1))
    shown = []
    for key, item in pairs[:_ITEMS]:
        name = str(key) if between == "=" else _show(key, masks, depth + 1)
        said = MASK if is_secret(key, item) else _show(item, masks, depth + 1)
        shown.append(f"{name}{between}{said}")
    more = [CUT] if len(pairs) > _ITEMS else []
    return f"{brackets[0]}{', '.join([*shown, *more])}{brackets[1]}"


def _object(value: Any, masks: Masks, depth: int) -> str:
    kind: Any = type(value)
    name = type_name(value)
    roots = _roots(value)
    if is_secret_object(value):
        return f"Secret({MASK})"
    if roots & (_TABLES | _ARRAYS) and getattr(value, "shape", None):
        return f"<{name} {tuple(value.shape)}>"
    if isinstance(value, _CALLABLE):
        return f"<{kind.__name__} {getattr(value, '__qualname__', '')}>"
    if isinstance(value, types.ModuleType):
        return f"<module {value.__name__}>"
    if isinstance(value, BaseException):
        return f"{name}{_sequence(value.args, '()', masks, depth)}"
    if isinstance(value, Iterator | io.IOBase) or kind.__module__ == "os" or roots & _QUERIES:
        return f"<{name}>"
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict) and (
        kind.__repr__ is object.__repr__ or hasattr(kind, "__dataclass_fields__")
    ):
        return f"{kind.__name__}{_mapping(attributes.items(), '=', '()', masks, depth)}"
    return _cut(repr(value), masks)


def _table(value: Any, masks: Masks) -> dict[str, Any]:
    """Return rows, columns and types of a table, or what is known of a column or array."""
    columns = _columns(value)
    if columns is not None:
        most = itertools.islice(columns, MOST_COLUMNS)
        told = [[_cut(str(name), masks), str(kind)] for name, kind in most]
        return {"shape": _shape(value), "columns": told}
    about: dict[str, Any] = {}
    kind = getattr(value, "dtype", None) or getattr(value, "type", None)
    if kind is not None and not callable(kind):
        about["dtype"] = str(kind)
    if isinstance(getattr(value, "shape", None), tuple):
        about["shape"] = _shape(value)
    if about and hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        about.setdefault("length", len(value))
        part = value[:_ITEMS]
        listed = getattr(part, "tolist", None) or getattr(part, "to_list", None)
        return {**about, "value": text(listed(), masks) if listed else ""}
    return {**about, "value": "" if about else f"<{type_name(value)}>"}


def _columns(value: Any) -> Iterable[tuple[Any, Any]] | None:
    kind = type(value)
    if any(base.__name__ == "DataFrame" for base in kind.__mro__) and hasattr(value, "columns"):
        return zip(list(value.columns), list(value.dtypes), strict=False)
    schema = getattr(value, "schema", None)
    if hasattr(value, "num_rows") and schema is not None:  # pyarrow: a table, a batch
        return zip(schema.names, schema.types, strict=False)
    return None


def _array(value: Any, masks: Masks) -> dict[str, Any]:
    about: dict[str, Any] = {"shape": _shape(value), "dtype": str(getattr(value, "dtype", ""))}
    if any(base.__module__ == "numpy" for base in type(value).__mro__) and hasattr(value, "flat"):
        items = value.flat[:_ITEMS].tolist()
        shown = text(items, masks)
        about["value"] = f"{shown[:-1]}, {CUT}]" if value.size > _ITEMS else shown
    return about


def _shape(value: Any) -> list[int]:
    return [int(number) for number in tuple(value.shape)[:10]]
