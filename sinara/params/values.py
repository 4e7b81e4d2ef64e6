"""The values that a parameter may have, and how they are shown in messages.

JSON's own: text, whole numbers of 64 bits, finite numbers, true, false, null, lists,
and dictionaries with text as keys, nested at most 32 deep. Everything else is refused
before anything starts, with the path of the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sinara.errors import suggest

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_LINES = 50  # findings shown for one file: a file of rubbish must not fill the screen
MIN_INT, MAX_INT = -(2**63), 2**64 - 1  # signed and unsigned 64 bits

_WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a dictionary",
    type(None): "null",
}
_PRIVATE = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)


def findings(value: Any, where: str) -> Iterator[str]:
    """Yield one line for each part of ``value`` that is not JSON within the limits.

    Args:
        value: Any Python object; it may contain itself.
        where: What the lines begin with; the path inside ``value`` is added to it.
    """
    return _findings(value, where, 1)


def _findings(value: Any, where: str, depth: int) -> Iterator[str]:
    kind = type(value)
    if kind in (dict, list) and depth > MAX_DEPTH:
        yield f"{where}: nested deeper than {MAX_DEPTH} levels. Make it flatter."
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                yield f"{where}: the key {short(key)} is not text. Put it in quotes."
            else:
                yield from _findings(item, join(where, key), depth + 1)
    elif kind is list:
        for index, item in enumerate(value):
            yield from _findings(item, f"{where}[{index}]", depth + 1)
    elif kind is int and not MIN_INT <= value <= MAX_INT:
        yield f"{where}: a whole number over 64 bits. Write it as text, in quotes."
    elif kind is float and not math.isfinite(value):
        yield f"{where}: NaN or infinity, which JSON cannot hold. Write null or a number."
    elif kind not in _WORDS:
        yield f"{where}: a {kind.__module__}.{kind.__name__}, which JSON cannot hold."


def capped(lines: Iterator[str]) -> list[str]:
    """Return the first lines, and one that says so if there are more."""
    first = list(islice(lines, MAX_LINES + 1))
    if len(first) <= MAX_LINES:
        return first
    return [*first[:MAX_LINES], f"more than {MAX_LINES} findings: the rest is not shown."]


def join(where: str, name: str) -> str:
    """Return the path of ``name`` inside ``where``, fit for one line of a message."""
    return f"{where}.{plain(name)}" if where else plain(name)


def plain(name: str) -> str:
    """Return a name as it is, or quoted and escaped if it does not read well in a line."""
    if name.isprintable() and name.strip() == name and name and len(name) <= 80:
        return name
    return repr(name if len(name) <= 80 else name[:77] + "...")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for a near miss, as long as ``x`` reads well in a line."""
    return suggest(name, [item for item in known if plain(item) == item])


def misspelt(name: str, there: Iterable[str]) -> str:
    """Return a question about the name that is there in place of a missing one, or nothing."""
    return nearest(name, there).replace("Did you mean", "Is it misspelt as")


def word(value: Any) -> str:
    """Return what kind of value it is, in words."""
    return _WORDS.get(type(value), type(value).__name__)


def short(value: Any) -> str:
    """Return a value in at most about 60 characters, on one line."""
    text = repr(value) if isinstance(value, str | int | float | None) else word(value)
    return text if len(text) <= 60 else text[:57] + "..."


def found(name: str, value: Any) -> str:
    """Return ``text 'x'`` for a message about parameter ``name``.

    The value is left out where the name says that it should not be read by others.
    """
    if isinstance(value, list | dict | None) or _PRIVATE.search(name):
        return word(value)
    return f"{word(value)} {short(value)}"
