"""The functions and methods that may be worked out without running the notebook.

None has an effect but on the values that it is given, and what could grow is measured before
it is made.
"""

from __future__ import annotations

import builtins
import os.path
import re
import string
from collections.abc import Callable, Iterator
from typing import Any

from sinara.reading.values import MAX_TEXT, Budget, Unknown, UnreadableError, words

_WIDE = re.compile(r"[0-9]{4,}|\*")  # a width or precision of thousands, or one from an argument
_FIELD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|[0-9]*)((?:\[[^\[\].]+\])*)")
BUILTINS = words(
    "str repr int float bool len list tuple dict set sorted range zip enumerate min max abs"
)
_METHODS: dict[type, frozenset[str]] = {
    str: words(
        "lower upper title capitalize casefold swapcase strip lstrip rstrip split rsplit "
        "splitlines startswith endswith removeprefix removesuffix find count index "
        "partition rpartition isdigit isalpha isidentifier"
    ),
    dict: frozenset({"get", "keys", "values", "items", "copy"}),
    list: frozenset({"copy", "index", "count"}),
    tuple: frozenset({"index", "count"}),
}
_CHANGES: dict[type, frozenset[str]] = {
    list: frozenset({"append", "extend", "insert"}),
    dict: frozenset({"update", "setdefault"}),
    set: frozenset({"add"}),
}
_PATH_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "os.path.join": os.path.join,
    "os.path.basename": os.path.basename,
    "os.path.dirname": os.path.dirname,
    "os.path.normpath": os.path.normpath,
}


def call_known(name: str, args: list[Any], keywords: dict[str, Any], budget: Budget) -> Any:
    """Return what the function with the full name ``name`` gives."""
    if name.startswith("builtins."):
        return _builtin(name.removeprefix("builtins."), args, keywords, budget)
    if name in _PATH_FUNCTIONS and not keywords:
        return budget.bounded(_PATH_FUNCTIONS[name](*budget.plain(args)))
    raise UnreadableError(f"{name}() gives what only a run can tell")


def call_method(
    value: Any,
    method: str,
    args: list[Any],
    keywords: dict[str, Any],
    budget: Budget,
    *,
    pure: bool,
) -> Any:
    """Return what a method of a known value gives; ``pure`` refuses those that change the value."""
    kind = type(value)
    if kind is str and method in {"format", "join", "replace", "zfill"}:
        return _text_method(value, method, args, keywords, budget)
    if method in _CHANGES.get(kind, ()) and not pure:
        if method in {"extend", "update"}:
            args = [_pairs(arg, budget) if kind is dict else budget.items(arg) for arg in args]
        given = getattr(value, method)(*args, **keywords)
        budget.bounded(value)
        return given
    if method not in _METHODS.get(kind, ()):
        raise UnreadableError(f".{method}() gives what only a run can tell")
    if method == "get":
        key, *default = args
        found = value.get(key, *default, **keywords)
        if isinstance(found, Unknown):
            raise found.error()
        return found
    if method in {"index", "count"}:
        budget.plain(value)
    return getattr(value, method)(*budget.plain(args), **keywords)


def as_text(value: Any, how: str, budget: Budget) -> str:
    """Return ``str(value)``, ``repr(value)`` or ``ascii(value)``."""
    _refuse_sets(budget.plain(value))
    made: str = getattr(builtins, how)(value)
    return str(budget.bounded(made))


def formatted(value: Any, spec: str, budget: Budget) -> str:
    """Return ``format(value, spec)``."""
    if not spec:
        return as_text(value, "str", budget)
    if _WIDE.search(spec):
        raise UnreadableError(f"the format {spec[:20]!r} is too wide to be read")
    if type(value) not in (str, int, float, bool):
        raise UnreadableError(f"a value of type {type(value).__name__} is not formatted here")
    return str(budget.bounded(format(value, spec)))


def percent(template: str, values: Any, budget: Budget) -> str:
    """Return ``template % values``."""
    if _WIDE.search(template):
        raise UnreadableError(f"the format {template[:20]!r} is too wide to be read")
    _refuse_sets(budget.plain(values))
    if template.count("%") * len(as_text(values, "repr", budget)) > MAX_TEXT:
        raise UnreadableError(f"it is longer than {MAX_TEXT} characters")
    return str(budget.bounded(template % values))


def _builtin(name: str, args: list[Any], keywords: dict[str, Any], budget: Budget) -> Any:
    if name == "dict":
        return budget.bounded(dict(*(_pairs(arg, budget) for arg in args), **keywords))
    if name == "enumerate":
        return iter(list(enumerate(budget.items(args[0]), *args[1:], **keywords)))
    if keywords:
        raise UnreadableError(f"{name}() is read only with plain arguments")
    if name == "len":
        (value,) = args
        return len(value)
    if name in {"list", "tuple"}:
        made = budget.items(args[0]) if args else []
        return made if name == "list" else tuple(made)
    if name == "zip":
        return iter(list(zip(*(budget.items(arg) for arg in args), strict=False)))
    if name == "range":
        return range(*budget.plain(args))
    if name in {"str", "repr"} and len(args) == 1:
        return as_text(args[0], name, budget)
    if name in {"sorted", "set", "min", "max"} and len(args) <= 1:
        return getattr(builtins, name)(*(budget.plain(_members(arg, budget)) for arg in args))
    if name in {"int", "float", "bool", "abs", "min", "max"}:
        return budget.bounded(getattr(builtins, name)(*budget.plain(args)))
    raise UnreadableError(f"{name}() of this gives what only a run can tell")


def _members(value: Any, budget: Budget) -> list[Any]:
    """Return the items of a value where their order does not matter."""
    return list(value) if type(value) in (set, frozenset) else budget.items(value)


def _pairs(value: Any, budget: Budget) -> dict[Any, Any]:
    return value if type(value) is dict else dict(map(tuple, budget.items(value)))


def _text_method(
    text: str, method: str, args: list[Any], keywords: dict[str, Any], budget: Budget
) -> str:
    if method == "format":
        return "".join(_format_pieces(text, args, keywords, budget))
    if method == "join":
        (several,) = args
        parts = budget.plain(budget.items(several))
        return str(budget.bounded(text.join(parts)))
    budget.plain(args)
    if method == "zfill" and args[0] > 1000:
        raise UnreadableError("it is padded too far to be read")
    if method == "replace" and text.count(args[0]) * len(args[1]) + len(text) > MAX_TEXT:
        raise UnreadableError(f"it is longer than {MAX_TEXT} characters")
    return str(budget.bounded(getattr(text, method)(*args, **keywords)))


def _format_pieces(
    template: str, args: list[Any], keywords: dict[str, Any], budget: Budget
) -> Iterator[str]:
    """Yield the pieces of ``template.format(...)``, each looked up and bounded here."""
    next_place = 0
    size = 0
    for literal, name, spec, conversion in string.Formatter().parse(template):
        piece = literal
        if name is not None:
            match = _FIELD.fullmatch(name)
            if match is None or "{" in (spec or ""):
                raise UnreadableError(
                    f"the field {{{name[:40]}}} is read only by running the notebook"
                )
            first = match.group(1)
            if not first:
                first, next_place = str(next_place), next_place + 1
            value: Any = args[int(first)] if first.isdecimal() else keywords[first]
            for key in re.findall(r"\[([^\]]+)\]", match.group(2)):
                value = value[int(key) if key.isdecimal() else key]
            if conversion:
                value = as_text(value, {"r": "repr", "s": "str", "a": "ascii"}[conversion], budget)
            piece += formatted(value, spec or "", budget)
        size += len(piece)
        if size > MAX_TEXT:
            raise UnreadableError(f"it is longer than {MAX_TEXT} characters")
        yield piece


def _refuse_sets(value: Any) -> None:
    """Refuse a value whose text depends on the order of a set."""
    if type(value) in (set, frozenset) and len(value) > 1:
        raise UnreadableError("the order of a set differs from run to run")
    if isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            _refuse_sets(part)
