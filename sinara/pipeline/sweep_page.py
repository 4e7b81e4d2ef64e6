"""The points of a sweep on its page: a plot for each parameter, and one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sinara.pipeline.sweep import PointResult, results, varying
from sinara.record import PipelineRecord
from sinara.report.elements import Html, el, escape, join
from sinara.report.shell import pill
from sinara.report.words import duration, one_line

_WIDTH, _HEIGHT, _LEFT, _BELOW = 260, 150, 44, 18  # pixels
_MOST_METRICS = 12  # columns
_MOST_POINTS = 500  # rows


def points_table(record: PipelineRecord) -> Html | None:
    """Return what became of each point; ``None`` if the run is no sweep."""
    if not record.points:
        return None
    found = results(record)
    metrics = ([record.best] if record.best else []) + [
        name for name in varying(found) if name != record.best
    ]
    names = list(dict.fromkeys(name for one in found for name in one.values))
    ranked = sorted(found, key=lambda one: rank(one, record))
    plots = [_plot(found, name, metrics[0]) for name in names] if metrics else []
    head = ["point", *names, *metrics[:1], "status", "took", *metrics[1:_MOST_METRICS]]
    rows = [_row(one, names, metrics[:_MOST_METRICS]) for one in ranked[:_MOST_POINTS]]
    table = el(
        "table",
        {"class": "grid"},
        el("thead", None, el("tr", None, [el("th", None, one_line(word, 60)) for word in head])),
        el("tbody", None, rows),
    )
    left = len(ranked) - _MOST_POINTS
    return join(
        el("div", {"class": "plots"}, plots) if any(plots) else None,
        el("div", {"class": "scroll"}, table),
        el("p", {"class": "note"}, f"{left} more points are in the record.") if left > 0 else None,
    )


def rank(one: PointResult, record: PipelineRecord) -> tuple[bool, float, int]:
    """Return what a point is sorted by: the best one first, those without the metric last."""
    value = one.metrics.get(record.best)
    if not isinstance(value, int | float):
        return True, 0.0, one.number
    return False, float(value) if record.lowest else -float(value), one.number


def _row(one: PointResult, names: Sequence[str], metrics: Sequence[str]) -> Html:
    cells = [
        str(one.number),
        *(one_line(one.values.get(name, ""), 60) for name in names),
        *(shown(one.metrics.get(name)) for name in metrics[:1]),
        pill(one.status),
        duration(one.seconds),
        *(shown(one.metrics.get(name)) for name in metrics[1:]),
    ]
    kind = {"class": "best"} if one.best else None
    return el("tr", kind, [el("td", None, cell) for cell in cells])


def shown(value: Any) -> str:
    """Return the value of a metric as a person reads it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else one_line(value, 60)


def _plot(found: Sequence[PointResult], name: str, metric: str) -> Html | None:
    """Return how a metric goes with a parameter; ``None`` if there are no two values to show."""
    heights = [(one, one.metrics.get(metric)) for one in found if name in one.values]
    known = [(o, float(v)) for o, v in heights if isinstance(v, int | float) and v == v]
    texts = list(dict.fromkeys(one.values[name] for one in found if name in one.values))
    if len(known) < 2 or len(texts) < 2:
        return None
    numbers = [_number(text) for text in texts]
    plain = [n for n in numbers if n is not None]
    at = dict(zip(texts, plain if len(plain) == len(texts) else range(len(texts)), strict=True))
    low, high = min(v for _, v in known), max(v for _, v in known)
    first, last = min(at.values()), max(at.values())
    dots = [
        _dot(
            _LEFT + (_WIDTH - _LEFT) * _share(at[one.values[name]], first, last),
            _HEIGHT - (_HEIGHT - 10) * _share(value, low, high),
            best=one.best,
        )
        for one, value in sorted(known, key=lambda pair: pair[0].best)
    ]
    words = [
        _text(_LEFT - 6, _HEIGHT, f"{low:.4g}", "end"),
        _text(_LEFT - 6, 14, f"{high:.4g}", "end"),
        _text(_LEFT, _HEIGHT + 14, texts[list(at.values()).index(first)], "start"),
        _text(_WIDTH, _HEIGHT + 14, texts[list(at.values()).index(last)], "end"),
    ]
    axes = (
        f'<path class="axis" fill="none" d="M{_LEFT} 6V{_HEIGHT + 4}H{_WIDTH}"/>'
        f"{''.join(dots)}{''.join(words)}"
    )
    size = f'width="{_WIDTH + 10}" height="{_HEIGHT + _BELOW + 4}"'
    label = one_line(f"{metric} by {name}", 100)
    drawn = Html(f'<svg {size} role="img" aria-label="{escape(label)}">{axes}</svg>')
    return el("figure", None, el("figcaption", None, label), drawn)


def _dot(x: float, y: float, *, best: bool) -> str:
    kind, radius = ("dot best", 5) if best else ("dot", 4)
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(one_line(words, 16))}</text>'
    )


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
