"""The page of a pipeline run: while it goes it reads itself again, and at last it is the report.

One HTML file that needs nothing else; it opens from a disk, with no server. Its script may do
nothing but read the page again and keep where one was. With no script the browser does that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from sinara.draw.scene import make_scene
from sinara.draw.svg import document, style
from sinara.draw.text import change
from sinara.graph import History, PipelineGraph
from sinara.pipeline.sweep_page import points_table
from sinara.record import PipelineRecord, StepState, SubstepState
from sinara.report.elements import Child, Html, el, join
from sinara.report.facts import block, facts, table
from sinara.report.shell import page, pill, top
from sinara.report.words import EMPTY, duration, moment, number, one_line, size

_MOST_FAILURES = 3  # that stand above all else
_LEAST = 0.55  # of its size, to which the picture of a graph is made smaller
_MOST_DRAWN = 400  # substeps of a graph that the page still has room for
_MEANING = {
    "cancelled": "It was stopped from outside before its end. Go on with it:",
    "lost": "Its process is gone and left no word; what is known until then stands below. "
    "Go on with it:",
    "failed": "Correct what failed, then go on with it:",
}


def build(
    record: PipelineRecord,
    graph: PipelineGraph | None,
    history: History,
    log_tail: Sequence[str],
    folder: Path,
) -> str:
    """Return the page.

    Args:
        record: The run.
        graph: What to draw; ``None`` if it could not be read.
        history: Status of its nodes, and what flowed along its edges.
        log_tail: The last lines of the log.
        folder: Where the page will lie: links are relative to it.
    """
    ended = record.status != "running"
    drawn, fit = _graph(graph, history)
    live = el(
        "p",
        {"class": "lead quiet", "id": "quiet", "role": "status"},
    )
    mark = Html(
        f'<div id="live" data-status="{record.status}" data-run="{one_line(record.run_id)}" '
        f'data-written="{time.time():.0f}"></div>'
    )
    main = join(
        mark,
        live,
        _summary(record),
        [el("p", {"class": "alert"}, one_line(line, 400)) for line in record.warnings],
        _failures([step for step in record.steps if step.status == "failed"], folder),
        block("Graph", Html(f'<div class="graph">{drawn}</div>') if drawn else None),
        block("Points", points_table(record)),
        block("Steps", _steps(record, folder), opened=not record.points),
        block("Metrics", _metrics(record), opened=not record.points),
        block("Data", _data(graph, history)),
        block("Log", el("pre", {"class": "log"}, "\n".join(log_tail)) if log_tail else None,
              opened=False, note="its end"),
    )  # fmt: skip
    extra = _file("page.css") + fit
    styles = [style()] if drawn else []
    refresh = None if ended else Html('<meta http-equiv="refresh" content="3">')
    header = top(
        record.status, join(one_line(f"{record.env_name} / pipeline")), record.pipeline_name
    )
    title = f"{record.pipeline_name} · {record.status} · {record.run_id}"
    return page(
        title,
        header,
        join(Html(f"<style>{extra}</style>"), main),
        styles=[extra, *styles],
        script=_file("page.js"),
        no_script=refresh,
    )


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8").strip()


def _summary(record: PipelineRecord) -> Html:
    substeps = [one for step in record.steps for one in step.substeps]
    counts = {
        word: sum(one.status == status for one in substeps)
        for word, status in (
            ("ran", "succeeded"),
            ("reused", "reused"),
            ("failed", "failed"),
            ("running", "running"),
            ("waiting", "pending"),
            ("skipped", "skipped"),
        )
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    again = f"sinara pipeline run --resume {record.run_id}"
    meaning = _MEANING.get(record.status, "")
    return join(
        el("p", {"class": "lead"}, meaning, " ", el("code", None, again)) if meaning else None,
        facts(
            (
                ("Run", el("code", None, record.run_id)),
                ("Started", moment(record.started)),
                ("Took" if record.stopped else "So far", duration(record.seconds)),
                ("Substeps", told),
                ("Left, about", _left(record)),
                ("At once", str(record.workers)),
                ("Goes on with", el("code", None, record.resumed_from or "")
                 if record.resumed_from else ""),
                ("By", one_line(record.user, 80)),
            )
        ),
    )  # fmt: skip


def _left(record: PipelineRecord) -> str:
    """Return how long the rest takes, if the substeps' earlier runs say so."""
    if record.status != "running":
        return ""
    open_ones = [s for step in record.steps for s in step.substeps if s.status == "running"]
    known = [s.usual for s in open_ones if s.usual]
    if not known:
        return ""
    return duration(max(max(s.usual - _since(s.started), 0.0) for s in open_ones if s.usual))


def _since(started: str | None) -> float:
    if not started:
        return 0.0
    return max(0.0, time.time() - datetime.fromisoformat(started).timestamp())


def _graph(graph: PipelineGraph | None, history: History) -> tuple[str, str]:
    """Return the picture, and the style by which it fits the page as long as it can be read."""
    if graph is None or sum(len(step.substeps) for step in graph.steps) > _MOST_DRAWN:
        return "", ""
    scene = make_scene(graph, history)
    width = round(scene.width)
    fit = (
        f".graph svg{{width:100%;height:auto;max-width:{width}px;min-width:{_LEAST * width:.0f}px}}"
    )
    return document(scene), fit


def _failures(failed: Sequence[StepState], folder: Path) -> Html:
    """Return what failed; where that is much, most of it folded, so that the rest is in sight."""
    shown = [_failure(step, folder) for step in failed]
    more = shown[_MOST_FAILURES:]
    summary = el("summary", None, f"{len(more)} more failed")
    folded = el("details", {"class": "more"}, summary, more) if more else None
    return join(shown[:_MOST_FAILURES], folded)


def _failure(step: StepState, folder: Path) -> Html:
    return el(
        "section",
        {"class": "failure"},
        el("h2", None, f"{step.name} failed"),
        el("p", {"class": "cause"}, one_line(step.message, 1000)),
        el("p", None, _report(step, folder, "its report")) if step.report else None,
    )


def _report(step: StepState, folder: Path, words: str) -> Html | None:
    if not step.report:
        return None
    try:
        address = quote(Path(os.path.relpath(step.report, folder)).as_posix())
    except ValueError:  # another drive
        return None
    return Html(f'<a href="{address}">{one_line(words)}</a>')


def _steps(record: PipelineRecord, folder: Path) -> Html:
    first, whole = _span(record)
    rows: list[Html] = []
    for step in record.steps:
        alone = step.substeps[0] if len(step.substeps) == 1 else None
        why = step.message if step.status in ("skipped", "reused", "cancelled") else ""
        rows.append(_row(
            el("th", {"scope": "row"}, _report(step, folder, step.name) or step.name,
               el("span", {"class": "sub"}, alone.name) if alone else None),
            step.status, _took(step.started, step.seconds, step.status),
            _bar(step.started, step.seconds, step.status, first, whole),
            el("span", {"class": "why"}, one_line(why or (_why(alone) if alone else ""), 300)),
            "",
        ))  # fmt: skip
        rows += [_substep_row(one, first, whole) for one in step.substeps if not alone]
    head = el("thead", None, el("tr", None, [el("th", None, word) for word in
              ("step", "status", "took", "when", "why")]))  # fmt: skip
    body = el("tbody", None, rows)
    return el("div", {"class": "scroll"}, el("table", {"class": "grid run-steps"}, head, body))


def _substep_row(one: SubstepState, first: float, whole: float) -> Html:
    return _row(
        el("th", {"scope": "row"}, one.name),
        one.status,
        _took(one.started, one.seconds, one.status),
        _bar(one.started, one.seconds, one.status, first, whole),
        el("span", {"class": "why"}, one_line(_why(one), 300)),
        "sub",
    )


def _why(one: SubstepState) -> str:
    why = f"from {one.source}" if one.status == "reused" and one.source else "; ".join(one.reasons)
    running = one.cells and one.status == "running"
    at = f"cell {one.cells[0]} of {one.cells[1]}" if one.cells and running else ""
    return " · ".join(filter(None, (why, at)))


def _row(name: Html, status: str, took: str, bar: Child, why: Child, kind: str) -> Html:
    cells = (el("td", None, pill(status)), el("td", None, took), el("td", {"class": "when"}, bar))
    return el("tr", {"class": kind}, name, cells, el("td", None, why))


def _took(started: str | None, seconds: float, status: str) -> str:
    if status == "running":
        return duration(_since(started))
    return duration(seconds) if seconds else EMPTY


def _span(record: PipelineRecord) -> tuple[float, float]:
    first = datetime.fromisoformat(record.started).timestamp()
    return first, max(record.seconds, 0.001)


def _bar(
    started: str | None, seconds: float, status: str, first: float, whole: float
) -> Html | None:
    if not started or status in ("pending", "skipped", "reused"):
        return None
    begin = max(0.0, datetime.fromisoformat(started).timestamp() - first)
    length = _since(started) if status == "running" else seconds
    left = min(100.0, 100 * begin / whole)
    wide = max(0.4, min(100 - left, 100 * length / whole))
    attributes = {"x": f"{left:.2f}%", "width": f"{wide:.2f}%", "height": "100%", "rx": 2,
                  "class": f"s-{status}"}  # fmt: skip
    return el("svg", {"class": "bar", "role": "img", "aria-label": status},
              el("rect", attributes))  # fmt: skip


def _metrics(record: PipelineRecord) -> Html | None:
    rows = [
        (step.name, one.name, name, f"{value:.6g}" if isinstance(value, float) else str(value))
        for step in record.steps
        for one in step.substeps
        for name, value in one.metrics.items()
    ]
    return table(("step", "substep", "metric", "value"), rows) if rows else None


def _data(graph: PipelineGraph | None, history: History) -> Html | None:
    """Return rows and bytes of every entity that was written, and how they changed."""
    rows = list(_written(graph, history)) if graph else []
    return table(("entity", "rows", "change", "size", "change"), rows) if rows else None


def _written(graph: PipelineGraph, history: History) -> Iterator[tuple[Child, ...]]:
    entities = {entity.id: entity for entity in graph.entities}
    for edge in graph.edges:
        data = history.edges.get((edge.source, edge.target))
        if edge.target not in entities or data is None:
            continue
        told: Child = change(data.rows, data.rows_before)
        if data.fell:
            told = el("strong", {"class": "warn"}, told)
        yield (
            entities[edge.target].full_name,
            number(data.rows),
            told,
            size(data.bytes),
            change(data.bytes, data.bytes_before),
        )


def tail(lines: Iterable[str], most: int = 200) -> list[str]:
    """Return the last lines of a log, each of them short."""
    return [one_line(line, 300) for line in list(lines)[-most:]]
