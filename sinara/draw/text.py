"""Texts of a picture: how wide they are, cut to fit, and numbers as people read them."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from functools import lru_cache

# Widths of a sans-serif face in thousandths of its size, rounded up: the font that will be used
# is not known, and a box that is a little wide looks better than text that runs over.
_NARROW = dict.fromkeys("ijl'|!,.:;I`", 330) | dict.fromkeys('ftr()[]{}/\\-" ', 410)
_WIDE = dict.fromkeys("mwMW@%", 930) | dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&", 720)
_WIDTHS = {**_NARROW, **_WIDE, "_": 580}
_USUAL = 600
_FULL = 1050  # a wide character of East Asia, an emoji


@lru_cache(maxsize=4096)
def width(text: str, size: float) -> float:
    """Return about how many pixels wide ``text`` is at ``size`` pixels."""
    return sum(_width(character) for character in text) * size / 1000


def _width(character: str) -> int:
    if character.isascii():
        return _WIDTHS.get(character, _USUAL)
    if unicodedata.combining(character):
        return 0
    return _FULL if unicodedata.east_asian_width(character) in "WF" else 700


def shorten(text: str, size: float, most: float) -> str:
    """Return ``text``, its middle left out if it is wider than ``most`` pixels."""
    text = one_line(text)
    if width(text, size) <= most:
        return text
    keep = len(text)
    while keep > 2 and width(f"{text[: keep // 2]}…{text[-(keep // 2) :]}", size) > most:
        keep -= 2
    return f"{text[: keep // 2]}…{text[len(text) - keep // 2 :]}"


def one_line(text: str) -> str:
    """Return ``text`` with what cannot be seen, or would turn the line, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def rows(count: int | None) -> str:
    """Return ``1 row``, ``12,000 rows``, or nothing."""
    return "" if count is None else f"{count:,} row{'' if count == 1 else 's'}"


def size(count: int | None) -> str:
    """Return a number of bytes as people write it: ``1.2 MB``."""
    if count is None:
        return ""
    number, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"


def change(now: int | None, before: int | None) -> str:
    """Return how a number changed: ``▲ 3 %``, ``▼ 20 %``, ``±0``, or nothing if nobody knows."""
    if now is None or before is None:
        return ""
    if now == before:
        return "±0"
    sign = "▲" if now > before else "▼"
    if not before:
        return f"{sign} from 0"
    share = abs(now - before) / before * 100
    if share >= 1000:
        return f"{sign} {now / before:,.0f} times"
    return f"{sign} {share:.0f} %" if share >= 10 else f"{sign} {share:.2g} %"


def seconds(duration: float) -> str:
    """Return a duration as people say it: ``0.4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if duration < 60:
        return f"{duration:.1f} s" if duration < 10 else f"{duration:.0f} s"
    minutes, left = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(stamp: str | None) -> str:
    """Return an ISO time as ``2026-11-26 10:05 UTC``; as it is, if it is none."""
    if not stamp:
        return ""
    try:
        return datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return stamp
