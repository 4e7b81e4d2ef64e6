"""How wide text is on a terminal, and its beginning that fits."""

from __future__ import annotations

import unicodedata


def columns(character: str) -> int:
    """Return how many columns one character takes: 0, 1 or 2 (Unicode TR 11)."""
    if character.isascii():
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def width(text: str) -> int:
    """Return how many columns a text without control characters takes."""
    return len(text) if text.isascii() else sum(map(columns, text))


def cropped(text: str, most: int) -> str:
    """Return ``text``, or its beginning with a mark, in at most ``most`` columns."""
    if width(text) <= most:
        return text
    taken, room = 0, most - 1
    for index, character in enumerate(text):
        taken += columns(character)
        if taken > room:
            return text[:index] + ("…" if most > 0 else "")
    return text
