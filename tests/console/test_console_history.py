"""``sinara run log``: a log, read afterwards."""

from __future__ import annotations

from sinara.console import log_lines

TIME = "2026-01-01T10:00:0{}.000+00:00"


def at(second: int, kind: str, **more: object) -> dict[str, object]:
    return {"time": TIME.format(second), "kind": kind, "substep": "a.ipynb", **more}


def text(second: int, what: str, cell: int = 2) -> dict[str, object]:
    return at(second, "stream", cell=cell, seconds=second + 0.5, stream="stderr", text=what)


def test_each_line_has_its_time_its_cell_and_how_far_the_substep_was():
    events = [
        {"time": TIME.format(0), "kind": "run_start", "text": "run-1"},
        at(1, "substep_start", usual=90.0),
        at(1, "cell_start", cell=2),
        text(2, "hel"),
        text(3, "lo\n"),
        at(4, "cell_end", cell=2, seconds=3.0, status="done"),
        at(5, "substep_end", seconds=5.0, status="succeeded"),
    ]

    assert list(log_lines(events)) == [
        "10:00:00.000  run run-1",
        "10:00:01.000  a.ipynb started, usually 1:30",
        "10:00:03.000  a.ipynb [cell 3]    3.5 s | hello",
        "10:00:04.000  a.ipynb [cell 3] done after 3.0 s",
        "10:00:05.000  a.ipynb succeeded after 5.0 s",
    ]


def test_a_bar_is_one_line_as_it_was_at_last():
    lines = list(log_lines([text(n % 10, f"\r{n}%") for n in range(100)]))

    assert lines == ["10:00:09.000  a.ipynb [cell 3]    9.5 s | 99%"]


def test_colours_are_taken_out():
    (line,) = log_lines([text(1, "\x1b[31mred\x1b[0m\n")])

    assert line.endswith("| red")


def test_a_cell_that_has_not_ended_is_named_at_the_end():
    lines = list(log_lines([at(1, "cell_start", cell=4), text(2, "last words\n", cell=4)]))

    assert lines[-1].strip() == "a.ipynb [cell 5] has not ended"


def test_what_is_missing_or_wrong_in_a_line_is_no_obstacle():
    strange = [{}, {"kind": 7}, {"kind": "news", "text": "x", "cell": "one", "seconds": None}]

    assert len(list(log_lines(strange))) == 3


def test_a_module_has_no_cells_in_its_log():
    events = [
        {"kind": "stream", "substep": "m.py", "cell": 1, "seconds": 1.0, "text": "x\n"},
        {"kind": "cell_end", "substep": "m.py", "cell": 1, "seconds": 2.0, "status": "done"},
    ]

    assert [line.strip() for line in log_lines(events)] == [
        "m.py    1.0 s | x",
        "m.py done after 2.0 s",
    ]
