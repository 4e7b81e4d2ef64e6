"""The run record: JSON there and back, and runinfo with the original's keys."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.errors import CorruptError, StoreError
from sinara.record import (
    SCHEMA_VERSION,
    AttemptRecord,
    CellRecord,
    CodeRecord,
    EntityRecord,
    Failure,
    RunRecord,
    SubstepRecord,
    from_json,
    metrics,
    plain,
    runinfo,
    to_json,
)

STARTED = "2026-11-21T05:00:00+00:00"


def entity(name: str = "train_set", kind: str = "inputs", **more) -> EntityRecord:
    url = f"/data/digits/zone/prep/run-1/{name}"
    return EntityRecord(
        name, f"user.digits.zone.prep.{name}", url, "run-1", kind, "a.ipynb", **more
    )


def run(*substeps: SubstepRecord, **more) -> RunRecord:
    given = {"status": "succeeded", "started": STARTED, "substeps": substeps, **more}
    return RunRecord("run-2", "user", "digits", "zone", "train", **given)


FULL = run(
    SubstepRecord(
        "train.ipynb",
        "failed",
        STARTED,
        61.5,
        {"lr": 0.1, "layers": [1, {"a": None}]},
        {"loss": 0.5},
        (entity(columns=(("x", "int64"), ("y", "double")), rows=3, bytes=10, files=1),),
        (entity("model", "outputs"),),
        (CellRecord(0, "done", 0.5, ("parameters",)), CellRecord(2, "failed")),
        Failure("cell", "it raised", 2, 1, "ValueError", "no", ("a", "b"), 9, 1, 100),
        ("a warning",),
        "python3",
    ),
    SubstepRecord("next.ipynb", "skipped"),
    status="failed",
    code=CodeRecord("abc", "main", "https://example.org/x", ("a.py",)),
    versions={"python": "3.11"},
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_attempts_come_back_as_they_were_and_older_records_have_none():
    dead = Failure("kernel died", "killed", 2, signal=9, peak_memory=100)
    attempts = (
        AttemptRecord(1, "failed", STARTED, 1.5, dead, "r/report.attempt-1.ipynb", 100, 2.0),
        AttemptRecord(2, "succeeded", STARTED, 1.0, notebook="r/report.ipynb"),
    )
    record = run(SubstepRecord("a.ipynb", "succeeded", attempts=attempts))
    older = json.loads(to_json(record))
    del older["substeps"][0]["attempts"]

    assert from_json(to_json(record)) == record
    assert from_json(json.dumps(older)).substeps[0].attempts == ()


def test_a_record_comes_back_as_it_was():
    assert from_json(to_json(FULL)) == FULL


@given(st.dictionaries(st.text(), json_values, max_size=5), st.text())
def test_any_json_value_comes_back_as_it_was(params, message):
    record = run(SubstepRecord("a.ipynb", params=params), pipeline_params=params, message=message)

    assert from_json(to_json(record)) == record


@given(st.text(st.characters(categories=["Cs", "Lu", "Po"])))
def test_lone_surrogates_come_back_and_the_text_is_utf_8(name):
    lone = "".join(c for c in name if not "\udc00" <= c <= "\udfff")  # no pair that JSON would join
    record = run(step_folder=lone)

    text = to_json(record).encode("utf-8")

    assert from_json(text) == record


def test_names_of_any_alphabet_stay_readable_in_the_file():
    assert "Обучение" in to_json(run(message="Обучение"))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(math.nan, "NaN", id="NaN"),
        pytest.param(math.inf, "Infinity", id="infinity"),
        pytest.param(-math.inf, "-Infinity", id="minus infinity"),
        pytest.param(np.float64(0.5), 0.5, id="NumPy float"),
        pytest.param(np.float32("nan"), "NaN", id="NumPy NaN"),
        pytest.param(np.int64(3), 3, id="NumPy integer"),
        pytest.param(np.bool_(True), True, id="NumPy bool"),
        pytest.param(np.array([1, 2]), "[1 2]", id="array"),
        pytest.param(Path("/a/b"), "/a/b", id="path"),
        pytest.param(datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00", id="moment"),
        pytest.param({1}, [1], id="set"),
        pytest.param({1: 2}, {"1": 2}, id="key that is no text"),
        pytest.param(IntEnum("Level", "low high").high, 2, id="enum"),
        pytest.param(b"ab", "b'ab'", id="bytes"),
        pytest.param(1 << 20_000, hex(1 << 20_000), id="integer too long for Python to write"),
    ],
)
def test_a_value_that_json_does_not_know_is_written_as_a_person_would(value, written):
    record = run(SubstepRecord("a.ipynb", metrics={"m": value}))

    found = json.loads(to_json(record), parse_constant=pytest.fail)

    assert found["substeps"][0]["metrics"]["m"] == written


def test_a_value_whose_text_raises_is_named_by_its_type():
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert plain({"a": Broken()}) == {"a": "<Broken>"}


def test_a_value_that_holds_itself_ends():
    endless: list[object] = []
    endless.append(endless)

    assert "[[...]]" in json.dumps(plain(endless))


def test_a_reader_skips_keys_that_it_does_not_know():
    data = json.loads(to_json(FULL))
    data["new"] = 1
    data["substeps"][0]["new"] = {"a": 1}

    assert from_json(json.dumps(data)) == FULL


def test_a_whole_number_of_seconds_is_a_number_of_seconds():
    data = json.loads(to_json(FULL))
    data["seconds"] = 3

    assert from_json(json.dumps(data)).seconds == 3.0


def test_a_key_that_an_older_sinara_did_not_write_takes_its_default():
    data = json.loads(to_json(FULL))
    del data["tag"], data["substeps"][0]["warnings"]

    found = from_json(json.dumps(data))

    assert found.substeps[0].warnings == ()


def test_a_record_by_a_newer_sinara_is_refused_with_what_to_do():
    newer = to_json(replace(FULL, schema_version=SCHEMA_VERSION + 1))

    with pytest.raises(StoreError, match=r"newer sinara.*pip install -U sinara"):
        from_json(newer)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda d: d.pop("run_id"), r"record\.run_id is missing", id="key missing"),
        pytest.param(
            lambda d: d.update(status="fine"),
            r"record\.status has to be running or",
            id="unknown status",
        ),
        pytest.param(
            lambda d: d.update(seconds="3"),
            r"record\.seconds has to be float; found '3'",
            id="text for a number",
        ),
        pytest.param(
            lambda d: d.update(pid=True), r"record\.pid has to be int", id="bool for a number"
        ),
        pytest.param(
            lambda d: d.update(substeps={}),
            r"record\.substeps has to be a list",
            id="object for a list",
        ),
        pytest.param(
            lambda d: d.update(substeps=[1]),
            r"record\.substeps\[0\] has to be an object",
            id="number for a substep",
        ),
        pytest.param(
            lambda d: d.update(versions={"a": 1}),
            r"record\.versions\.a has to be str",
            id="number for a version",
        ),
        pytest.param(
            lambda d: d.update(code=[]),
            r"record\.code has to be an object",
            id="list for an object",
        ),
        pytest.param(
            lambda d: d.update(pipeline_params=3),
            r"pipeline_params has to be an object",
            id="number for parameters",
        ),
        pytest.param(
            lambda d: d["substeps"][0]["inputs"][0].update(columns=[["x"]]),
            r"columns\[0\] has to be 2 items",
            id="half a column",
        ),
    ],
)
def test_a_damaged_record_is_named_with_the_place(damage, words):
    data = json.loads(to_json(FULL))
    damage(data)

    with pytest.raises(CorruptError, match=words):
        from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_record_is_corrupt_and_nothing_else(text):
    with pytest.raises(CorruptError):
        from_json(text)


def test_runinfo_has_the_keys_of_the_original():
    found = runinfo(FULL, FULL.substeps[0])

    original = (
        "input_nb_name output_nb_name pipeline_params step_params substeps_params sinara_version "
        "start_time stop_time status duration commit outputs_url notebook_report_url result inputs "
        "outputs tmp origin step_name"
    )
    assert set(original.split()) <= set(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_runinfo_tells_entities_by_full_name_and_url():
    substep = replace(
        FULL.substeps[0],
        inputs=(entity(), entity("cache", "tmp_inputs")),
        outputs=(entity("model", "outputs"), entity("copy", "custom_outputs")),
    )

    found = runinfo(FULL, substep)

    base = "/data/digits/zone/prep/run-1"
    assert found["inputs"] == {"user.digits.zone.prep.train_set": f"{base}/train_set"}
    assert found["tmp"] == {"user.digits.zone.prep.cache": f"{base}/cache"}
    assert found["outputs"] == {
        "user.digits.zone.prep.model": f"{base}/model",
        "user.digits.zone.prep.copy": f"{base}/copy",
    }
    assert found["input_runs"]["user.digits.zone.prep.train_set"] == "run-1"


@pytest.mark.parametrize(
    ("status", "written", "result", "stops"),
    [
        ("succeeded", "COMPLETE", "SUCCESS", True),
        ("failed", "FAILED", "FAIL", True),
        ("cancelled", "CANCELLED", "FAIL", True),
        ("stopped", "STOPPED", "UNKNOWN", True),
        ("lost", "LOST", "FAIL", False),
        ("running", "RUNNING", "UNKNOWN", False),
        ("pending", "PENDING", "UNKNOWN", False),
        ("skipped", "SKIPPED", "UNKNOWN", True),
    ],
)
def test_runinfo_never_says_more_than_what_happened(status, written, result, stops):
    found = runinfo(FULL, replace(FULL.substeps[0], status=status))

    assert (found["status"], found["result"]) == (written, result)
    assert (found["stop_time"] is not None) == stops


def test_runinfo_tells_when_and_how_long():
    found = runinfo(FULL, FULL.substeps[0])

    assert found["start_time"] == STARTED
    assert found["stop_time"] == "2026-11-21T05:01:01.500000+00:00"
    assert found["duration"] == "0:01:01.500000"


def test_runinfo_of_a_moment_that_is_none_has_no_end():
    assert runinfo(FULL, replace(FULL.substeps[0], started="yesterday"))["stop_time"] is None


def test_runinfo_names_where_the_report_lies():
    record = replace(FULL, url="/data/digits/zone/train/run-2")

    found = runinfo(record, record.substeps[0])

    assert found["outputs_url"] == "/data/digits/zone/train/run-2"
    assert found["notebook_report_url"] == "/data/digits/zone/train/run-2/reports_train_ipynb"


def test_metrics_are_what_json_can_hold():
    substep = SubstepRecord("a.ipynb", metrics={"loss": math.nan, "n": np.int32(3)})

    assert metrics(substep) == {"loss": "NaN", "n": 3}


def test_every_field_of_a_run_is_written():
    assert set(json.loads(to_json(FULL))) == {field.name for field in fields(RunRecord)}
