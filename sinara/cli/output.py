"""How answers are printed: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sinara.console import inert

if TYPE_CHECKING:
    from sinara.record import PipelineRecord, RunRecord

SCHEMA_VERSION = 1


def say(text: str, *, err: bool = False) -> None:
    """Print one line; what a terminal would obey in it, or that would turn it, is escaped.

    Names of folders, paths in notebooks and what cells raise may be anybody's.
    """
    click.echo(inert(text), err=err)


def print_json(what: str, value: Any) -> None:
    """Print one JSON document with stable keys: ``schema_version`` and ``what``."""
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, what: value}, indent=1, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their column names; numbers stand right.

    Tabs and line ends in a cell are shown as escapes, so that a row stays one line.
    """
    texts = [[_one_line(cell) for cell in row] for row in rows]
    right = [bool(texts) and all(_is_number(row[i]) for row in texts) for i in range(len(columns))]
    widths = [max(len(name), *(len(row[i]) for row in texts), 0) for i, name in enumerate(columns)]
    for row in [list(columns), *texts]:
        cells = [
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one ``name  value`` per line, empty values left out."""
    shown = {name: value for name, value in fields.items() if value not in (None, "", (), [], {})}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        click.echo(f"{name.ljust(width)}  {_one_line(value)}")


def size(count: int | None) -> str:
    """Return a number of bytes as people write it."""
    if count is None:
        return "-"
    number, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"


def number(count: int | None) -> str:
    """Return a count, or a dash where nobody counted."""
    return "-" if count is None else f"{count:,}"


def counted(count: int, what: str) -> str:
    """Return ``1 step``, ``2 steps``, ``1 entity``, ``2 entities``."""
    if count != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what}"


def took(record: RunRecord | PipelineRecord) -> str | None:
    """Return how many seconds a run took, or has taken so far; ``None`` if nobody knows."""
    if record.status == "running":
        begun = datetime.fromisoformat(record.started)
        return f"{max(0.0, (datetime.now(UTC) - begun).total_seconds()):.1f}"
    return None if record.status == "lost" and not record.seconds else f"{record.seconds:.1f}"


def _one_line(cell: object) -> str:
    return "-" if cell is None else inert(str(cell)).replace("\t", "\\t")


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "", 1).split(" ")[0].isdigit()
