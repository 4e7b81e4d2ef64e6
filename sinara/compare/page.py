"""A comparison as one HTML page: no script, nothing from outside, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence

from sinara.compare import words
from sinara.compare.values import (
    CellChange,
    Diff,
    EntityChange,
    MetricChange,
    Picture,
    Side,
    SubstepDiff,
    ValueChange,
)
from sinara.report.budget import PICTURE, Budget
from sinara.report.elements import Child, Html, el, join
from sinara.report.facts import block, facts, table
from sinara.report.pictures import picture
from sinara.report.run import trail
from sinara.report.shell import page as whole_page
from sinara.report.shell import pill, top
from sinara.report.words import EMPTY, cell_name, duration, moment, one_line

_MOST = 200  # rows of one table
_VALUE = 2000  # characters of one value
_LINES = 400  # of one cell
_CLASSES = {"+": "diff-new", "-": "diff-old", "@": "diff-place"}


def page(diff: Diff) -> str:
    """Return the page of a comparison."""
    budget = Budget()
    main = join(
        _summary(diff),
        block("Parameters", _values(diff.params)),
        block("Metrics", _all_metrics(diff.substeps)),
        [_substep(substep, budget) for substep in diff.substeps],
        block("Packages", _values(diff.packages), opened=False),
    )
    record = diff.new.record
    name = record.step_name if record else "Two commits"
    where = trail(record) if record else join("code and parameter files")
    header = top("same" if diff.same else "changed", where, f"{name}: what changed")
    title = f"{name}: {diff.old.label} and {diff.new.label}"
    return whole_page(one_line(title), header, main)


def _summary(diff: Diff) -> Html:
    rows: list[tuple[Child, ...]] = [_side("Old", diff.old), _side("New", diff.new)]
    head: tuple[str, ...] = ("", "Run", "Status", "Started", "Took", "Commit")
    if diff.new.record is None:
        head, rows = ("", "What", "Commit"), [(*row[:2], row[5]) for row in rows]
    same = el("p", {"class": "lead"}, "Nothing that was compared differs.") if diff.same else None
    return join(same, table(head, rows))


def _side(title: str, side: Side) -> tuple[Child, ...]:
    record = side.record
    changed = el("span", {"class": "tag warn"}, "changed files") if side.dirty else None
    commit = el("code", {"title": side.commit}, side.commit[:10]) if side.commit else EMPTY
    return (
        title,
        el("code", None, one_line(side.label)),
        pill(record.status) if record else "",
        moment(record.started) if record else "",
        duration(record.seconds) if record else "",
        join(commit, " ", changed),
    )


def _more(count: int) -> Html | None:
    if count <= _MOST:
        return None
    return el("p", {"class": "note cut"}, f"{count - _MOST:,} more: sinara run diff --json")


def _values(changes: Sequence[ValueChange]) -> Html | None:
    if not changes:
        return None
    rows = [(one_line(change.name), *_both(change)) for change in changes[:_MOST]]
    return join(table(("Name", "Old", "New"), rows, "values"), _more(len(changes)))


def _both(change: ValueChange | MetricChange) -> tuple[Html, Html]:
    old, new = words.sides(change, _VALUE)
    kinds = "diff-old", "diff-new"
    if change.kind == "same":
        kinds = "literal", "literal"
    return el("code", {"class": kinds[0]}, old), el("code", {"class": kinds[1]}, new)


def _all_metrics(substeps: Sequence[SubstepDiff]) -> Html | None:
    several = sum(bool(substep.metrics) for substep in substeps) > 1
    rows = [
        (
            one_line(f"{substep.name}: {change.name}" if several else change.name),
            *_both(change),
            words.difference(change),
        )
        for substep in substeps
        for change in substep.metrics
    ]
    if not rows:
        return None
    return join(table(("Metric", "Old", "New", "Difference"), rows[:_MOST]), _more(len(rows)))


# -- a substep -------------------------------------------------------------------------------


def _substep(substep: SubstepDiff, budget: Budget) -> Html | None:
    if substep.kind in ("added", "removed"):
        side = "new" if substep.kind == "added" else "old"
        body = el("p", {"class": "note"}, f"It is only on the {side} side.")
        return block(one_line(substep.name, 120), body, note=substep.kind)
    parts = join(
        _ended(substep),
        _part("Code", _code(substep)),
        _part("Parameters", _values(substep.params)),
        _part("Inputs", _entities(substep.inputs, runs=True)),
        _part("Outputs", _entities(substep.outputs, runs=False)),
        _part("Pictures", _pictures(substep, budget)),
    )
    note = f"code: {words.code(substep.code)}"
    same = substep.kind == "same" and substep.code.state in ("same", "unknown")
    return block(one_line(substep.name, 120), parts, opened=not same, note=note)


def _part(title: str, body: Html | None) -> Html | None:
    return join(el("h3", None, title), body) if body else None


def _ended(substep: SubstepDiff) -> Html:
    old, new = substep.status
    took = [duration(seconds) for seconds in substep.seconds if seconds is not None]
    status = join(pill(old), " → ", pill(new)) if old != new else pill(new) if new else None
    failures = [
        el("p", {"class": "alert"}, f"{side}: {one_line(failure, 600)}")
        for side, failure in zip(("Old", "New"), substep.failure, strict=True)
        if failure
    ]
    return join(facts((("Status", status), ("Took", " → ".join(took)))), failures)


def _code(substep: SubstepDiff) -> Html | None:
    if substep.code.state == "same":
        return None
    cells = [_cell(change) for change in substep.code.cells]
    return join(el("p", {"class": "note"}, words.code(substep.code)), cells)


def _cell(change: CellChange) -> Html:
    shown = [
        el("span", {"class": _CLASSES.get(line[:1], "diff-kept")}, f"{line[:2000]}\n")
        for line in change.lines[:_LINES]
    ]
    if len(change.lines) > _LINES:
        shown.append(el("span", None, f"… {len(change.lines) - _LINES} more lines\n"))
    source = el("pre", {"class": "code"}, shown) if shown else None
    return join(el("p", {"class": "note"}, words.cell(change)), source)


def _entities(entities: Sequence[EntityChange], *, runs: bool) -> Html | None:
    if not entities:
        return None
    head = ("Entity", "Content", "Rows", "Size", "Columns", *(("Run",) if runs else ()))
    rows = [_entity(entity, runs) for entity in entities[:_MOST]]
    return join(table(head, rows, "entities"), _more(len(entities)))


def _entity(entity: EntityChange, runs: bool) -> tuple[Child, ...]:
    tag = None
    if entity.kind in ("added", "removed"):
        tag = el("span", {"class": "tag warn"}, f"{entity.kind}")
    paths = [path for path in dict.fromkeys(entity.paths) if path]
    where = [el("code", {"class": "url"}, one_line(path, 1000)) for path in paths]
    content = {"equal": "equal", "different": "different"}.get(entity.content, EMPTY)
    kind = "diff-new" if entity.content == "different" else None
    row: tuple[Child, ...] = (
        join(el("strong", None, one_line(entity.name)), tag, where),
        el("span", {"class": kind}, content),
        words.rows(entity.rows),
        words.sizes(entity.bytes),
        words.schema(entity),
    )
    if not runs:
        return row
    told = [run for run in dict.fromkeys(entity.runs) if run]
    return *row, join([el("code", {"class": "url"}, run) for run in told]) or EMPTY


def _pictures(substep: SubstepDiff, budget: Budget) -> Html | None:
    if not substep.pictures:
        return None
    rows: list[tuple[Child, ...]] = []
    for pair in substep.pictures[:_MOST]:
        place = cell_name(pair.cell)
        if pair.same:
            shown = _picture(pair.new, f"{place}, the same on both sides", budget)
            rows.append((join(place, el("br"), "the same"), shown, EMPTY))
        else:
            old = _picture(pair.old, f"{place}, old", budget)
            rows.append((place, old, _picture(pair.new, f"{place}, new", budget)))
    return join(table(("Cell", "Old", "New"), rows, "pairs"), _more(len(substep.pictures)))


def _picture(given: Picture | None, alt: str, budget: Budget) -> Html | str:
    if given is None:
        return EMPTY
    if budget.allow(len(given.data), PICTURE) < len(given.data):
        return "too large for this page: see the run's report"
    return picture(given.kind, given.data, alt, {}) or "cannot be shown"
