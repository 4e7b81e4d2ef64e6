"""``sinara why`` where something is gone, deep, hostile or doubtful: it is said to be so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sinara.names import new_run_id
from sinara.record import SubstepRecord
from tests.forge import forge, parquet, store_of


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "sinara_data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(folder):
    return store_of(folder, "load")


@pytest.fixture
def train(folder):
    return store_of(folder, "train")


RAW, MODEL = "user.pipe.zone.load.raw", "user.pipe.zone.train.model"


def test_an_input_that_was_taken_back_is_said_to_be_so_and_still_explained(command, load, train):
    first = forge(load, {"raw": 3}, params={"day": 1})
    forge(train, {"model": 1}, inputs=[(RAW, first)])
    load.tombstone(first, "somebody's secret was in it")

    answer = command("why", "model")

    assert f"load.raw  {first}  3 rows  TAKEN BACK: somebody's secret was in it" in answer.out
    assert "day=1" in answer.out
    assert answer.err.startswith("1 entity of this cannot be read any more")


def test_an_entity_of_which_every_run_was_taken_back_is_still_explained(command, load):
    load.tombstone(forge(load, {"raw": 3}, params={"day": 1}), "old")

    answer = command("why", "raw")

    assert answer.code == 0
    assert "TAKEN BACK: old" in answer.out


def test_a_run_that_nobody_knows_is_missing(command, train):
    forge(train, {"model": 1}, inputs=[(RAW, "run-25-01-01-000000"), (RAW, "")])

    answer = command("why", "model")

    assert "load.raw  run-25-01-01-000000  MISSING: its step knows no such run" in answer.out
    assert "MISSING: no run of it was recorded" in answer.out


def test_an_entity_that_its_run_does_not_hold_is_missing(command, load, train):
    run = forge(load, {"other": 3})
    forge(train, {"model": 1}, inputs=[(RAW, run)])

    assert f"load.raw  {run}  MISSING: the run holds no such entity" in command("why", "model").out


def test_an_env_that_the_settings_do_not_know_is_told(command, train):
    forge(train, {"model": 1}, inputs=[("lab.pipe.zone.load.raw", "run-25-01-01-000000")])

    assert "UNREADABLE: env 'lab' is not known" in command("why", "model").out


def test_where_the_record_is_gone_the_log_speaks(command, load, train):
    run = forge(load, {"raw": 3})
    forge(train, {"model": 1}, inputs=[(RAW, run)], params={"rate": 1}, with_record=False)

    answer = command("why", "model")

    assert "made by  work.ipynb of user.pipe.zone.train" in answer.out
    assert "code     c0ffee on main" in answer.out
    assert "set      not known: the record of the run is gone" in answer.out
    assert "load.raw" in answer.out


def test_a_record_that_is_damaged_is_passed_over(command, load):
    run = forge(load, {"raw": 3}, params={"day": 1})
    load.put_file(run, "record.json", b"{half")

    answer = command("why", "raw")

    assert answer.code == 0
    assert "not known: the record of the run is gone" in answer.out


def test_a_run_that_failed_is_no_source_but_can_be_asked_for(command, load):
    forge(load, {"raw": 3})
    failed = forge(load, {"raw": 4}, status="failed", params={"day": 2})

    assert failed not in command("why", "raw").out
    answer = command("why", "raw", "--run", failed)
    assert "NOT PUBLISHED: its run failed" in answer.out
    assert "day=2" in answer.out


def test_a_run_is_asked_for_by_the_beginning_of_its_id(command, load):
    run = forge(load, {"raw": 3}, run_id="run-25-01-01-000000-000000-00000001")
    forge(load, {"raw": 3})

    assert run in command("why", "raw", "--run", "run-25-01").out
    assert "fits 2 runs" in command("why", "load.raw", "--run", "run-2").err


def test_what_was_reused_names_the_run_that_executed_it(command, load):
    first = forge(load, {"raw": 3})
    second = forge(load, {"raw": 3}, adopted_from=first)

    answer = command("why", "raw")

    assert second in answer.out.splitlines()[0]
    assert f"executed in {first}" in answer.out


def test_what_was_published_by_hand_is_told_from_the_log(command, load):
    draft = load.claim(new_run_id(), draft=True)
    Path(draft.entity_url("raw")).write_bytes(parquet(2))
    draft.snapshot(
        ["raw"], inputs={"user.pipe.zone.ext.day": {"run_id": "run-25-01-01-000000"}},
        code={"commit": "beef", "dirty": ["a.ipynb"]}, params_sha256="", substeps=[],
    )  # fmt: skip
    draft.release()

    answer = command("why", "raw")

    assert "user.pipe.zone.load, by hand" in answer.out
    assert "beef, with changes in a.ipynb" in answer.out
    assert "ext.day" in answer.out


def test_a_run_of_the_original_is_said_to_be_unsealed(command, folder, train):
    old = folder / "sinara_data/user/pipe/zone/load/run-24-01-01-000000/raw"
    old.mkdir(parents=True)
    (old / "_SUCCESS").touch()
    forge(train, {"model": 1}, inputs=[(RAW, "run-24-01-01-000000")])

    answer = command("why", "model")

    assert "UNSEALED: written by 4-DS Sinara" in answer.out
    assert answer.err == ""
    assert command("why", "load.raw").code == 0


def test_a_circle_of_records_ends(command, load):
    run = "run-25-01-01-000000"
    forge(load, {"raw": 3}, run_id=run, inputs=[(RAW, run)])

    assert command("why", "raw").out.count("(told above)") == 1


def test_a_step_that_reads_its_own_last_run_is_drawn_to_a_depth_and_has_all_in_json(command, load):
    last = forge(load, {"raw": 1})
    for _ in range(60):
        last = forge(load, {"raw": 1}, inputs=[(RAW, last)])

    drawn = command("why", "raw").out
    told = json.loads(command("why", "raw", "--json").out)["lineage"]

    assert len(told["entities"]) == 61
    assert drawn.count("work.ipynb") == 41
    assert "more lies behind it" in drawn
    assert command("why", "raw", "--depth", "2").out.count("work.ipynb") == 3
    assert "more lies behind it" not in command("why", "raw", "--depth", "60").out


def test_two_steps_that_hold_it_are_named(command, load, train):
    forge(load, {"raw": 1}), forge(train, {"raw": 1})

    answer = command("why", "raw")

    assert answer.code == 2
    assert "user.pipe.zone.load, user.pipe.zone.train" in answer.err
    assert command("why", "load.raw").code == 0


def test_an_unknown_entity_is_one_line_with_the_nearest(command, load):
    forge(load, {"raw": 1})

    answer = command("why", "rwa")

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "Did you mean 'raw'?" in answer.err


def test_an_entity_that_a_run_does_not_hold_is_not_answered_with_itself(command, load):
    forge(load, {"raw": 1})

    answer = command("why", "raw", "--run", "run-26-01-01-000000-000000-00000000")

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "Did you mean" not in answer.err


def test_a_path_outside_of_every_env_is_one_line(command, folder):
    answer = command("why", "/etc/passwd")

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "below the root of an env" in answer.err


@pytest.mark.parametrize("name", ["", "..", "a b", "x" * 300, "é", "run-1/../..", "a.b.c.d.e.f"])
def test_a_name_that_cannot_be_is_one_line(command, load, name):
    forge(load, {"raw": 1})

    answer = command("why", name)

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)


def test_text_in_records_cannot_turn_the_terminal(command, load):
    forge(
        load, {"raw": 1}, params={"a\x1b[2J": "b\x1b[2J\n"}, raw=[("day", "/x\x1b[2J\n")],
        commit="c\x1b[2J", dirty=("f\x1b]0;\x07",),
    )  # fmt: skip

    assert "\x1b" not in command("why", "raw").out


def test_data_that_was_deleted_by_hand_is_not_claimed_to_be_there(command, load, train):
    run = forge(load, {"raw": 3})
    forge(train, {"model": 1}, inputs=[(RAW, run)])
    path = Path(load.url, run)
    for part in [path, *path.rglob("*")]:
        part.chmod(0o755)
    shutil.rmtree(path)

    # The log says that it is published, and the log is what is asked; verify finds the damage.
    assert f"load.raw  {run}  3 rows" in command("why", "model").out


def test_a_module_of_forging_matches_what_a_run_writes(load):
    run = forge(load, {"raw": 3})

    assert isinstance(load.read_record(run).substeps[0], SubstepRecord)
    assert load.verify() == ()


def test_a_run_of_which_only_the_log_knows_can_be_asked_for_by_its_id(command, load):
    run = forge(load, {"raw": 3}, with_record=False)
    load.tombstone(run, "old")
    forge(load, {"raw": 3})

    answer = command("why", "raw", "--run", run)

    assert "TAKEN BACK: old" in answer.out
