"""What comes from a notebook or a file of others and is shown in a terminal acts on nothing."""

from __future__ import annotations

import io

import pytest

from sinara.cli.pipeline_runs import told
from sinara.console import inert, log_lines
from sinara.console.told import tell_end
from sinara.pipeline.show import Show
from sinara.record import Failure, PipelineRecord, RunRecord, StepState, SubstepRecord, SubstepState
from sinara.runner import RunEvent

HOSTILE = "\x1b[2J\x1b]0;title\x07 caf\u00e9 \u202eevil\x9b31m"
SHOWN = r"\x1b[2J\x1b]0;title\x07 café \u202eevil\x9b31m"


@pytest.mark.parametrize("text", ["plain text", "▸ café\tthere", "日本 ✓"])
def test_what_is_seen_stays_as_it_is(text):
    assert inert(text) == text


def test_what_is_not_seen_is_shown_as_an_escape():
    assert inert(HOSTILE) == SHOWN


def test_the_error_of_a_cell_is_told_inert(tmp_path):
    out = io.StringIO()
    failure = Failure(kind="cell", message=f"ValueError: {HOSTILE}")
    substep = SubstepRecord("a.ipynb", status="failed", failure=failure)
    record = RunRecord(
        "run-1", "user", "p", "z", "s", "failed", "2026-01-01T00:00:00Z", substeps=(substep,)
    )

    tell_end(record, tmp_path, out)

    assert f"  ValueError: {SHOWN}\n" in out.getvalue()


def test_what_a_pipeline_run_tells_is_inert():
    out = io.StringIO()
    show = Show(out, verbose=True)
    one = SubstepState("a.ipynb", status="failed")
    step = StepState("s", "/s", "user", "p", "z", status="failed", message=HOSTILE, substeps=(one,))
    record = PipelineRecord("pl-1", "user", "p", "failed", "2026-01-01T00:00:00Z", steps=(step,))

    show.event("s", RunEvent("warning", "a.ipynb", text=HOSTILE))
    show.event("s", RunEvent("stream", "a.ipynb", text="half \x1b[2J\x1b]0;ti", stream="stdout"))
    show.event("s", RunEvent("stream", "a.ipynb", text="tle\x07a line\n", stream="stdout"))
    show.tick(record)

    assert out.getvalue().splitlines() == [
        f"  s: {SHOWN}",
        "  s/a.ipynb | half a line",
        "  s/a.ipynb failed after 0.0 s",
        f"  s failed: {SHOWN}",
    ]


def test_logs_are_told_inert():
    event = {"time": "2026-01-01T10:00:00.000", "kind": "warning", "text": HOSTILE}

    assert list(log_lines([event])) == [f"10:00:00.000  {SHOWN}"]
    assert told({**event, "step": "s"}) == f"10:00:00  s  warning  {SHOWN}"
