"""``sinara run diff`` of two runs: everything that differs is told, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from sinara.record import Failure
from tests.compare.conftest import NOTEBOOK, picture
from tests.forge import forge, parquet, store_of


def test_two_equal_runs_do_not_differ(executed, diff, command):
    first, second = executed(), executed()

    told = diff()

    assert told["same"] is True
    assert (told["old"]["run_id"], told["new"]["run_id"]) == (first, second)
    assert "Nothing that was compared differs." in command("run", "diff").out


def test_parameters_are_told_old_and_new(executed, diff, command):
    executed(params={"rate": 1, "gone": True, "deep": {"a": 1, "b": 2}}, step_params={"k": 1})
    executed(params={"rate": 1.0, "new": None, "deep": {"a": 1, "b": 3}}, step_params={"k": 2})

    told = diff()

    changes = {c["name"]: (c["kind"], c["old"], c["new"]) for c in told["substeps"][0]["params"]}
    assert changes == {
        "rate": ("changed", 1, 1.0),
        "gone": ("removed", True, None),
        "new": ("added", None, None),
        "deep.b": ("changed", 2, 3),
    }
    assert told["params"] == [{"name": "step.k", "kind": "changed", "old": 1, "new": 2}]
    lines = [line.split() for line in command("run", "diff").out.splitlines()]
    assert ["deep.b", "2", "->", "3"] in lines
    assert ["rate", "1", "->", "1.0"] in lines


def test_metrics_have_their_difference(executed, diff, command):
    executed(metrics={"acc": 0.8, "loss": "NaN", "same": 3, "text": "a"})
    executed(metrics={"acc": 0.9, "loss": 0.5, "same": 3, "text": "b"})

    metrics = {m["name"]: m for m in diff()["substeps"][0]["metrics"]}

    assert metrics["acc"]["difference"] == pytest.approx(0.1)
    assert metrics["acc"]["share"] == pytest.approx(0.125)
    assert metrics["loss"]["difference"] is None
    assert metrics["same"]["kind"] == "same"
    out = command("run", "diff").out
    assert "acc   0.8 -> 0.9  +0.1 (+12 %)" in out
    assert "same" not in out.split("metrics")[1]


def test_entities_are_compared_by_rows_schema_and_digest(executed, diff, command):
    executed(
        outputs={"raw": 100, "gone": 1, "equal": 5, "wide": parquet(2, day="date32", n="int64")}
    )
    executed(
        outputs={"raw": 80, "fresh": 1, "equal": 5, "wide": parquet(2, n="float64", at="string")}
    )

    entities = {e["name"]: e for e in diff()["substeps"][0]["outputs"]}

    assert (entities["raw"]["rows"], entities["raw"]["content"]) == ([100, 80], "different")
    assert (entities["equal"]["kind"], entities["equal"]["content"]) == ("same", "equal")
    assert (entities["gone"]["kind"], entities["fresh"]["kind"]) == ("removed", "added")
    columns = {c["name"]: (c["old"], c["new"]) for c in entities["wide"]["columns"]}
    assert columns == {
        "day": ("date32[day]", None),
        "n": ("int64", "double"),
        "at": (None, "string"),
    }
    out = command("run", "diff").out
    assert "rows 100 -> 80 (-20 %)" in out
    assert "n int64 -> double" in out
    assert "equal" not in out.split("outputs")[1]


def test_an_input_of_another_run_with_the_same_content_is_no_difference(executed, diff, load):
    full = "user.pipe.zone.ext.day"
    runs = [
        executed(inputs=[(full, run)]) for run in ("run-25-01-01-000000", "run-25-01-02-000000")
    ]
    for run in runs:
        record = load.read_record(run)
        read = dataclasses.replace(record.substeps[0].inputs[0], manifest="aa", rows=3)
        part = dataclasses.replace(record.substeps[0], inputs=(read,))
        load.write_record(dataclasses.replace(record, substeps=(part,)))

    told = diff()

    (entity,) = told["substeps"][0]["inputs"]
    assert entity["runs"] == ["run-25-01-01-000000", "run-25-01-02-000000"]
    assert (entity["kind"], entity["content"], told["same"]) == ("same", "equal", True)


def test_a_custom_input_from_another_place_is_a_difference(executed, command):
    executed(raw=[("day", "/data/a.csv")])
    executed(raw=[("day", "/data/b.csv")])

    assert "/data/a.csv -> /data/b.csv" in command("run", "diff").out


def test_packages_and_failures_are_told(executed, command):
    executed(versions={"pandas": "2.1"})
    executed(versions={"pandas": "3.0"}, status="failed", failure=Failure("cell", "ValueError: no"))

    out = command("run", "diff").out

    assert "pandas  2.1 -> 3.0" in out
    assert "succeeded -> failed" in out
    assert "new failure: ValueError: no" in out


def test_code_is_compared_cell_by_cell_and_what_was_injected_is_not(executed, diff):
    injected = {"source": "rate = 7", "tags": ["injected-parameters"]}
    executed(["a = 1", injected, "b = 2", ""])
    executed(["a = 1", "b  =  2  # two", "c = 3"])

    code = diff()["substeps"][0]["code"]

    assert code["state"] == "changed"
    assert [(c["kind"], c["old"], c["new"]) for c in code["cells"]] == [
        ("formatting", 2, 1),
        ("added", None, 2),
    ]


def test_pictures_are_compared_with_those_of_the_same_cell(executed, diff, command):
    shown = picture()
    other = picture("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==", "image/gif")
    executed(["a = 1", {"source": "plot(a)", "outputs": [shown]}])
    executed(["z = 0", "a = 1", {"source": "plot(a)", "outputs": [shown, other]}])

    pictures = diff()["substeps"][0]["pictures"]

    assert pictures == [{"cell": 2, "same": True}, {"cell": 2, "same": False}]
    assert "pictures: 1 of 2 differ" in command("run", "diff").out


def test_a_notebook_that_is_gone_or_half_written_is_said_to_be_unknown(executed, diff, load):
    first, _ = executed(), executed()
    load.put_file(first, NOTEBOOK, b'{"cells": [')

    told = diff()

    assert told["substeps"][0]["code"]["state"] == "unknown"
    assert "not kept" in told["substeps"][0]["code"]["why"]


def test_a_substep_of_one_side_only_is_said_to_be_so(executed, command):
    executed(substep="old.ipynb"), executed(substep="new.ipynb")

    out = command("run", "diff").out

    assert "new.ipynb: only on the new side" in out
    assert "old.ipynb: only on the old side" in out


# -- which runs ------------------------------------------------------------------------------


def test_runs_are_given_by_ids_beginnings_and_places(executed, diff):
    first = executed(run_id="run-25-01-01-000000-000000-00000001")
    second, third = executed(), executed()

    def pair(*arguments):
        told = diff(*arguments)
        return told["old"]["run_id"], told["new"]["run_id"]

    assert pair() == (second, third)
    assert pair("last~2") == (first, third)
    assert pair("run-25", "last~1") == (first, second)
    assert pair("last", first) == (third, first)


def test_last_is_of_the_step_of_the_other_run(executed, folder, diff):
    first = executed()
    second = executed()
    forge(store_of(folder, "other"), {"x": 1})

    assert diff(first, "last")["new"]["run_id"] == second


def test_runs_of_two_steps_are_refused_in_one_line(executed, folder, command):
    first = executed()
    other = forge(store_of(folder, "other"), {"x": 1})

    answer = command("run", "diff", first, other)

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "Runs of one step are compared" in answer.err


@pytest.mark.parametrize("asked", [("last~5",), ("run-99",), ("last", "main"), ("nosuch", "main")])
def test_what_is_not_there_is_one_line(executed, command, asked):
    executed()

    answer = command("run", "diff", *asked)

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)


def test_a_single_run_has_nothing_to_be_compared_with(executed, command):
    executed()

    assert "has one run" in command("run", "diff").err


def test_one_step_in_two_envs_can_be_compared(executed, folder, diff):
    first = executed()
    second = forge(store_of(folder, "load", env="prod"), {"raw": 3})

    told = diff(first, second)

    assert [e["kind"] for e in told["substeps"][0]["outputs"]] == ["same"]
