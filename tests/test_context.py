"""The files between driver and kernel, and the context of a notebook run by hand."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from sinara.context import (
    Handback,
    RunContext,
    draft_file,
    interactive_context,
    interactive_run_id,
    load_context,
    read_handback,
    reset_draft,
    write_context,
    write_handback,
)
from sinara.errors import BadNameError, ParamsError, StoreError, UsageError
from sinara.names import check_run_id

CONTEXT = RunContext(
    run_id="run-25-01-01-000000",
    env_name="user",
    pipeline_name="demo",
    zone_name="zone",
    step_name="train",
    substep_name="fit.ipynb",
    step_folder="/steps/demo-train",
    substep_params={"größe": [1, None, 2.5]},
    pins={"user/demo/zone/prep": "run-24-01-01-000000"},
)


def test_a_context_arrives_as_it_was_written(tmp_path):
    path = tmp_path / "context.json"

    write_context(path, CONTEXT)

    assert load_context({"SINARA_CONTEXT": str(path)}) == CONTEXT


def test_only_this_user_can_read_it_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "context.json"

    write_context(path, CONTEXT)

    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("environ", [{}, {"SINARA_CONTEXT": ""}])
def test_without_the_variable_there_is_no_job(environ):
    assert load_context(environ) is None


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"run_id": "x"}'])
def test_a_file_that_is_no_context_is_named(tmp_path, content):
    path = tmp_path / "context.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UsageError, match=r"SINARA_CONTEXT names .*context\.json"):
        load_context({"SINARA_CONTEXT": str(path)})


def test_a_later_versions_keys_are_passed_over(tmp_path):
    path = tmp_path / "handback.json"
    path.write_text('{"run_id": "run-25-01-01-000000", "colour": "red"}')

    assert read_handback(path) == Handback(run_id="run-25-01-01-000000")


def test_a_handback_is_replaced_whole_and_a_missing_one_is_empty(tmp_path):
    path = tmp_path / "handback.json"
    assert read_handback(path) == Handback()

    write_handback(path, Handback(metrics={"auc": 0.5}))
    write_handback(path, Handback(metrics={"auc": 0.6}))

    assert read_handback(path).metrics == {"auc": 0.6}


def test_a_value_that_json_cannot_hold_leaves_what_was_there(tmp_path):
    path = tmp_path / "handback.json"
    write_handback(path, Handback(metrics={"auc": 0.5}))

    with pytest.raises(ValueError, match="JSON"):
        write_handback(path, Handback(metrics={"auc": float("nan")}))

    assert read_handback(path).metrics == {"auc": 0.5}
    assert list(tmp_path.iterdir()) == [path]


def test_a_broken_handback_is_an_error(tmp_path):
    path = tmp_path / "handback.json"
    path.write_text("{")

    with pytest.raises(StoreError, match="is not what a substep hands back"):
        read_handback(path)


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """A step's folder with a parameter file."""
    params = tmp_path / "demo-train" / "params"
    params.mkdir(parents=True)
    (params / "step_params.json").write_text(
        json.dumps(
            {
                "pipeline_params": {"pipeline_name": "demo", "x": 1},
                "step_params": {"y": 2},
                "substeps_params": [{"substep_name": "fit.ipynb", "substep_params": {"lr": 0.1}}],
            }
        )
    )
    return params.parent


def test_by_hand_names_and_parameters_come_from_the_files(step):
    context = interactive_context(step, {}, "fit.ipynb")

    assert (context.env_name, context.pipeline_name, context.zone_name) == ("user", "demo", "zone")
    assert context.step_name == "train"
    assert context.substep_params == {"lr": 0.1}
    assert context.pipeline_params["x"] == 1
    assert context.step_params["y"] == 2
    assert not context.design_mode


def test_the_originals_variables_say_which_files_and_which_env(step):
    other = step / "params" / "other.json"
    (step / "params" / "step_params.json").rename(other)

    context = interactive_context(
        step,
        {
            "SINARA_STEP_PARAMS_FILE_PATH": "params/other.json",
            "SINARA_STEP_ENV_NAME": "test",
            "DESIGN_MODE": "1",
        },
    )

    assert context.env_name == "test"
    assert context.substep_params == {}
    assert context.design_mode


def test_a_folder_without_parameter_files_is_an_error(tmp_path):
    with pytest.raises(ParamsError, match="step_params"):
        interactive_context(tmp_path, {})


def test_a_draft_keeps_its_run_id_until_it_is_reset(tmp_path):
    first = interactive_run_id(str(tmp_path), tmp_path, {})

    assert interactive_run_id(str(tmp_path), tmp_path, {}) == first
    second = reset_draft(str(tmp_path), tmp_path)
    assert second != first
    assert interactive_run_id(str(tmp_path), tmp_path, {}) == check_run_id(second)


def test_two_checkouts_have_two_drafts(tmp_path):
    one, other = tmp_path / "a", tmp_path / "b"

    assert interactive_run_id(str(tmp_path), one, {}) != interactive_run_id(
        str(tmp_path), other, {}
    )


def _ask(root: str, answers: multiprocessing.Queue[str]) -> None:
    answers.put(interactive_run_id(root, Path(root), {}))


def test_notebooks_that_begin_at_once_agree_on_one_draft(tmp_path):
    fork = multiprocessing.get_context("spawn")
    answers = fork.Queue()
    processes = [fork.Process(target=_ask, args=(str(tmp_path), answers)) for _ in range(4)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()

    assert len(found) == 1


@pytest.mark.parametrize("name", ["DSML_CURR_RUN_ID", "DSML_CURR_RUN_ID_FROM_PLINE"])
def test_the_environment_may_fix_the_run_id(tmp_path, name):
    assert interactive_run_id(str(tmp_path), tmp_path, {name: "run-25-01-01-000000"}) == (
        "run-25-01-01-000000"
    )
    with pytest.raises(BadNameError):
        interactive_run_id(str(tmp_path), tmp_path, {name: "../../etc"})


def test_a_damaged_draft_file_is_named(tmp_path):
    path = draft_file(str(tmp_path), tmp_path)
    path.parent.mkdir()
    path.write_text("{}")

    with pytest.raises(StoreError, match="Remove it to begin a new draft"):
        interactive_run_id(str(tmp_path), tmp_path, {})


def test_the_draft_of_a_remote_root_is_remembered_at_home(tmp_path, private_machine):
    path = draft_file("s3://bucket/tmp", tmp_path)

    assert path.is_relative_to(private_machine)


def test_a_file_system_without_hard_links_keeps_a_draft_too(tmp_path, monkeypatch):
    def refuse(*_paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first = interactive_run_id(str(tmp_path), tmp_path, {})

    assert interactive_run_id(str(tmp_path), tmp_path, {}) == first
    assert len(list((tmp_path / "_drafts").iterdir())) == 1


def test_there_too_the_first_one_wins(tmp_path, monkeypatch):
    path = draft_file(str(tmp_path), tmp_path)

    def be_late(*_paths):
        path.write_text('{"run_id": "run-25-01-01-000000"}')
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", be_late)

    assert interactive_run_id(str(tmp_path), tmp_path, {}) == "run-25-01-01-000000"


def test_of_two_that_begin_a_draft_the_first_one_wins(tmp_path, monkeypatch):
    path = draft_file(str(tmp_path), tmp_path)
    exists = Path.exists

    def begin_meanwhile(self):
        if self == path and not exists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"run_id": "run-25-01-01-000000"}')
            return False
        return exists(self)

    monkeypatch.setattr(Path, "exists", begin_meanwhile)

    assert interactive_run_id(str(tmp_path), tmp_path, {}) == "run-25-01-01-000000"


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    taken = tmp_path / "context.json"
    taken.mkdir()

    with pytest.raises(IsADirectoryError):
        write_context(taken, CONTEXT)
    with pytest.raises(FileNotFoundError):
        write_context(tmp_path / "nowhere" / "context.json", CONTEXT)

    assert list(tmp_path.iterdir()) == [taken]
