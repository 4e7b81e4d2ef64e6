"""What a run is judged to be."""

from __future__ import annotations

import pytest

from sinara.record import Failure, RunRecord, SubstepRecord
from sinara.runner.describe import exit_code, params_digest, settled, verdict


def record(*substeps: SubstepRecord) -> RunRecord:
    return RunRecord(
        "run-1", "user", "p", "z", "s", "running", "2025-01-01T00:00:00+00:00", substeps=substeps
    )


def failed(kind: str, status: str = "failed") -> SubstepRecord:
    return SubstepRecord("a.ipynb", status=status, failure=Failure(kind=kind, message="why"))


DONE = SubstepRecord("a.ipynb", status="succeeded")


@pytest.mark.parametrize(
    ("substeps", "outside", "status"),
    [
        ([DONE, DONE], None, "succeeded"),
        ([DONE, SubstepRecord("b.ipynb")], None, "failed"),
        ([], None, "succeeded"),
        ([DONE, failed("cell")], None, "failed"),
        ([failed("interrupted", "cancelled")], None, "cancelled"),
        ([SubstepRecord("a.ipynb", status="stopped")], None, "stopped"),
        ([DONE], Failure(kind="error", message="x"), "failed"),
        ([DONE], Failure(kind="interrupted", message="x"), "cancelled"),
    ],
)
def test_only_a_run_of_all_its_substeps_succeeded(substeps, outside, status):
    assert verdict(record(*substeps), outside)[0] == status


def test_a_substep_that_never_ran_is_named():
    assert "b.ipynb did not run" in verdict(record(DONE, SubstepRecord("b.ipynb")), None)[1]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("cell", "failed", 1),
        ("kernel died", "failed", 4),
        ("memory", "failed", 4),
        ("cpu limit", "failed", 5),
        ("timeout", "failed", 5),
        ("cell", "cancelled", 130),
        ("cell", "stopped", 254),
        ("cell", "succeeded", 0),
    ],
)
def test_exit_codes_follow_the_table(kind, status, code):
    assert exit_code(record(failed(kind)), status) == code


def test_no_substep_is_left_open():
    before = record(SubstepRecord("a", status="running"), SubstepRecord("b"))

    assert [s.status for s in settled(before, "cancelled").substeps] == ["cancelled", "skipped"]
    assert [s.status for s in settled(before, "failed").substeps] == ["failed", "skipped"]


def test_the_digest_of_parameters_ignores_their_order():
    one = record(SubstepRecord("a", params={"x": 1, "y": 2}))
    same = record(SubstepRecord("a", params={"y": 2, "x": 1}))
    other = record(SubstepRecord("a", params={"x": 1, "y": 3}))

    assert params_digest(one) == params_digest(same) != params_digest(other)
