"""status: how each step stands, read from outside; nothing of a step is run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinara.fleet import LastRun, status, steps_in
from sinara.names import StepName
from sinara.record import RunRecord
from sinara.settings import load_settings
from sinara.store import open_store
from tests.fleet.conftest import git

RUN = "run-26-01-02-030405-000001-0123abcd"


def of(found, step: str):
    return next(each for each in found if each.step == step)


def test_branch_distance_and_changes_are_told(pipeline):
    pipeline.commit("prep")
    (pipeline.step("prep") / "new ✓.txt").write_text("")
    (pipeline.step("prep") / "a.txt").write_text("two\n")

    found = status(steps_in(pipeline.folder))

    prep = of(found, "prep")
    assert (prep.pipeline, prep.branch, prep.upstream) == ("churn", "main", "origin/main")
    assert (prep.ahead, prep.behind) == (1, 0)
    assert prep.dirty == ("a.txt", "new ✓.txt")
    assert (of(found, "eval").ahead, of(found, "eval").dirty) == (0, ())


def test_what_others_pushed_is_known_after_asking(pipeline):
    pipeline.others_commit("prep")
    steps = steps_in(pipeline.folder)

    before, after = status(steps), status(steps, ask=True)

    assert (of(before, "prep").behind, of(after, "prep").behind) == (0, 1)


def test_a_remote_that_cannot_be_asked_is_told_and_the_rest_is_shown(pipeline):
    pipeline.remote("prep").rename(pipeline.bare / "gone.git")

    found = status(steps_in(pipeline.folder), ask=True)

    prep = of(found, "prep")
    assert "not fetched from 'origin'" in prep.problem
    assert (prep.branch, prep.ahead) == ("main", 0)


def test_what_is_no_repository_detached_or_alone_is_told(pipeline):
    (pipeline.step("eval") / ".git").rename(pipeline.folder / "moved")
    git(pipeline.step("prep"), "checkout", "--quiet", "--detach")
    git(pipeline.step("train"), "switch", "--quiet", "--create", "alone")

    found = status(steps_in(pipeline.folder))

    assert of(found, "eval").problem.startswith("not a repository")
    assert not of(found, "eval").repository
    assert (of(found, "prep").branch, of(found, "prep").commit is None) == (None, False)
    assert of(found, "prep").repository
    assert (of(found, "train").branch, of(found, "train").upstream) == ("alone", None)


def test_the_newest_run_of_the_env_is_told(pipeline):
    settings = load_settings(pipeline.step("prep"))
    store = open_store(settings.env("user").root).step(StepName("user", "churn", "zone", "prep"))
    record = RunRecord(
        RUN, "user", "churn", "zone", "prep", "failed", "2026-01-02T03:04:05+00:00", exit_code=1
    )
    store.write_record(replace(record, run_id=RUN.replace("26-01", "25-01"), status="succeeded"))
    store.write_record(record)
    store.record_folder(RUN.replace("26-01", "26-02"))  # begun, and with no record yet

    found = status(steps_in(pipeline.folder))

    assert of(found, "prep").last_run == LastRun(RUN, "failed", "2026-01-02T03:04:05+00:00")
    assert of(found, "eval").last_run == LastRun()
    assert of(status(steps_in(pipeline.folder), env="test"), "prep").last_run == LastRun()


@pytest.mark.parametrize("break_it", ["no such store", "half a record", "settings"])
def test_a_broken_store_is_told_and_is_not_the_end(pipeline, break_it):
    runs = pipeline.folder / "sinara_data/user/churn/zone/prep/_runs"
    if break_it == "no such store":
        toml = '[envs]\nuser = "nosuch://bucket/user"\n'
        (pipeline.step("prep") / "sinara.toml").write_text(toml)
    elif break_it == "half a record":
        (runs / RUN).mkdir(parents=True)
        (runs / RUN / "record.json").write_text("{")
    else:
        (pipeline.step("prep") / "sinara.toml").write_text("[[[")

    found = status(steps_in(pipeline.folder))

    assert of(found, "prep").last_run.problem
    assert of(found, "prep").branch == "main"
    assert of(found, "eval").last_run == LastRun()


def test_a_parameter_file_that_cannot_be_read_costs_only_the_names(pipeline):
    (pipeline.step("prep") / "params/step_params.json").write_text("{")

    found = status(steps_in(pipeline.folder))

    assert of(found, "churn-prep").branch == "main"
    assert "step_params.json" in of(found, "churn-prep").last_run.problem


def test_nothing_is_written_and_nothing_of_a_step_is_run(pipeline, tree):
    (pipeline.step("prep") / "step.dev.py").write_text("open('canary', 'w')\n")
    (pipeline.step("prep") / "sitecustomize.py").write_text("open('canary', 'w')\n")
    before = tree(pipeline.folder)

    status(steps_in(pipeline.folder))

    assert tree(pipeline.folder) == before
