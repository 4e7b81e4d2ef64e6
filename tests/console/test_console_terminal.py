"""A console on a real pseudo-terminal: what a person sees."""

from __future__ import annotations

import io
import os
import re
import threading
import time

import pytest

from sinara.console import Console
from sinara.console.terminal import can_draw
from sinara.runner import RunEvent
from tests.console.screens import Terminal

START = RunEvent("substep_start", "train.ipynb", number=1, of=2, usual=60.0)
CELL = RunEvent("cell_start", "train.ipynb", 6, of=12, usual=30.0, left=40.0)
END = RunEvent("substep_end", "train.ipynb", status="succeeded", seconds=12.0)


def printed(text: str) -> RunEvent:
    return RunEvent("stream", "train.ipynb", 6, 1.5, "stderr", text)


@pytest.fixture
def terminal(monkeypatch):
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def stream(terminal):
    with os.fdopen(os.dup(terminal.inner), "w", encoding="utf-8") as stream:
        yield stream


@pytest.fixture
def console(stream):
    with Console(stream) as console:
        yield console


def tell(console: Console, *events: RunEvent) -> None:
    for event in events:
        console(event)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "console"]


def test_what_goes_on_is_drawn_below_what_was_said(terminal, console):
    tell(console, RunEvent("run_start", text="run-1"), START, CELL, printed("hello\n"))

    terminal.until(lambda: "[cell 7 of 12]" in terminal.text and "hello" in terminal.text)

    first, said, head, cell = terminal.lines
    assert first == "run run-1"
    assert said == "  train.ipynb [cell 7]    1.5 s | hello"
    assert re.fullmatch(r"▸ train.ipynb 1/2  ━+─+  0:0\d, about 0:\d\d left", head)
    assert re.fullmatch(r"  \[cell 7 of 12\]  0:0\d, usually 0:30", cell)


def test_time_goes_on_while_a_cell_is_silent(terminal, console):
    tell(console, START, CELL)

    terminal.until(lambda: "[cell 7 of 12]  0:01" in terminal.text)


def test_a_finished_substep_is_one_line_and_nothing_drawn_is_left(terminal, console):
    tell(console, START, CELL)
    terminal.until(lambda: "[cell 7" in terminal.text)
    tell(console, printed("\r50%"), printed("\r100%\n"), END)
    terminal.read()

    assert terminal.lines == [
        "  train.ipynb [cell 7]    1.5 s | 100%",
        "✓ train.ipynb succeeded after 12.0 s",
    ]
    assert (terminal.screen.cursor.x, terminal.screen.cursor.y) == (0, 2)


def test_a_progress_bar_is_one_line_in_its_place(terminal, console):
    tell(console, START, CELL)
    for number in range(100):
        console(printed(f"\repoch: {number}%"))
    terminal.until(lambda: "epoch: 99%" in terminal.text)

    assert terminal.lines[-1] == "  epoch: 99%"
    assert terminal.everything.count("epoch") == 1


def test_lines_scroll_by_above_what_is_drawn(terminal, console):
    tell(console, START, CELL)
    for number in range(100):
        console(printed(f"line {number}\n"))
    terminal.until(lambda: "| line 99" in terminal.text)
    terminal.read()

    assert [line.split("| ")[-1] for line in terminal.everything.split("\n")[:-2]] == [
        f"line {number}" for number in range(100)
    ]
    assert terminal.lines[-2].startswith("▸ train.ipynb")


def test_lines_wider_than_the_terminal_are_folded_and_whole(terminal, console):
    tell(console, START, CELL)
    for number in range(10):
        console(printed(f"{number}" * 200 + "\n"))
    tell(console, END)
    terminal.read()

    text = terminal.everything.replace("\n", "")
    assert all(str(number) * 200 in text for number in range(10))
    assert "▸" not in text


@pytest.mark.parametrize("columns", [20, 40, 60, 120])
def test_a_terminal_that_changes_its_width_is_drawn_anew(terminal, console, columns):
    tell(console, START, CELL)
    terminal.until(lambda: "[cell 7" in terminal.text)
    terminal.resize(columns, 24)
    tell(console, printed("\rafter"))
    terminal.until(lambda: "  after" in terminal.text)

    assert sum("▸" in line for line in terminal.lines) == 1
    tell(console, END)
    terminal.read()
    assert "▸" not in terminal.text


def test_no_mode_of_the_terminal_is_ever_changed(terminal, console):
    tell(console, START, CELL, printed("\x1b[?1049h\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\n"))
    terminal.until(lambda: "red" in terminal.text)
    tell(console, END)
    terminal.read()

    sequences = set(re.findall(rb"\x1b\[[0-9;?]*([A-Za-z])|\x1b([^\[])", terminal.raw))
    assert sequences <= {(letter, b"") for letter in (b"m", b"K", b"J", b"A")}


def test_nothing_is_written_when_nothing_changes(terminal, stream):
    clock = 0.0
    console = Console(stream, clock=lambda: clock)
    with console:
        tell(console, START, CELL)
        terminal.until(lambda: "[cell 7" in terminal.text)
        before = terminal.raw
        terminal.read(0.5)

        assert terminal.raw == before


def test_no_color_means_no_colour(terminal, stream, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    with Console(stream) as console:
        tell(console, START, CELL, printed("\x1b[31mred\x1b[0m\n"), END)
        terminal.read()

    assert re.findall(rb"\x1b\[[0-9;]*m", terminal.raw) == []
    assert "| red" in terminal.text


def test_quiet_shows_progress_and_no_text(terminal, stream):
    with Console(stream, verbose=False) as console:
        tell(console, START, CELL, printed("noise\n"), printed("\rbar"))
        terminal.until(lambda: "[cell 7 of 12]" in terminal.text)

        assert len(terminal.lines) == 2


def test_a_terminal_that_knows_only_ascii_gets_ascii(terminal):
    with os.fdopen(os.dup(terminal.inner), "w", encoding="ascii") as stream:
        console = Console(stream)
        tell(console, START, CELL, printed("é\n"))
        terminal.until(lambda: "[cell 7 of 12]" in terminal.text)
        tell(console, END)
        terminal.read()

    assert terminal.lines == [
        r"  train.ipynb [cell 7]    1.5 s | \xe9",
        "+ train.ipynb succeeded after 12.0 s",
    ]


def test_the_thread_lives_only_while_a_substep_runs(console):
    tell(console, RunEvent("run_start", text="run-1"))
    before = threads()
    tell(console, START)
    during = threads()
    tell(console, END)

    assert (before, during, threads()) == ([], ["console"], [])


def test_what_was_begun_and_left_is_taken_away_by_close(terminal, stream):
    with Console(stream) as console:
        tell(console, START, CELL)
        terminal.until(lambda: "[cell 7" in terminal.text)
    terminal.read()

    assert (terminal.text, threads()) == ("", [])


def test_a_terminal_that_goes_away_is_no_obstacle(terminal, stream):
    console = Console(stream)
    tell(console, START, CELL)
    terminal.close()

    for number in range(1000):
        console(printed(f"line {number}\n"))
    tell(console, END, RunEvent("run_end", status="succeeded"))

    assert threads() == []


def test_a_terminal_that_takes_nothing_holds_up_no_event(terminal, stream):
    console = Console(stream)
    tell(console, START, CELL)
    for _ in range(300):
        console(printed(("x" * 1000 + "\n") * 100))  # nobody reads: its buffer is full at once
    told = terminal.raw  # all was told, though nothing was read
    reader = threading.Thread(target=lambda: terminal.read(3))
    reader.start()
    tell(console, END)
    reader.join()

    until = time.monotonic() + 20
    while threads() and time.monotonic() < until:  # it ends by itself, on a busy machine later
        time.sleep(0.05)
    assert told == b""
    assert threads() == []


@pytest.mark.parametrize(
    ("environ", "draws"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_only_a_terminal_that_can_move_its_cursor_is_drawn_on(stream, environ, draws):
    assert can_draw(stream, environ) is draws
    assert not can_draw(io.StringIO(), environ)
    assert not can_draw(None, environ)
