"""Terminal text: colours as classes, the text as nbconvert and a terminal have it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from nbconvert.filters.ansi import ansi2html

from sinara.report.ansi import ansi, overwritten, plain_text, rules
from sinara.report.elements import clean

pieces = st.lists(
    st.text("ab <&\n", max_size=4)
    | st.lists(st.integers(0, 255), max_size=6).map(lambda n: f"\x1b[{';'.join(map(str, n))}m"),
    max_size=8,
).map("".join)


def text_of(html):
    return unescape(re.sub(r"<[^>]*>", "", html))


@given(pieces)
def test_the_text_is_the_one_that_nbconvert_shows(text):
    try:
        theirs = ansi2html(text)
    except IndexError:  # nbconvert 7.17 for a colour that is cut short: ESC [48m
        reject()

    assert text_of(ansi(text)) == text_of(theirs)


@pytest.mark.parametrize(
    ("codes", "classes"),
    [
        ("31", "ansi-red-fg"),
        ("1;32", "ansi-green-fg ansi-bold"),
        ("44", "ansi-blue-bg"),
        ("95", "ansi-magenta-intense-fg"),
        ("103", "ansi-yellow-intense-bg"),
        ("4", "ansi-underline"),
        ("7", "ansi-default-inverse-fg ansi-default-inverse-bg"),
        ("31;7", "ansi-default-inverse-fg ansi-red-bg"),
        ("38;5;9", "ansi-red-intense-fg"),
        ("38;5;28", "ansi-f-008700"),
        ("38;5;244", "ansi-f-808080"),
        ("48;2;1;2;300", "ansi-b-0102ff"),
        ("31;38;9", ""),
        ("31;39", ""),
        ("1;22", ""),
        ("31;0", ""),
        ("", ""),
        ("999999999999999999999", ""),
    ],
)
def test_a_colour_becomes_a_class(codes, classes):
    shown = ansi(f"\x1b[{codes}mx")

    assert shown == (f'<span class="{classes}">x</span>' if classes else "x")


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2K",
        "\x1b[1;1H",
        "\x1b[?25l",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1b(B",
        "\x1bc",
    ],
)
def test_any_other_sequence_is_dropped(sequence):
    assert ansi(f"a{sequence}b") == "ab"
    assert plain_text(f"a{sequence}b") == "ab"


def test_a_sequence_that_is_cut_short_leaves_no_escape_behind():
    assert "\x1b" not in clean(ansi("a\x1b"))


def test_a_colour_that_is_cut_short_is_no_colour():
    assert ansi("\x1b[48mx\x1b[38;5my\x1b[38;2;1mz") == "xyz"


def test_a_progress_bar_shows_its_last_state():
    assert overwritten("start\n 0%\r50%\r100%\nend\r\nnext\r") == "start\n100%\nend\nnext"


def test_colours_beyond_the_sixteen_get_a_rule_each():
    page = ansi("\x1b[38;5;28ma\x1b[48;2;1;2;3mb\x1b[0m\x1b[38;5;28mc")

    found = rules(page)

    assert found.count("ansi-f-008700{") == 1
    assert found.count("ansi-b-010203{") == 1


def test_many_sequences_take_a_time_that_grows_with_their_number():
    text = "\x1b[31mx\x1b[0m" * 40_000

    assert ansi(text).count("<span") == 40_000
