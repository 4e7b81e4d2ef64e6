"""Tables of what a record knows: parameters, entities, metrics, a failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sinara.record import EntityRecord, Failure, SubstepRecord
from sinara.report.elements import Child, Html, el, join
from sinara.report.words import EMPTY, cell_name, number, one_line, size, value_text


@dataclass(frozen=True)
class Limits:
    """How much detail a page takes in; the rest is in ``record.json`` beside it."""

    value: int = 2000  # characters of one parameter
    rows: int = 200  # of one table
    columns: int = 60  # of one entity's schema
    log_lines: int = 200
    traceback_lines: int = 30
    substeps: int = 300


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Return names and values as a list; pairs with an empty value are left out."""
    items = [
        el("div", None, el("dt", None, name), el("dd", None, value))
        for name, value in pairs
        if value
    ]
    return el("dl", {"class": "facts"}, items)


def block(title: str, body: Html | None, *, opened: bool = True, note: str = "") -> Html | None:
    """Return a part of the page that folds; nothing if there is nothing in it."""
    if not body:
        return None
    hint = el("span", {"class": "hint"}, note) if note else None
    return el("details", {"class": "block", "open": opened}, el("summary", None, title, hint), body)


def table(head: Sequence[Child], rows: Iterable[Sequence[Child]], kind: str = "") -> Html:
    """Return a table; a cell is text or HTML."""
    titles = el("tr", None, [el("th", {"scope": "col"}, cell) for cell in head])
    body = [el("tr", None, [el("td", None, cell) for cell in row]) for row in rows]
    whole = el(
        "table", {"class": f"grid {kind}"}, el("thead", None, titles), el("tbody", None, body)
    )
    return el("div", {"class": "scroll"}, whole)


def values(given: Mapping[str, Any], limits: Limits) -> Html | None:
    """Return parameters or settings, name and value."""
    if not given:
        return None
    items = list(given.items()) if isinstance(given, Mapping) else [("", given)]
    rows = [
        el(
            "tr",
            None,
            el("th", {"scope": "row"}, one_line(name)),
            el("td", None, _value(value, limits)),
        )
        for name, value in items[: limits.rows]
    ]
    whole = el("table", {"class": "grid values"}, el("tbody", None, rows))
    return el("div", {"class": "scroll"}, whole, more(len(items), limits.rows))


def _value(value: Any, limits: Limits) -> Html:
    text = value_text(value, limits.value)
    return el("code", {"class": "text" if isinstance(value, str) else "literal"}, text)


def more(count: int, shown: int) -> Html | None:
    """Return the mark of a table that was cut."""
    if count <= shown:
        return None
    return el("p", {"class": "note cut"}, f"{count - shown:,} more are in record.json.")


def metrics(given: Mapping[str, Any], limits: Limits) -> Html | None:
    """Return metrics as tiles: the figure large, its name below."""
    if not given:
        return None
    tiles = [
        el(
            "div",
            {"class": "tile"},
            el("b", {"title": value_text(value, 200)}, value_text(value, 40)),
            el("span", None, one_line(name, 60)),
        )
        for name, value in list(given.items())[: limits.rows]
    ]
    return el("div", {"class": "tiles"}, tiles, more(len(given), limits.rows))


def entities(given: Sequence[EntityRecord], limits: Limits) -> Html | None:
    """Return entities: full name, where, what it holds, its schema."""
    if not given:
        return None
    rows = [_entity(entity, limits) for entity in given[: limits.rows]]
    head = ("Entity", "Rows", "Size", "Files", "Run")
    return join(table(head, rows, "entities"), more(len(given), limits.rows))


def _entity(entity: EntityRecord, limits: Limits) -> tuple[Child, ...]:
    kind = entity.kind if entity.kind not in ("inputs", "outputs") else ""
    name = join(
        el("strong", None, one_line(entity.full_name or entity.name)),
        [
            el("span", {"class": "tag"}, word)
            for word in (kind.replace("_", " "), entity.note)
            if word
        ],
        el("code", {"class": "url"}, one_line(entity.url, 1000)),
        _schema(entity, limits),
    )
    run = el("code", None, entity.run_id) if entity.run_id else EMPTY
    return name, number(entity.rows), size(entity.bytes), number(entity.files), run


def _schema(entity: EntityRecord, limits: Limits) -> Html | None:
    if not entity.columns or not limits.columns:
        return None
    shown = [
        el("span", {"class": "column"}, el("b", None, one_line(name, 80)), " ", one_line(kind, 80))
        for name, kind in entity.columns[: limits.columns]
    ]
    rest = more(len(entity.columns), limits.columns)
    count = f"{len(entity.columns):,} column{'s' * (len(entity.columns) != 1)}"
    return el("details", {"class": "schema"}, el("summary", None, count), shown, rest)


def failure_box(substep: SubstepRecord, failure: Failure, link: str | None, limits: Limits) -> Html:
    """Return why a substep failed: the cause, where, and what is known of the process."""
    status = substep.status if substep.status in ("cancelled", "lost", "stopped") else "failed"
    title = f"{one_line(substep.name, 120)} {status}{_place(failure)}"
    where = f"Go to {cell_name(failure.cell)}" if failure.cell is not None else "Open the report"
    return el(
        "section",
        {"class": "failure"},
        el("h2", None, title),
        el("p", {"class": "cause"}, _cause(failure)),
        facts(_circumstances(failure)),
        _excerpt(failure, limits.traceback_lines),
        el("p", None, el("a", {"class": "button", "href": link}, where)) if link else None,
    )


def _excerpt(failure: Failure, most: int) -> Html | None:
    """Return the ends of a traceback: above stands the cell's own code, below the error."""
    lines = [line[:2000] for whole in failure.traceback for line in str(whole).splitlines()]
    if not lines or not most:
        return None
    if len(lines) > most:
        head, tail = most * 2 // 3, most // 3
        lines = [*lines[:head], f"    … {len(lines) - head - tail} lines …", *lines[-tail:]]
    return el("pre", {"class": "excerpt"}, "\n".join(lines))


def _place(failure: Failure) -> str:
    if failure.cell is None:
        return ""
    line = f", line {failure.line}" if failure.line is not None else ""
    return f" in {cell_name(failure.cell)}{line}"


def _cause(failure: Failure) -> Html:
    known = [part for part in (failure.ename, one_line(failure.evalue or "", 600)) if part]
    named = ": ".join(known)
    if not named or named in failure.message:
        return join(one_line(failure.message, 1000) or failure.kind)
    return join(el("strong", None, named), el("br"), one_line(failure.message, 1000))


def _circumstances(failure: Failure) -> Iterable[tuple[str, Child]]:
    yield "Cause", failure.kind if failure.kind != "cell" else None
    yield "Signal", str(failure.signal) if failure.signal is not None else None
    yield "Exit code", str(failure.exit_code) if failure.exit_code is not None else None
    yield "Peak memory", size(failure.peak_memory) if failure.peak_memory is not None else None
