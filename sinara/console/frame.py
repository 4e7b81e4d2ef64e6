"""What is drawn at the bottom of a terminal while a substep runs; a pure function of the moment.

::

    > train.ipynb 2/3  ━━━━━━━━━━━━──────────────────  0:42, about 0:30 left
      [cell 7 of 12]  0:12, usually 0:35
      Epoch 3:  45%|████▌     | 450/1000 [00:12<00:14]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sinara.console.going import Going
from sinara.console.rows import without_colour
from sinara.console.width import cropped, width
from sinara.console.words import about, clock

_WORTH = 2.0  # s; what takes less needs no estimate
_PAUSE = 1.0  # s after a cell; less is no pause, but the way to the next one
_BAR = range(10, 41)  # columns that a bar may take
_MOST_ROWS = 4  # lines that a cell draws


@dataclass(frozen=True)
class Signs:
    """The characters that a terminal can show."""

    going: str = "▸"
    done: str = "━"
    left: str = "─"
    good: str = "✓"
    bad: str = "✗"


ASCII = Signs(">", "#", "-", "+", "x")


def frame(
    going: Going, drawn: Sequence[str], at: float, size: tuple[int, int], signs: Signs
) -> list[str]:
    """Return the lines to draw, each narrower than the terminal; no colours in them.

    Args:
        going: What is going on.
        drawn: What the running cell draws; of several lines the last.
        at: The time, s, monotonic.
        size: Columns and lines of the terminal.
        signs: What the terminal can show.
    """
    room = max(size[0] - 1, 1)
    lines = [_head(going, at, room, signs)]
    if going.name:
        lines.append(f"  {_cell(going, at)}")
    rows = [row for row in drawn if row.strip()]
    lines += [f"  {without_colour(row).expandtabs()}" for row in rows[-_MOST_ROWS:]]
    return [cropped(line, room) for line in lines[: max(size[1] - 1, 1)]]


def _head(going: Going, at: float, room: int, signs: Signs) -> str:
    number = f" {going.number}/{going.of}" if going.of and going.of > 1 else ""
    begin = f"{signs.going} {going.name or 'publishing'}{number}"
    end = f"{clock(at - going.began)}{_outlook(going, at)}"
    share = going.share(at) if going.usual and going.usual >= _WORTH else None
    columns = min(room - width(begin) - width(end) - 4, _BAR[-1])
    if share is None or columns < _BAR[0]:
        return f"{begin}  {end}"
    done = round(share * columns)
    return f"{begin}  {signs.done * done}{signs.left * (columns - done)}  {end}"


def _outlook(going: Going, at: float) -> str:
    left = going.left(at)
    if left is None or not going.usual or going.usual < _WORTH:
        return ""
    return f", {about(left)} left" if left >= 1 else f", usually {clock(going.usual)}"


def _cell(going: Going, at: float) -> str:
    module = going.name.endswith(".py")
    if going.cell is None:
        return "starting" if module else "starting the kernel"
    if going.cell_ended is not None and at - going.cell_ended > _PAUSE:
        return "finishing"
    of = f" of {going.cells}" if going.cells else ""
    usual = going.cell_usual
    usually = f", usually {clock(usual)}" if usual and usual >= _WORTH else ""
    what = "running" if module else f"[cell {going.cell + 1}{of}]"
    return f"{what}  {clock(going.cell_seconds(at))}{usually}"
