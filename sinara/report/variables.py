"""The variables at a failure as HTML: a table per frame; those of packages are folded."""

from __future__ import annotations

from sinara.postmortem import Frame, Variable, Variables
from sinara.report.elements import Html, el, join
from sinara.report.facts import table
from sinara.report.words import one_line

_OTHERS = ("site-packages", "dist-packages", "lib/python")  # whose frames are folded
_HEAD = ("Variable", "Type", "Value")


def variables(kept: Variables | None) -> Html | None:
    """Return the frames with their variables, or why there are none."""
    if kept is None:
        return None
    message = el("p", {"class": "note"}, one_line(kept.message)) if kept.message else None
    frames = [_frame(frame) for frame in kept.frames]
    words = f"{kept.left_out:,} frames between these two are left out."
    gap = [el("p", {"class": "note cut"}, words)] if kept.left_out else []
    return join(message, frames[:1], gap, frames[1:])


def frames_note(kept: Variables | None) -> str:
    """Return how many frames there are, in words."""
    count = len(kept.frames) if kept else 0
    return f"{count} frame{'s' * (count != 1)}" if count else ""


def _frame(frame: Frame) -> Html:
    opened = not any(part in frame.file for part in _OTHERS)
    place = f"{one_line(frame.file, 200)}, line {frame.line}"
    inside = "" if frame.function == "<module>" else f", in {one_line(frame.function, 100)}"
    summary = el("summary", None, f"{place}{inside}")
    source = el("pre", {"class": "excerpt"}, frame.source) if frame.source else None
    rows = [_row(variable) for variable in frame.variables]
    more = f"{frame.left_out:,} more are left out." if frame.left_out else ""
    body = table(_HEAD, rows, "values") if rows else el("p", {"class": "note"}, "No variables.")
    cut = el("p", {"class": "note cut"}, more) if more else None
    return el("details", {"class": "frame", "open": opened}, summary, source, body, cut)


def _row(variable: Variable) -> tuple[Html, Html, Html]:
    kind = el("code", None, one_line(variable.type, 120))
    size = el("span", {"class": "hint"}, variable.size) if variable.size else None
    columns = ", ".join(f"{name}: {dtype}" for name, dtype in variable.columns)
    note = el("span", {"class": "hint"}, variable.note) if variable.note else None
    shown = el("code", {"class": "literal"}, variable.value or columns)
    return (
        el("strong", None, one_line(variable.name, 100)),
        join(kind, " ", size),
        join(shown if variable.value or columns else None, note),
    )
