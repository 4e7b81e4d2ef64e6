"""The types that a contract may name, and whether what is stored is one of them.

Arrow's own names (``int64``, ``double``, ``timestamp[us, tz=UTC]``, ``list<element: string>``), or
a family:

    integer     int8 … uint64               number      integer, float or decimal of any size
    string      text, however it is stored   date        days, however they are stored
    timestamp   of any unit and zone         decimal, binary, list, struct, map

A dictionary (what pandas calls a category) counts as the type of its values.
"""

from __future__ import annotations

from sinara.errors import suggest

_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_FLOATS = ("halffloat", "float", "double")
_STRINGS = ("string", "large_string", "string_view")
_BINARIES = ("binary", "large_binary", "binary_view")
_DATES = ("date32[day]", "date64[ms]")
_OTHER = {"float16": "halffloat", "float32": "float", "float64": "double", "boolean": "bool"}
_SIMPLE = ("null", "bool", *_INTEGERS, *_FLOATS, *_STRINGS, *_BINARIES, *_DATES, *_OTHER)
_NESTED = {  # family -> how the names of its types begin
    "timestamp": ("timestamp[",),
    "decimal": ("decimal32(", "decimal64(", "decimal128(", "decimal256("),
    "list": ("list<", "large_list<", "fixed_size_list<", "list_view<", "large_list_view<"),
    "struct": ("struct<",),
    "map": ("map<",),
}
_FAMILIES = ("integer", "number", "date", *_NESTED)
_PREFIXES = (
    *(prefix for prefixes in _NESTED.values() for prefix in prefixes),
    "time32[", "time64[", "duration[", "fixed_size_binary[", "dictionary<",
)  # fmt: skip
_DICTIONARY = "dictionary<values="
_CLOSING = {"[": "]", "(": ")", "<": ">"}
KNOWN = tuple(dict.fromkeys((*_FAMILIES, *_SIMPLE)))


def why_not(name: str) -> str:
    """Return why ``name`` is no type, with advice; empty if it is one."""
    if name in KNOWN:
        return ""
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
    whole = prefix and len(name) > len(prefix)  # "dictionary<>" and so on are left to Arrow
    closing = {"fixed_size_list<": "]"}.get(prefix or "", _CLOSING.get((prefix or " ")[-1], ""))
    if whole and name.endswith(closing):
        return ""
    return suggest(name, KNOWN) or (
        "Use a name that 'sinara entity show' prints, or integer, number, string, date, timestamp."
    )


def plain(kind: str) -> str:
    """Return a type as a contract says it best: how text or days are stored is left out."""
    kind = _values(_OTHER.get(kind, kind))
    for family, several in (("string", _STRINGS), ("binary", _BINARIES), ("date", _DATES)):
        if kind in several:
            return family
    return kind


def fits(wanted: str, kind: str) -> bool:
    """Return whether a column of the Arrow type ``kind`` is what a contract calls ``wanted``."""
    wanted, kind = plain(wanted), plain(kind)
    if wanted == kind:
        return True
    if wanted == "integer":
        return is_integer(kind)
    if wanted == "number":
        return is_number(kind)
    return kind.startswith(_NESTED.get(wanted, ())) if wanted in _NESTED else False


def is_integer(kind: str) -> bool:
    """Return whether a type, or a family, holds whole numbers only."""
    return kind in (*_INTEGERS, "integer")


def is_float(kind: str) -> bool:
    """Return whether a type holds floating point numbers, which may be NaN."""
    return kind in _FLOATS


def is_number(kind: str) -> bool:
    """Return whether a type, or a family, holds numbers."""
    named = plain(kind)
    numbers = is_integer(named) or is_float(named) or named in ("number", "decimal")
    return numbers or named.startswith(_NESTED["decimal"])


def is_moment(kind: str) -> bool:
    """Return whether a type, or a family, holds dates or points in time."""
    named = plain(kind)
    return named in ("date", "timestamp") or named.startswith("timestamp[")


def is_nested(kind: str) -> bool:
    """Return whether a type holds lists, structs or maps."""
    return kind.startswith((*_NESTED["list"], *_NESTED["struct"], *_NESTED["map"]))


def _values(kind: str) -> str:
    """Return the type of the values of a dictionary; any other type as it is."""
    if not kind.startswith(_DICTIONARY):
        return kind
    return kind.removeprefix(_DICTIONARY).partition(", indices=")[0]
