"""Ages as people write them: ``30d``, ``12h``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta

from sinara.errors import UsageError

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"([0-9]{1,5})\s*([hdw])", re.IGNORECASE)


def parse_age(text: str) -> timedelta:
    """Return the age that ``text`` stands for.

    Raises:
        UsageError: If it is none.
    """
    found = _AGE.fullmatch(text.strip()) if text.isascii() else None
    if found is None:
        raise UsageError(f"'{text}' is no age: write it as 12h, 30d or 8w.")
    return timedelta(**{_UNITS[found[2].lower()]: int(found[1])})


def told_age(age: timedelta) -> str:
    """Return an age in words: ``30 days``, ``12 hours``."""
    hours = round(age.total_seconds() / 3600)
    count, unit = (hours // 24, "day") if hours % 24 == 0 and hours else (hours, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"
