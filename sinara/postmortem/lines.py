"""The variables at a failure as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from sinara.postmortem.values import Frame, Variable, Variables

_WIDTH = 100


def lines(kept: Variables, *, most: int | None = None) -> Iterator[str]:
    """Yield the frames, outermost first, each variable in a line.

    Args:
        kept: What was kept.
        most: How many variables of a frame; ``None`` for all.
    """
    if kept.message:
        yield kept.message
    for index, frame in enumerate(kept.frames):
        if index == 1 and kept.left_out:
            yield f"… {kept.left_out:,} frames"
        inside = "" if frame.function == "<module>" else f", in {frame.function}"
        yield _one_line(f"{frame.file}, line {frame.line}{inside}: {frame.source}")
        yield from _variables(frame, most)


def _variables(frame: Frame, most: int | None) -> Iterator[str]:
    shown = frame.variables[:most]
    width = min(max((len(variable.name) for variable in shown), default=0), 20)
    for variable in shown:
        text = _one_line(f"{variable.name.ljust(width)}  {_told(variable)}")
        yield f"    {text if len(text) <= _WIDTH else f'{text[: _WIDTH - 1]}…'}"
    left = len(frame.variables) - len(shown) + frame.left_out
    if left:
        yield f"    … {left:,} more"


def _told(variable: Variable) -> str:
    columns = ", ".join(f"{name}: {dtype}" for name, dtype in variable.columns)
    kind = f"{variable.type.rpartition('.')[2]} {variable.size}".strip()
    value = variable.value or columns
    return f"{kind}: {value}" if value else f"{kind} ({variable.note})" if variable.note else kind


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
