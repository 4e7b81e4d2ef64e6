"""The words that a comparison is told in, in the terminal and on the page."""

from __future__ import annotations

import json
from typing import Any

from sinara.compare.values import CellChange, CodeDiff, EntityChange, MetricChange, ValueChange
from sinara.report.words import number, size

CODE = {
    "same": "the same",
    "formatting": "the same but for spaces and comments",
    "order": "the same cells in another order",
    "changed": "changed",
    "unknown": "not known",
}
CONTENT = {"equal": "equal", "different": "different", "unknown": "not known"}


def value(given: Any, most: int = 60) -> str:
    """Return a parameter or metric on one line, a text without its quotes."""
    shown = given if isinstance(given, str) else exact(given)
    if isinstance(given, float):
        shown = f"{given:.6g}"
    line = one_line(shown)
    return line if len(line) <= most else f"{line[:most]}…"


def exact(given: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(given, ensure_ascii=False, default=str)


def one_line(text: str) -> str:
    """Return a text with what cannot be seen, or would turn a line, as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def sides(change: ValueChange | MetricChange, most: int = 60) -> tuple[str, str]:
    """Return the old and the new value; a dash where there is none."""
    if change.kind == "added":
        return "-", value(change.new, most)
    if change.kind == "removed":
        return value(change.old, most), "-"
    old, new = value(change.old, most), value(change.new, most)
    if change.kind == "changed" and old == new:  # 1 and 1.0, "1" and 1, or far behind the point
        return one_line(exact(change.old)), one_line(exact(change.new))
    return old, new


def difference(change: MetricChange) -> str:
    """Return ``+0.02 (+2.1 %)``; nothing where that is no number, or none."""
    if not change.difference:
        return ""
    share = f" ({change.share * 100:+.2g} %)" if change.share is not None else ""
    return f"{change.difference:+.4g}{share}"


def rows(pair: tuple[int | None, int | None]) -> str:
    """Return ``1,000 -> 800 (-20 %)``, or one number if both are equal."""
    if pair[0] == pair[1]:
        return number(pair[1])
    told = f"{number(pair[0])} -> {number(pair[1])}"
    if pair[0] and pair[1] is not None:
        told += f" ({(pair[1] - pair[0]) / pair[0] * 100:+.2g} %)"
    return told


def sizes(pair: tuple[int | None, int | None]) -> str:
    """Return ``1.2 MB -> 1.3 MB``, or one size if both are equal."""
    if pair[0] == pair[1]:
        return size(pair[1])
    return f"{size(pair[0])} -> {size(pair[1])}"


def schema(entity: EntityChange) -> str:
    """Return how the columns differ: ``+day date32, -old int64, x int64 -> double``."""
    told = []
    for change in entity.columns:
        old, new = sides(change)
        if change.kind == "changed":
            told.append(f"{one_line(change.name)} {old} -> {new}")
        else:
            sign = "+" if change.kind == "added" else "-"
            told.append(f"{sign}{one_line(change.name)} {new if sign == '+' else old}")
    return ", ".join(told) or ("in another order" if entity.reordered else "")


def code(diff: CodeDiff) -> str:
    """Return the state of the code, with how many cells are what."""
    if diff.state == "unknown":
        return f"not known: {diff.why}"
    if diff.state != "changed":
        return CODE[diff.state]
    counts = {
        kind: sum(c.kind == kind for c in diff.cells) for kind in ("changed", "added", "removed")
    }
    moved = sum(c.kind == "moved" for c in diff.cells)
    told = [f"{count} {kind}" for kind, count in {**counts, "moved": moved}.items() if count]
    return f"cells: {', '.join(told)}"


def cell(change: CellChange) -> str:
    """Return which cell it is, and what became of it; cells are counted from 1."""
    old = None if change.old is None else change.old + 1
    new = None if change.new is None else change.new + 1
    words = {
        "added": f"cell {new}, added",
        "removed": f"cell {old}, removed",
        "moved": f"cell {new}, moved from {old}",
        "formatting": f"cell {new}, only spaces or comments differ",
    }
    was = f" (was {old})" if old != new else ""
    return words.get(change.kind, f"cell {new}{was}, {change.kind}")
