"""Amounts of memory as people write them: ``2 GB``, ``512 MiB``."""

from __future__ import annotations

import re

_UNITS = {
    "": 1, "B": 1,
    "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50,
}  # fmt: skip
_BY_NAME = {unit.lower(): size for unit, size in _UNITS.items()}
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)")


def parse_bytes(text: str) -> int | None:
    """Return how many bytes ``text`` stands for, rounded; ``None`` if it is no amount.

    Upper and lower case are one, and a number alone counts bytes.
    """
    found = _AMOUNT.fullmatch(text.strip()) if text.isascii() else None
    unit = _BY_NAME.get(found[2].lower()) if found else None
    return round(float(found[1]) * unit) if found and unit else None


def bytes_text(count: int) -> str:
    """Return ``2 GB`` or ``512 MiB``: as short as it can be said, exactly if that is possible."""
    told = []
    for unit, size in _UNITS.items():
        number = round(count / size, 2)
        if unit and (1 <= number < 10_000 or unit == "B") and (unit != "B" or count < 1000):
            told.append((abs(number * size - count) >= 1, len(f"{number:g}"), -size, unit))
    *_, size, unit = min(told)
    return f"{round(count / -size, 2):g} {unit}"
