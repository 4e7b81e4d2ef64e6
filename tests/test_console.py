"""What a person reads while a step runs."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from sinara.console import Console, tell_end
from sinara.contract import RuleResult
from sinara.record import EntityRecord, Failure, RunRecord, SubstepRecord
from sinara.runner import RunEvent


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def test_what_a_cell_prints_is_shown_with_cell_and_time(screen):
    Console(screen)(RunEvent("stream", "a.ipynb", 2, 1.5, "stdout", "hello\n"))

    assert screen.getvalue() == "  a.ipynb [cell 3]    1.5 s | hello\n"


def test_a_retry_is_told_in_one_line(screen):
    text = "attempt 1 failed: killed; attempt 2 of 3 in 2 s"
    Console(screen, verbose=False)(RunEvent("retry", "a.ipynb", 4, 2.0, text=text, attempt=1))

    assert screen.getvalue() == f"  a.ipynb: {text}\n"


def test_a_line_in_pieces_is_one_line(screen):
    console = Console(screen)
    for piece in ("hel", "lo\nwor", "ld"):
        console(RunEvent("stream", "a.ipynb", 0, stream="stdout", text=piece))
    console(RunEvent("run_end", status="succeeded", seconds=2))

    assert [line.split("| ")[-1] for line in screen.getvalue().splitlines()] == [
        "hello",
        "world",
        "run succeeded after 2.0 s",
    ]


def test_a_progress_bar_leaves_its_last_state_only(screen):
    Console(screen)(RunEvent("stream", "a", 0, stream="stderr", text="10%\r50%\r100%\n"))

    assert screen.getvalue().endswith("| 100%\n")


def test_quiet_hides_what_cells_print_and_nothing_else(screen):
    console = Console(screen, verbose=False)
    console(RunEvent("stream", "a", 0, stream="stdout", text="noise\n"))
    console(RunEvent("warning", "a", text="careful"))

    assert screen.getvalue() == "  a: careful\n"


def test_a_terminal_that_knows_only_ascii_is_no_obstacle():
    raw = io.BytesIO()
    screen = io.TextIOWrapper(raw, encoding="ascii")
    Console(screen)(RunEvent("warning", text="é ✓"))

    assert raw.getvalue() == b"  \\xe9 \\u2713\n"


def test_a_terminal_that_is_gone_is_no_obstacle(screen):
    screen.close()

    Console(screen)(RunEvent("warning", text="x"))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (RunEvent("run_start", text="run-1"), "run run-1"),
        (RunEvent("substep_start", "a"), "  a started"),
        (RunEvent("substep_end", "a", status="failed", seconds=1), "  a failed after 1.0 s"),
        (RunEvent("published", text="run-1"), "  published run-1"),
        (
            RunEvent("run_end", status="failed", seconds=1, text="why"),
            "run failed after 1.0 s",
        ),
        (RunEvent("cell_start", "a", 1), ""),
    ],
)
def test_each_event_is_one_line(screen, event, line):
    Console(screen)(event)

    assert screen.getvalue() == (line + "\n" if line else "")


def ended(**changes: object) -> RunRecord:
    record = RunRecord("run-1", "user", "p", "z", "s", "failed", "2025-01-01T00:00:00+00:00")
    return replace(record, **changes)


def test_the_end_of_a_good_run_is_where_its_page_is(screen, tmp_path):
    tell_end(ended(status="succeeded"), tmp_path, screen)

    assert screen.getvalue() == f"report  {tmp_path / 'index.html'}\n"


def test_a_failure_names_the_cell_shows_the_line_and_the_cause(screen, tmp_path):
    (tmp_path / "n.ipynb").write_text(
        '{"cells": [{"source": "a = 1\\nb = a / 0\\nc = 2\\nd = 3"}]}'
    )
    failure = Failure(
        "cell", "ZeroDivisionError: division by zero", cell=0, line=2, traceback=("x",)
    )
    substep = SubstepRecord("n.ipynb", "failed", failure=failure, notebook="n.ipynb", seconds=2)

    tell_end(ended(substeps=(substep,)), tmp_path, screen)

    assert screen.getvalue().splitlines() == [
        "x s / n.ipynb failed in cell 1, line 2, after 2.0 s",
        "      1  a = 1",
        "    > 2  b = a / 0",
        "      3  c = 2",
        "  ZeroDivisionError: division by zero",
        f"  executed notebook  {tmp_path / 'n.ipynb'}",
        "  full traceback     sinara run log run-1 --traceback",
        "  look into it       sinara run debug run-1",
        f"report  {tmp_path / 'index.html'}",
    ]


def test_a_run_that_failed_outside_its_cells_says_why(screen, tmp_path):
    tell_end(ended(message="nothing to read"), tmp_path, screen)

    assert "x s: nothing to read" in screen.getvalue()


def test_a_module_has_no_cells_to_name(screen, tmp_path):
    failure = Failure("cell", "ZeroDivisionError: division by zero", cell=1, line=2)

    tell_end(ended(substeps=(SubstepRecord("m.py", "failed", failure=failure),)), tmp_path, screen)

    assert screen.getvalue().startswith("x s / m.py failed, line 2, after")


def test_with_no_error_stream_nothing_is_printed_and_nothing_breaks(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)

    Console()(RunEvent("run_start", text="run-1"))


def test_a_broken_contract_shows_each_rule_and_each_row_on_a_line_of_its_own(screen, tmp_path):
    rules = (
        RuleResult("a", "type", "int64", "int64", kept=True),
        RuleResult("a", "min", "0", "2 rows below it", False, ("row 0: a=-1", "row 7: a=-2")),
        RuleResult("", "rows.min", "10", "8", kept=False),
    )
    output = EntityRecord("raw", "u.p.z.s.raw", "/x", "run-1", "outputs", "n.ipynb", contract=rules)
    failure = Failure("contract", "Output 'raw' breaks its contract: …")
    substep = SubstepRecord("n.ipynb", "failed", failure=failure, outputs=(output,))

    tell_end(ended(substeps=(substep,)), tmp_path, screen)

    assert screen.getvalue().splitlines()[1:-1] == [
        "  Output 'raw' breaks its contract:",
        "    column a, min 0: found 2 rows below it",
        "      row 0: a=-1",
        "      row 7: a=-2",
        "    rows.min 10: found 8",
    ]
