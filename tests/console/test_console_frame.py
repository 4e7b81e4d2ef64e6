"""What is drawn below the lines: a pure function of the moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinara.console.frame import ASCII, Signs, frame
from sinara.console.going import Going, moved_on
from sinara.console.width import cropped, width
from sinara.console.words import about, clock, duration
from sinara.runner import RunEvent

FIRST_TIME = Going("train.ipynb", 0.0, 2, 3)
KNOWN = replace(FIRST_TIME, usual=100.0)
IN_CELL = replace(KNOWN, cells=12, cell=6, cell_began=40.0, cell_usual=30.0, cell_left=50.0)


def drawn(going: Going, at: float, *rows: str, size: tuple[int, int] = (90, 24)) -> list[str]:
    return frame(going, rows, at, size, Signs())


def test_a_substep_that_never_ran_has_no_bar_and_no_estimate():
    assert drawn(FIRST_TIME, 62) == ["▸ train.ipynb 2/3  1:02", "  starting the kernel"]


def test_the_only_substep_of_a_step_has_no_number():
    assert drawn(replace(FIRST_TIME, number=1, of=1), 0)[0] == "▸ train.ipynb  0:00"


def test_a_known_substep_has_a_bar_and_what_is_left():
    head, cell = drawn(IN_CELL, 50)

    assert head == f"▸ train.ipynb 2/3  {'━' * 24}{'─' * 16}  0:50, about 0:40 left"
    assert cell == "  [cell 7 of 12]  0:10, usually 0:30"


def test_a_cell_that_takes_longer_than_usual_moves_nothing_on():
    assert IN_CELL.left(70) == IN_CELL.left(700) == 20


def test_a_cell_that_is_faster_than_usual_shortens_what_is_left():
    done = moved_on(IN_CELL, RunEvent("cell_end", "train.ipynb", 6), 45)

    assert done.left(46) == 20


def test_the_part_that_is_done_never_shrinks():
    going = KNOWN
    shares = []
    for second in range(200):
        if second % 20 == 5:
            cell = second // 20
            left = 100.0 - 10 * cell
            going = moved_on(
                going, RunEvent("cell_start", "a", cell, of=10, usual=10.0, left=left), second
            )
        shares.append(going.share(second))

    later = shares[5:]  # the kernel has started
    assert later == sorted(later)
    assert later[-1] <= 1


def test_after_the_last_cell_the_substep_is_finishing():
    assert drawn(replace(IN_CELL, cell_ended=60.0), 62)[1] == "  finishing"
    assert drawn(replace(IN_CELL, cell_ended=60.0), 60.5)[1].startswith("  [cell 7 of 12]  0:20")


def test_a_module_has_no_cells():
    module = Going("train.py", 0.0)

    assert drawn(module, 1)[1] == "  starting"
    assert drawn(replace(module, cell=1, cell_began=2.0), 6)[1] == "  running  0:04"


def test_publishing_is_one_line():
    assert drawn(Going("", 0.0), 61) == ["▸ publishing  1:01"]


def test_the_last_rows_of_a_cell_are_drawn_without_its_colours():
    rows = ["one", "two", "three", "four", "\x1b[31mfive\x1b[0m\t|"]

    assert drawn(IN_CELL, 50, *rows)[2:] == ["  two", "  three", "  four", "  five    |"]


@pytest.mark.parametrize("columns", [1, 2, 5, 10, 20, 33, 40, 57, 58, 59, 60, 80, 300])
@pytest.mark.parametrize("lines", [1, 2, 3, 24])
def test_everything_fits_whatever_the_size(columns, lines):
    found = drawn(IN_CELL, 50, "日本語" * 50, "x" * 500, size=(columns, lines))

    assert all(width(line) <= max(columns - 1, 1) for line in found)
    assert len(found) <= max(lines - 1, 1)


def test_a_terminal_that_shows_only_ascii_gets_only_ascii():
    assert all(line.isascii() for line in frame(IN_CELL, (), 50, (90, 24), ASCII))


def test_wide_characters_count_as_two_and_combining_ones_as_none():
    assert (width("日本"), width("e\u0301"), width("abc")) == (4, 1, 3)
    assert cropped("日本語", 5) == "日本…"
    assert cropped("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("seconds", "as_duration", "as_clock", "as_about"),
    [
        (0.04, "0.0 s", "0:00", "about 0:01"),
        (12.34, "12.3 s", "0:12", "about 0:12"),
        (59.97, "1:00", "1:00", "about 1:00"),
        (83, "1:23", "1:23", "about 1:25"),
        (3723, "1:02:03", "1:02:03", "about 1:02:00"),
    ],
)
def test_times_in_words(seconds, as_duration, as_clock, as_about):
    assert (duration(seconds), clock(seconds), about(seconds)) == (as_duration, as_clock, as_about)
