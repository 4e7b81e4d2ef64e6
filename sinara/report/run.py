"""The run page: one page that joins the substeps of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sinara.record import RunRecord, SubstepRecord
from sinara.report.ansi import plain_text
from sinara.report.attempts import attempts
from sinara.report.elements import Child, Html, el, join
from sinara.report.facts import (
    Limits,
    block,
    entities,
    facts,
    failure_box,
    metrics,
    more,
    table,
    values,
)
from sinara.report.shell import page, pill, top
from sinara.report.words import EMPTY, duration, moment, one_line

LARGEST = 100_000  # bytes of a run page
# From all that is known down to the mere list of substeps; the first that fits is taken.
_LIMITS = (
    Limits(),
    Limits(value=300, rows=50, columns=20, log_lines=60),
    Limits(value=100, rows=15, columns=0, log_lines=20, traceback_lines=10, substeps=100),
    Limits(value=40, rows=0, columns=0, log_lines=0, traceback_lines=3, substeps=40),
)
_MEANING = {
    "running": "It was running when this page was written.",
    "stopped": "Design mode: the interface was read, and nothing else ran or was published.",
    "cancelled": "It was stopped from outside before its end.",
    "lost": "Its process is gone and left no word; what is known until then stands below.",
}


def build(record: RunRecord, log_tail: Sequence[object]) -> str:
    """Return the page, with as much detail as :data:`LARGEST` has room for."""
    for limits in _LIMITS[:-1]:
        text = _page(record, log_tail, limits)
        if len(text.encode("utf-8")) <= LARGEST:
            return text
    return _page(record, log_tail, _LIMITS[-1])


def _page(record: RunRecord, log_tail: Sequence[object], limits: Limits) -> str:
    shown = _chosen(record.substeps, limits.substeps)
    main = join(
        _summary(record),
        [_failure(substep, limits) for substep in shown],
        _all_metrics(shown, limits),
        block("Substeps", _timeline(record, shown)),
        more(len(record.substeps), limits.substeps),
        [_substep(substep, limits) for substep in shown],
        block("Parameters of the pipeline", values(record.pipeline_params, limits), opened=False),
        block("Parameters of the step", values(record.step_params, limits), opened=False),
        block("Code and machine", _provenance(record, limits), opened=False),
        block("Log", _log(log_tail, limits), opened=False, note="its end"),
    )
    title = f"{record.step_name} · {record.status} · {record.run_id}"
    header = top(record.status, trail(record), record.step_name)
    return page(title, header, main)


def _chosen(substeps: Sequence[SubstepRecord], most: int) -> Sequence[SubstepRecord]:
    """Return ``most`` of the substeps in their order: those that failed before all others."""
    first = sorted(range(len(substeps)), key=lambda i: substeps[i].failure is None)[:most]
    return [substeps[i] for i in sorted(first)]


def trail(record: RunRecord) -> Html:
    """Return where a step stands: env, pipeline, zone."""
    parts = (record.env_name, record.pipeline_name, record.zone_name)
    return join(" / ".join(one_line(part, 100) for part in parts))


def _summary(record: RunRecord) -> Html:
    told = any(substep.failure for substep in record.substeps)  # below, and at more length
    message = "" if told else one_line(record.message, 600)
    words = [_MEANING.get(record.status, ""), message, _reach(record)]
    return join(
        [el("p", {"class": "lead"}, sentence) for sentence in words if sentence],
        facts(
            (
                ("Run", el("code", None, record.run_id)),
                ("Started", moment(record.started)),
                ("Took", duration(record.seconds) if record.status != "running" else ""),
                ("Commit", commit(record)),
                ("Tag", el("code", None, record.tag) if record.tag else ""),
                ("By", one_line(record.user, 80)),
            )
        ),
    )


def _reach(record: RunRecord) -> str:
    """Say who reads what this run wrote."""
    if record.interactive:
        return "Made by hand in a notebook: prod does not read its entities."
    if record.published:
        return "" if record.status == "succeeded" else "Its entities are published."
    if record.status in ("failed", "cancelled", "lost", "succeeded"):
        return "Nothing of it is published: later steps read the run before it."
    return ""


def commit(record: RunRecord) -> Html | None:
    """Return the commit of the code, short, with a mark if files were changed since."""
    if not record.code.commit:
        return None
    changed = el("span", {"class": "tag warn"}, "changed files") if record.code.dirty else None
    return join(el("code", {"title": record.code.commit}, record.code.commit[:10]), " ", changed)


def _failure(substep: SubstepRecord, limits: Limits) -> Html | None:
    if substep.failure is None:
        return None
    link = _report_link(substep, substep.failure.cell)
    return failure_box(substep, substep.failure, link, limits)


def _report_link(substep: SubstepRecord, cell: int | None = None) -> str | None:
    if not substep.report:
        return None
    return substep.report + (f"#cell-{cell}" if cell is not None else "")


def _all_metrics(substeps: Sequence[SubstepRecord], limits: Limits) -> Html | None:
    several = sum(bool(substep.metrics) for substep in substeps) > 1
    joined = {
        f"{substep.name}: {name}" if several else name: value
        for substep in substeps
        for name, value in substep.metrics.items()
    }
    return block("Metrics", metrics(joined, limits))


def _timeline(record: RunRecord, substeps: Sequence[SubstepRecord]) -> Html | None:
    """Return a row per substep, with a bar where and as long as it ran."""
    if not substeps:
        return None
    spans = [_span(record, substep) for substep in substeps]
    whole = max([end for _, end in spans] + [record.seconds, 0.001])
    rows: list[tuple[Child, ...]] = [
        (
            pill(s.status),
            _named(s),
            duration(s.seconds) if s.started else EMPTY,
            _bar(s, span, whole),
        )
        for s, span in zip(substeps, spans, strict=True)
    ]
    return table(("Status", "Substep", "Took", "When"), rows, "timeline")


def _named(substep: SubstepRecord) -> Html:
    links = (("business report", substep.business_report), ("notebook", substep.notebook))
    words = one_line(substep.name, 120)
    name = el("a", {"href": substep.report}, words) if substep.report else join(words)
    return join(
        name,
        [join(" ", el("a", {"class": "side", "href": to}, words)) for words, to in links if to],
    )


def _span(record: RunRecord, substep: SubstepRecord) -> tuple[float, float]:
    """Return when a substep began and ended, in seconds after its run began."""
    try:
        began = datetime.fromisoformat(substep.started or "") - datetime.fromisoformat(
            record.started
        )
        start = max(began.total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0, 0.0
    return start, start + max(substep.seconds, 0.0)


def _bar(substep: SubstepRecord, span: tuple[float, float], whole: float) -> Html:
    start, end = (round(1000 * seconds / whole, 1) for seconds in span)
    box = {"x": min(start, 994.0), "y": 1, "height": 8, "width": max(round(end - start, 1), 6)}
    bar = el("rect", {"class": f"s-{substep.status}", "rx": 2, **box}) if substep.started else None
    return el("svg", {"class": "bar", "viewBox": "0 0 1000 10", "preserveAspectRatio": "none"}, bar)


def _substep(substep: SubstepRecord, limits: Limits) -> Html | None:
    parts = join(
        el("p", {"class": "note"}, one_line(substep.resumed, 500)) if substep.resumed else None,
        warnings(substep, limits),
        part("Attempts", attempts(substep, limits)),
        part("Inputs", entities(substep.inputs, limits)),
        part("Outputs", entities(substep.outputs, limits)),
        part("Parameters", values(substep.params, limits)),
    )
    return block(one_line(substep.name, 120), parts, note=_counts(substep))


def _counts(substep: SubstepRecord) -> str:
    read, wrote = len(substep.inputs), len(substep.outputs)
    return f"{read} in, {wrote} out"


def part(title: str, body: Html | None) -> Html | None:
    """Return a part of a block, with its title."""
    return join(el("h3", None, title), body) if body else None


def warnings(substep: SubstepRecord, limits: Limits) -> Html | None:
    """Return what sinara warned of."""
    if not substep.warnings:
        return None
    lines = [el("li", None, one_line(line, 500)) for line in substep.warnings[: limits.rows]]
    return el("ul", {"class": "warnings"}, lines)


def _provenance(record: RunRecord, limits: Limits) -> Html:
    code = record.code
    return join(
        facts(
            (
                ("Commit", el("code", None, code.commit) if code.commit else ""),
                ("Branch", code.branch or ""),
                ("Origin", one_line(code.origin or "", 300)),
                ("Changed files", one_line(", ".join(code.dirty), limits.value)),
                ("Folder of the step", one_line(record.step_folder)),
                ("Entities", el("code", {"class": "url"}, record.url) if record.url else ""),
                ("Machine", one_line(record.host)),
                ("Resumed from", one_line(record.resumed_from or "")),
                ("Exit code", "" if record.exit_code is None else str(record.exit_code)),
                ("Ended", moment(record.stopped) if record.stopped else ""),
            )
        ),
        part("Versions", values(record.versions, limits)),
    )


def _log(lines: Iterable[object], limits: Limits) -> Html | None:
    last = list(lines)[-limits.log_lines :] if limits.log_lines else []
    return (
        el("pre", {"class": "log"}, "\n".join(plain_text(str(line)[:400]) for line in last))
        if last
        else None
    )
