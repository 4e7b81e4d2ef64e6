"""What a cell prints, line by line, as a terminal would show it."""

from __future__ import annotations

import pytest

from sinara.console.rows import Rows, without_colour
from sinara.kernels.streams import StreamText


def shown(*pieces: str) -> tuple[list[str], tuple[str, ...]]:
    rows = Rows()
    return [line for piece in pieces for line in rows.feed(piece)], rows.open


@pytest.mark.parametrize(
    ("pieces", "done", "left"),
    [
        (["a\nb\n"], ["a", "b"], ()),
        (["a", "b\nc"], ["ab"], ("c",)),
        (["10%\r50%\r100%\n"], ["100%"], ()),
        (["10%", "\r50%"], [], ("50%",)),
        (["a\r\nb\r\n"], ["a", "b"], ()),
        (["a\r", "\nb\n"], ["a", "b"], ()),
        (["abc\b\bd\n"], ["ad"], ()),
        (["bar\r   \rdone\n"], ["done"], ()),
        (["\n\n"], ["", ""], ()),
        (["col\tumn\n"], ["col\tumn"], ()),
    ],
)
def test_lines_are_as_a_terminal_leaves_them(pieces, done, left):
    assert shown(*pieces) == (done, left)


def test_bars_in_several_rows_stay_in_their_rows():
    pieces = ["outer 0"]
    for number in range(50):
        pieces += ["\n", f"\rinner {number}", "\x1b[A"]
    pieces += ["\router 1"]

    done, left = shown(*pieces)

    assert len(done) <= 1
    assert left == ("outer 1", "inner 49")


def test_rows_that_stay_open_are_few():
    done, left = shown("a", "\n\rb\x1b[A", *(f"\nline {n}" for n in range(100)))

    assert len(left) <= 8
    assert done[-1] == "line 91"


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J", "\x1b[H", "\x1b[1000D", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1bc",
        "\x1b[?1049h", "\x1b[6n", "\x1bP+q\x1b\\", "\x07", "\x00", "\x7f", "\x0b", "\x1b[3B",
    ],
)  # fmt: skip
def test_what_a_terminal_would_obey_is_dropped(hostile):
    assert shown(f"a{hostile}b\n") == (["ab"], ())
    assert shown("a", *hostile, "b\n") == (["ab"], ())


def test_colours_are_kept_and_can_be_taken_out():
    done, _ = shown("\x1b[31mred\x1b[0m and \x1b[38;5;12mblue\n")

    assert done == ["\x1b[31mred\x1b[0m and \x1b[38;5;12mblue"]
    assert without_colour(done[0]) == "red and blue"


def test_a_line_without_end_is_kept_in_part():
    rows = Rows()
    for _ in range(100):
        rows.feed("x" * 1000)

    assert len(rows.open[0]) == 8192


def test_an_unfinished_string_of_a_terminal_does_not_hide_what_follows_for_ever():
    rows = Rows()
    done = rows.feed("\x1b]0;" + "x" * 100_000) + rows.feed("\nhello\n")

    assert done[-1] == "hello"


@pytest.mark.parametrize("text", ["a\r\rb\nc\bd\r\n", "\r\r\nx\n", "ab\b\bc\n", "1\r2\r\r\n3\n"])
def test_the_notebook_and_the_terminal_show_the_same(text):
    kept = StreamText()
    kept.add(text)

    assert shown(text)[0] == str(kept).splitlines()
