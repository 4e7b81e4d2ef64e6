"""A substep in a job: everything comes from the context, and the driver learns everything."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sinara.errors import EntityNotFoundError, InterfaceError, UsageError
from sinara.substep import (
    ENTITY_NAME,
    ENTITY_PATH,
    STEP_NAME,
    NotebookSubstep,
    StopExecution,
    UnknownEntityError,
    default_param_values,
    get_curr_run_id,
    get_pipeline_params,
    get_step_params,
    get_substep_params,
    get_tmp_work_path,
    reset_curr_run_id,
)


def test_parameters_are_the_runs_own_and_not_the_files(job):
    job()

    assert get_pipeline_params()["x"] == "from the run"
    assert get_step_params() == {"y": "from the run"}
    assert get_substep_params() == {"lr": 0.5}


def test_parameters_are_printed_on_request(job, capsys):
    job()

    get_step_params(pprint=True)

    assert capsys.readouterr().out == "Step params:\n{'y': 'from the run'}\n\n"


def test_a_secret_is_opened_for_the_notebook_and_printed_as_its_place(job, capsys, monkeypatch):
    monkeypatch.setenv("HUB_TOKEN", "hush")
    job(substep_params={"token": {"$env": "HUB_TOKEN"}})

    params = get_substep_params(pprint=True)

    assert params["token"].reveal() == "hush"
    assert "hush" not in capsys.readouterr().out


def test_changing_what_was_returned_changes_nothing_for_others(job):
    job(pipeline_params={"pipeline_name": "demo", "list": [1]})

    get_pipeline_params()["list"].append(2)

    assert get_pipeline_params()["list"] == [1]


def test_names_are_the_runs(job):
    run = job()

    substep = NotebookSubstep(get_pipeline_params(), get_step_params(), {"lr": 1})

    assert (substep.env_name, substep.pipeline_name, substep.zone_name) == ("user", "demo", "zone")
    assert (substep.step_name, substep.substep_name) == ("train", "fit")
    assert substep.run_id == get_curr_run_id() == run.context.run_id


def test_the_older_form_takes_default_values(job):
    job()

    substep = NotebookSubstep({}, {}, {}, **default_param_values("params/step_params.json"))

    assert (substep.pipeline_name, substep.step_name) == ("demo", "train")


def test_a_notebook_that_names_another_place_than_its_run_is_refused(job):
    job()

    with pytest.raises(InterfaceError) as raised:
        NotebookSubstep({"pipeline_name": "demo", "zone_name": "mine"}, {"step_name": "fit"}, {})

    assert raised.value.lines[0].startswith(
        "zone_name is 'mine' in this notebook and 'zone' in its run"
    )
    assert raised.value.lines[1].startswith("step_name is 'fit'")


def test_the_driver_learns_interface_urls_and_pins(job, publish):
    upstream = publish("prep", "rows")
    run = job()

    substep = NotebookSubstep()
    substep.interface(
        inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}],
        outputs=[{ENTITY_NAME: "model"}],
        custom_inputs=[{ENTITY_NAME: "raw", ENTITY_PATH: "/data/raw"}],
        tmp_outputs=[{ENTITY_NAME: "cache"}],
    )

    told = run.handback
    assert told.interface["inputs"] == [{STEP_NAME: "prep", ENTITY_NAME: "rows"}]
    assert told.input_runs == {"user.demo.zone.prep.rows": upstream.run_id}
    assert told.inputs["user.demo.zone.prep.rows"].endswith(f"prep/{upstream.run_id}/rows")
    assert told.outputs == {"user.demo.zone.train.model": substep.outputs().model}
    assert told.tmp == {"tmp:user.demo.zone.train.cache": substep.tmp_outputs().cache}
    assert told.run_id == run.context.run_id


def test_the_interface_is_told_even_if_an_input_is_missing(job):
    run = job()
    substep = NotebookSubstep()

    with pytest.raises(EntityNotFoundError, match="'prep' has no published run"):
        substep.interface(inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}])

    assert run.handback.interface["inputs"] == [{STEP_NAME: "prep", ENTITY_NAME: "rows"}]


def test_an_output_is_not_there_before_it_is_written_but_its_run_is(job):
    job()
    substep = NotebookSubstep()

    substep.interface(outputs=[{ENTITY_NAME: "model"}, {ENTITY_NAME: "eval.metrics"}])

    url = substep.outputs().model
    assert not url.startswith("file:")
    assert not Path(url).exists()
    assert Path(url).parent.is_dir()
    assert substep.outputs().eval_metrics.endswith("/eval_metrics")
    assert substep.outputs().fullname("eval.metrics") == "user.demo.zone.train.eval.metrics"


def test_an_output_that_is_not_declared_is_answered_with_the_nearest_name(job):
    job()
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "model"}])

    with pytest.raises(UnknownEntityError, match=r"no entity 'modle'; there is model\. Did you"):
        substep.outputs().modle  # noqa: B018


def test_outputs_of_another_env_are_refused(job):
    job()
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "model"}])

    assert (
        substep.outputs(env_name="user", zone_name="curr_zone_name").model
        == substep.outputs().model
    )
    with pytest.raises(UsageError, match="would write outside of this run"):
        substep.outputs(env_name="prod")


def test_entities_before_the_declaration_are_an_error(job):
    job()

    with pytest.raises(InterfaceError, match="Nothing is declared yet"):
        NotebookSubstep().outputs()


def test_design_mode_stops_after_the_interface_and_looks_nothing_up(job, data, capsys):
    run = job(design_mode=True)
    substep = NotebookSubstep()

    substep.interface(
        inputs=[{STEP_NAME: "nobody", ENTITY_NAME: "x"}], outputs=[{ENTITY_NAME: "model"}]
    )
    substep.print_interface_info()

    assert run.handback.interface["outputs"] == [{ENTITY_NAME: "model"}]
    assert not data.exists()
    assert "nobody" in capsys.readouterr().out
    with pytest.raises(StopExecution):
        substep.exit_in_visualize_mode()


def test_outside_of_design_mode_nothing_stops(job):
    job()

    NotebookSubstep().exit_in_visualize_mode()


def test_the_variable_of_the_original_turns_design_mode_on(job, monkeypatch):
    job()
    monkeypatch.setenv("DESIGN_MODE", "1")

    with pytest.raises(StopExecution):
        NotebookSubstep().exit_in_visualize_mode()


def test_a_notebook_may_fix_the_run_id(job, monkeypatch):
    run = job()
    monkeypatch.setenv("DSML_CURR_RUN_ID", "run-25-01-01-000000")

    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "model"}])

    assert substep.run_id == get_curr_run_id() == "run-25-01-01-000000"
    assert "/run-25-01-01-000000/model" in substep.outputs().model
    assert run.handback.run_id == "run-25-01-01-000000"


def test_a_job_keeps_its_run_id_and_its_scratch_folder(job):
    run = job()

    assert reset_curr_run_id() == run.context.run_id
    assert get_tmp_work_path() == run.context.work_path
    assert get_tmp_work_path(write_root=True) == str(Path(run.context.work_path).parent)


def test_publishing_is_left_to_the_driver(job, step_store):
    run = job()
    with NotebookSubstep() as substep:
        substep.interface(outputs=[{ENTITY_NAME: "model"}])
        substep.write("model", pd.DataFrame({"a": [1]}))

        assert substep.publish() == run.context.run_id

    assert step_store("train").latest() is None


def test_temporary_entities_come_from_the_newest_run_that_has_them(job):
    for content in ("older", "newer"):
        job()
        earlier = NotebookSubstep()
        earlier.interface(tmp_outputs=[{ENTITY_NAME: "cache"}])
        Path(earlier.tmp_outputs().cache, "f").write_text(content)
    job()
    substep = NotebookSubstep()

    substep.interface(
        tmp_inputs=[{ENTITY_NAME: "cache"}],
        tmp_outputs=[{ENTITY_NAME: "cache"}],
        tmp_entities=[{ENTITY_NAME: "scratch"}],
    )

    assert Path(substep.tmp_inputs().cache, "f").read_text() == "newer"
    assert list(Path(substep.tmp_outputs().cache).iterdir()) == []
    assert Path(substep.tmp_entities().scratch).is_dir()


def test_a_cache_that_nobody_left_yet_is_this_runs_own(job):
    job()
    substep = NotebookSubstep()

    substep.interface(tmp_inputs=[{ENTITY_NAME: "cache"}], tmp_outputs=[{ENTITY_NAME: "cache"}])

    assert substep.tmp_inputs().cache == substep.tmp_outputs().cache


def test_what_else_lies_below_the_temporary_root_is_passed_over(job, data):
    job()
    step = data / "_tmp/user/demo/zone/train"
    (step / "_tensorboard" / "cache").mkdir(parents=True)
    (step / "run-25-01-01-000000" / "other").mkdir(parents=True)

    with pytest.raises(EntityNotFoundError):
        NotebookSubstep().interface(tmp_inputs=[{ENTITY_NAME: "cache"}])


def test_a_temporary_input_that_nobody_left_is_an_error(job):
    job()

    with pytest.raises(EntityNotFoundError, match="Temporary entity 'cache' is not there"):
        NotebookSubstep().interface(tmp_inputs=[{ENTITY_NAME: "cache"}])


def test_custom_entities_are_the_paths_as_given(job):
    job()
    substep = NotebookSubstep()

    substep.interface(
        custom_inputs=[{ENTITY_NAME: "raw", ENTITY_PATH: "/data/raw"}],
        custom_outputs=[{ENTITY_NAME: "copy", ENTITY_PATH: "s3://bucket/copy"}],
    )

    assert substep.custom_inputs().raw == "/data/raw"
    assert substep.custom_outputs().fullname("copy") == "copy"


def test_the_interface_is_printed_with_its_marks(job, publish, capsys):
    publish("prep", "rows", by_hand=True)
    job()
    substep = NotebookSubstep()
    substep.interface(
        inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}], outputs=[{ENTITY_NAME: "model"}]
    )

    substep.print_interface_info()

    printed = capsys.readouterr().out
    assert "STEP NAME: train" in printed
    assert "/rows  (interactive)" in printed
    assert f"  user.demo.zone.train.model: {substep.outputs().model}\n" in printed
    assert "CUSTOM" not in printed


def test_urls_are_made_without_looking(job):
    job()

    url, full = NotebookSubstep().make_data_url(
        "prep", "test", "other", "monthly", "eval.rows", "run-25-01-01-000000", "inputs"
    )

    assert url.endswith("/test/other/monthly/prep/run-25-01-01-000000/eval_rows")
    assert full == "test.other.monthly.prep.eval.rows"


def test_the_newest_run_of_any_step_can_be_asked_for(job, publish):
    publish("prep", "rows")
    newest = publish("prep", "rows")
    job()

    assert NotebookSubstep().last_run_id("prep", "user", "demo", "zone", "rows") == newest.run_id


def test_outputs_go_below_another_root_where_the_context_names_one(job, data, tmp_path):
    began = job(outputs_root=str(tmp_path / "elsewhere"))
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "model"}], tmp_outputs=[{ENTITY_NAME: "cache"}])

    substep.write("model", pd.DataFrame({"x": [1]}))
    Path(substep.tmp_outputs().cache, "file").write_text("x")

    run_id = began.context.run_id
    made = substep.make_data_url("train", "user", "demo", "zone", "model", run_id)[0]
    assert substep.outputs().model == made == f"{tmp_path}/elsewhere/demo/zone/train/{run_id}/model"
    assert not data.exists()
