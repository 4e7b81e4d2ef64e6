"""Plain lines: what is told, how often, and what is said of silence."""

from __future__ import annotations

from sinara.console.flood import MOST
from sinara.console.talk import Talk
from sinara.runner import RunEvent

START = RunEvent("substep_start", "a.ipynb", number=1, of=2, usual=750.0)
CELL = RunEvent("cell_start", "a.ipynb", 6, of=12, usual=740.0, left=745.0)
END = RunEvent("substep_end", "a.ipynb", status="succeeded", seconds=800.0)


def printed(text: str, cell: int = 6, seconds: float = 2.0) -> RunEvent:
    return RunEvent("stream", "a.ipynb", cell, seconds, "stderr", text)


def told(talk: Talk, *happened: tuple[float, RunEvent | None]) -> list[str]:
    """What is told of events at their times; None is a tick."""
    lines = []
    for at, event in happened:
        lines += talk.tick(at) if event is None else talk.take(event, at)
    return [str(line) for line in lines]


def test_a_substep_that_was_run_before_says_how_long_it_takes():
    assert told(Talk(), (0, START)) == ["  a.ipynb started, usually 12:30"]


def test_a_bar_is_told_every_ten_seconds_and_at_its_end():
    ticks = [(n / 10, printed(f"\r{n / 10}%")) for n in range(250)]
    seconds = [(float(n), None) for n in range(25)]
    happened = sorted([*ticks, *seconds], key=lambda each: each[0])

    lines = told(Talk(), *happened, (25, printed("\r100%\n")))

    assert [line.split("| ")[1] for line in lines] == ["10.0%", "20.0%", "100%"]


def test_two_bars_of_a_cell_are_both_told():
    talk = Talk()
    bars = ["outer 0", "\n\rinner 0\x1b[A", "\n\rinner 7\x1b[A", "\router 3"]

    told(talk, *((0, printed(text)) for text in bars))
    lines = told(talk, (10, None))

    assert [line.split("| ")[1] for line in lines] == ["outer 3", "inner 7"]


def test_a_bar_that_stands_when_its_cell_ends_is_told_as_it_was_at_last():
    lines = told(Talk(), (0, printed("\r1%")), (1, printed("\r9%")), (2, END))

    assert lines == ["  a.ipynb [cell 7]    2.0 s | 9%", "  a.ipynb succeeded after 13:20"]


def test_of_a_flood_the_beginning_and_the_end_are_told_and_how_much_is_missing():
    flood = printed("".join(f"{n}\n" for n in range(10 * MOST)))

    lines = told(Talk(), (0, flood), (1, END))

    assert f"  … {9 * MOST - 10:,} lines not shown here; the run's log has them" in lines
    assert len(lines) == MOST + 12
    assert lines[-2].endswith(f"| {10 * MOST - 1}")


def test_a_flood_that_goes_on_is_told_now_and_then():
    happened = [(n / 100, printed("line\n" * 100)) for n in range(2000)]

    lines = told(Talk(), *happened)

    assert len(lines) < 5 * MOST
    assert sum("not shown" in line for line in lines) == 3


def test_lines_left_out_are_told_without_any_event():
    talk = Talk()
    told(talk, (0, printed("line\n" * (MOST + 50))))

    assert "40 lines not shown" in told(talk, (1, None), (6, None))[0]


def test_a_silent_cell_says_after_a_minute_that_it_still_runs_and_then_every_five():
    talk = Talk()
    told(talk, (0, START), (1, CELL))

    lines = [told(talk, (float(second), None)) for second in range(2, 700)]

    assert [line for (line,) in filter(None, lines)] == [
        "  a.ipynb [cell 7] still running after 0:59, usually 12:20, about 11:00 left",
        "  a.ipynb [cell 7] still running after 5:59, usually 12:20, about 6:30 left",
        "  a.ipynb [cell 7] still running after 10:59, usually 12:20, about 1:25 left",
    ]


def test_a_cell_that_prints_is_not_silent():
    talk = Talk()
    told(talk, (0, START), (1, CELL))

    assert told(talk, (50, printed("x\n")), (100, None)) == ["  a.ipynb [cell 7]    2.0 s | x"]
    assert "still running" in told(talk, (110, None))[0]


def test_quick_cells_that_say_nothing_are_told_as_their_substep():
    talk = Talk()
    told(talk, (0, START))
    for second in range(1, 60):
        told(talk, (second, RunEvent("cell_start", "a.ipynb", second)))
        told(talk, (second + 0.9, RunEvent("cell_end", "a.ipynb", second, status="done")))
    told(talk, (60, RunEvent("cell_start", "a.ipynb", 60)))

    assert told(talk, (61, None)) == [
        "  a.ipynb still running after 1:01, now in cell 61, usually 12:30, about 11:00 left"
    ]


def test_publishing_that_takes_long_is_told():
    talk = Talk()

    lines = told(talk, (0, RunEvent("publish_start")), (61, None))

    assert lines == ["  publishing still running after 1:01"]


def test_nothing_is_told_when_nothing_goes_on():
    assert told(Talk(), (0, START), (1, END), (1000, None))[2:] == []


def test_quiet_hides_text_but_not_silence():
    talk = Talk(verbose=False)
    told(talk, (0, START), (1, CELL))

    assert told(talk, (2, printed("secret\n")), (3, printed("\rbar"))) == []
    assert "still running" in told(talk, (62, None))[0]
