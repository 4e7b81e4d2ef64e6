"""Figures and names as a person reads them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from sinara.report.elements import Html, clean, el

EMPTY = "\N{EN DASH}"


def cell_name(index: int) -> str:
    """Return what a cell is called: by its place in the executed notebook, from 1.

    Args:
        index: Its index in the notebook, from 0, as in its anchor.
    """
    return f"cell {index + 1}"


def duration(seconds: float) -> str:
    """Return ``850 ms``, ``3.1 s``, ``4 min 05 s`` or ``2 h 10 min``."""
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds) or seconds < 0:
        return EMPTY
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def size(count: int | None) -> str:
    """Return a number of bytes: ``512 B``, ``1.4 MB``."""
    if not isinstance(count, (int, float)):
        return EMPTY
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return (
                f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.1f} {unit}"
            )
        amount /= 1000
    return f"{amount:,.1f} TB"


def number(value: int | None) -> str:
    """Return ``1,797``; of None, a dash."""
    return f"{value:,}" if isinstance(value, int) else EMPTY


def moment(text: str | None) -> Html:
    """Return an ISO 8601 moment as ``2026-11-21 05:00:00 UTC``; any other text as it stands."""
    if not text:
        return el("span", None, EMPTY)
    try:
        read = datetime.fromisoformat(text)
        utc = read.astimezone(UTC) if read.tzinfo else read
    except (ValueError, OverflowError, TypeError):
        return el("span", None, one_line(text))
    return el(
        "time", {"datetime": text}, utc.strftime("%Y-%m-%d %H:%M:%S") + " UTC" * bool(read.tzinfo)
    )


def one_line(value: object, most: int = 300) -> str:
    """Return the text of ``value`` in one line of ``most`` characters at most."""
    line = " ".join(clean(str(value)[: most * 4]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def value_text(value: object, most: int) -> str:
    """Return a parameter or metric as JSON would show it, a text without its quotes."""
    if isinstance(value, str):
        shown = value
    elif isinstance(value, float):
        shown = f"{value:.6g}"
    else:
        shown = json.dumps(value, ensure_ascii=False, default=str)
    return clean(shown if len(shown) <= most else shown[:most] + f"… ({len(shown):,} characters)")
