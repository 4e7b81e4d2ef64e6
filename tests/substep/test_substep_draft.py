"""Work by hand: a draft that all notebooks of a checkout share, published as snapshots."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from sinara.errors import InterfaceError, OutputError, ParamsError, StoreError, UsageError
from sinara.substep import (
    ENTITY_NAME,
    RUN_ID,
    STEP_NAME,
    NotebookSubstep,
    default_param_values,
    get_curr_run_id,
    get_pipeline_params,
    get_step_params,
    get_substep_params,
    get_tmp_work_path,
    interactive,
    reset_curr_run_id,
)
from sinara.substep.draft import Draft

TABLE = pd.DataFrame({"a": [1, 2, 3]})


def declare(*outputs: str) -> NotebookSubstep:
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: name} for name in outputs])
    return substep


def end_cell(succeeded: bool = True) -> None:
    """Do what IPython's event does."""
    for draft in interactive._drafts.values():
        draft.after_cell(succeeded)


@pytest.fixture
def newest(step_store: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """A function that says what a reader of the step finds: entity -> number of rows or files."""

    def look(*entities: str) -> dict[str, Any]:
        commit = step_store("train").latest(entities)
        if commit is None:
            return {}
        return {name: held.rows or held.files for name, held in commit.entities.items()}

    return look


# -- names and parameters --------------------------------------------------------------------


def test_by_hand_everything_comes_from_the_files(folder):
    substep = NotebookSubstep()

    assert (substep.env_name, substep.pipeline_name, substep.step_name) == ("user", "demo", "train")
    assert get_pipeline_params()["x"] == 1
    assert get_step_params()["y"] == 2
    assert get_substep_params(substep_name="fit.ipynb") == {"lr": 0.1}
    assert default_param_values("params/step_params.json") == {
        "default_pipeline_name": "demo",
        "default_step_name": "train",
    }


def test_an_unknown_substep_is_answered_with_those_there_are(folder):
    with pytest.raises(ParamsError, match=r"there is fit\.ipynb\. Did you mean 'fit\.ipynb'"):
        get_substep_params(substep_name="fat.ipynb")


def test_a_notebook_below_the_steps_folder_finds_the_parameters(folder, monkeypatch):
    (folder / "nb").mkdir()
    monkeypatch.chdir(folder / "nb")

    assert get_pipeline_params()["pipeline_name"] == "demo"


def test_given_dictionaries_need_no_files(tmp_path, monkeypatch):
    bare = tmp_path / "demo-fit"
    bare.mkdir()
    monkeypatch.chdir(bare)

    substep = NotebookSubstep({"pipeline_name": "demo"}, {}, {})

    assert (substep.env_name, substep.zone_name, substep.step_name) == ("user", "zone", "fit")
    assert get_curr_run_id() == substep.run_id
    assert Path(get_tmp_work_path()).is_dir()


def test_a_name_that_nobody_gives_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path / "plain")

    with pytest.raises(ParamsError) as raised:
        NotebookSubstep({}, {}, {})

    assert [line.split(" is ")[0] for line in raised.value.lines] == [
        "'pipeline_name'",
        "'step_name'",
    ]


def test_the_notebooks_name_is_jupyters(folder, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/steps/demo-train/fit.ipynb")

    assert NotebookSubstep().substep_name == "fit"
    assert get_substep_params() == {"lr": 0.1}


def test_a_missing_input_is_told_when_it_is_declared(folder):
    with pytest.raises(StoreError, match="step 'prep' has no published run"):
        NotebookSubstep().interface(inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}])


# -- one draft -------------------------------------------------------------------------------


def test_notebooks_of_one_checkout_share_one_run_until_it_is_reset(folder):
    first = NotebookSubstep().run_id

    assert NotebookSubstep().run_id == first == get_curr_run_id()
    second = reset_curr_run_id()
    assert second != first
    assert NotebookSubstep().run_id == get_curr_run_id() == second


def test_resetting_forgets_a_run_id_that_the_notebook_fixed(folder, monkeypatch):
    monkeypatch.setenv("DSML_CURR_RUN_ID", "run-25-01-01-000000")
    assert NotebookSubstep().run_id == get_curr_run_id() == "run-25-01-01-000000"

    assert reset_curr_run_id() == get_curr_run_id() != "run-25-01-01-000000"


def test_a_run_id_fixed_from_outside_cannot_be_reset(folder, monkeypatch):
    monkeypatch.setenv("DSML_CURR_RUN_ID_FROM_PLINE", "run-25-01-01-000000")

    assert reset_curr_run_id() == NotebookSubstep().run_id == "run-25-01-01-000000"


def test_a_draft_cannot_take_the_place_of_a_published_run(folder, publish, monkeypatch):
    publish("train", "model", run_id="run-25-01-01-000000")
    monkeypatch.setenv("DSML_CURR_RUN_ID", "run-25-01-01-000000")

    with pytest.raises(StoreError, match="exists already"):
        declare("model")


def test_the_scratch_folder_belongs_to_the_draft(folder):
    first = get_tmp_work_path()
    reset_curr_run_id()

    assert Path(first).is_dir()
    assert get_tmp_work_path() != first
    assert sorted(path.name for path in folder.iterdir()) == ["params"]


# -- publishing ------------------------------------------------------------------------------


def test_a_cell_that_wrote_is_published_and_one_that_did_not_is_not(folder, newest, capsys):
    substep = declare("model", "log")
    end_cell()
    assert newest() == {}

    TABLE.to_parquet(substep.outputs().model)
    Path(substep.outputs().log, "a.txt").write_text("x")
    end_cell()
    end_cell()

    assert newest() == {"model": 3, "log": 1}
    printed = capsys.readouterr().out
    assert printed.startswith("Published run-")
    assert printed.endswith(": log (1 file), model (3 rows)\n")


def test_a_snapshot_stays_as_it_was_while_the_draft_is_written(folder, step_store):
    substep = declare("model")
    substep.write("model", TABLE)
    end_cell()
    url = step_store("train").entity_url(step_store("train").latest().run_id, "model")

    substep.write("model", TABLE.head(1))

    assert len(pd.read_parquet(url)) == 3
    assert substep.run_id not in url


def test_writing_again_replaces_it_for_readers(folder, newest):
    substep = declare("model")
    for rows in (1, 2):
        substep.write("model", TABLE.head(rows))
        end_cell()

    assert newest("model") == {"model": 2}


def test_what_a_failed_cell_changed_stays_as_it_was_until_a_good_one_changes_it(
    folder, newest, capsys
):
    substep = declare("model", "log")
    substep.write("model", TABLE.head(1))
    end_cell()
    substep.write("model", TABLE)
    end_cell(succeeded=False)
    assert "Not published: model changed in a cell that failed." in capsys.readouterr().out

    substep.write("log", TABLE)
    end_cell()
    assert newest("model", "log") == {"model": 1, "log": 3}

    substep.write("model", TABLE.head(2))
    end_cell()
    assert newest("model", "log") == {"model": 2, "log": 3}


def test_publishing_on_request_takes_what_a_failed_cell_left(folder, newest):
    substep = declare("model")
    substep.write("model", TABLE)
    end_cell(succeeded=False)

    substep.publish()

    assert newest() == {"model": 3}


def test_an_output_that_was_deleted_is_gone_from_the_next_snapshot(folder, newest):
    substep = declare("model", "log")
    substep.write("model", TABLE)
    substep.write("log", TABLE)
    end_cell()

    shutil.rmtree(substep.outputs().log)
    end_cell()
    substep.write("model", TABLE.head(1))
    end_cell()

    assert newest() == {"model": 1}


def test_with_publish_on_request_cells_publish_nothing(folder, newest, monkeypatch):
    monkeypatch.setenv("SINARA_PUBLISH", "request")
    substep = declare("model")
    substep.write("model", TABLE)
    end_cell()
    assert newest() == {}

    run_id = substep.publish()

    assert newest() == {"model": 3}
    assert run_id != substep.run_id


def test_a_script_publishes_when_it_ends_well(folder, newest):
    with NotebookSubstep() as substep:
        substep.interface(outputs=[{ENTITY_NAME: "model"}])
        substep.write("model", TABLE)

    assert newest() == {"model": 3}


def test_a_script_that_fails_publishes_nothing(folder, newest):
    def script() -> None:
        with NotebookSubstep() as substep:
            substep.interface(outputs=[{ENTITY_NAME: "model"}])
            substep.write("model", TABLE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        script()

    assert newest() == {}


def test_publishing_nothing_is_an_error(folder):
    with pytest.raises(InterfaceError, match=r"call substep\.interface"):
        NotebookSubstep().publish()
    with pytest.raises(OutputError, match="nothing was written to model"):
        declare("model").publish()


def test_a_half_written_output_of_an_engine_stays_as_it_was(folder, newest, capsys):
    substep = declare("model")
    substep.write("model", TABLE)
    end_cell()

    unfinished = Path(substep.outputs().model, "_temporary")
    unfinished.mkdir()
    (unfinished / "part").touch()
    end_cell()

    assert newest() == {"model": 3}
    assert "model as before: Output 'model'" in capsys.readouterr().out


def test_a_snapshot_says_what_it_was_made_from(folder, publish, step_store):
    upstream = publish("prep", "rows")
    substep = NotebookSubstep()
    substep.interface(
        inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}], outputs=[{ENTITY_NAME: "model"}]
    )
    substep.write("model", substep.read("rows"))
    end_cell()

    commit = step_store("train").latest()
    assert commit.interactive
    assert commit.draft == substep.run_id
    assert commit.inputs["user.demo.zone.prep.rows"]["run_id"] == upstream.run_id
    assert len(commit.params_sha256) == 64


def test_the_next_notebook_reads_it_with_no_extra_call(folder, capsys):
    declare("rows").write("rows", TABLE)
    end_cell()

    later = NotebookSubstep()
    later.interface(inputs=[{STEP_NAME: "train", ENTITY_NAME: "rows"}])
    later.print_interface_info()

    assert len(later.read("rows")) == 3
    assert "(interactive)" in capsys.readouterr().out


def test_reading_again_reads_what_was_published_since_and_says_so(folder, publish, capsys):
    first = publish("prep", "rows")
    substep = NotebookSubstep()
    substep.interface(inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}])
    before = substep.inputs(step_name="prep").rows
    second = publish("prep", "rows")

    assert substep.read("rows")["run"].tolist() == [second.run_id]
    assert second.run_id in substep.inputs(step_name="prep").rows
    assert pd.read_parquet(before)["run"].tolist() == [first.run_id]
    said = f"Published again: user.demo.zone.prep.rows is now read from {second.run_id}\n"
    assert capsys.readouterr().out == said


def test_what_is_made_from_newer_data_says_so(folder, publish, step_store):
    publish("prep", "rows")
    substep = NotebookSubstep()
    substep.interface(
        inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}], outputs=[{ENTITY_NAME: "model"}]
    )
    second = publish("prep", "rows")
    substep.write("model", substep.read("rows"))
    end_cell()

    made_from = step_store("train").latest().inputs["user.demo.zone.prep.rows"]
    assert made_from["run_id"] == second.run_id


def test_an_input_that_did_not_change_or_names_its_run_stays_where_it_is(folder, publish, capsys):
    first = publish("prep", "rows")
    declare("a").write("a", TABLE)
    end_cell()
    substep = NotebookSubstep()
    substep.interface(
        inputs=[
            {STEP_NAME: "prep", ENTITY_NAME: "rows", RUN_ID: first.run_id},
            {STEP_NAME: "train", ENTITY_NAME: "a"},
        ],
        outputs=[{ENTITY_NAME: "b"}],
    )
    capsys.readouterr()
    publish("prep", "rows")
    here = substep.inputs(step_name="train").a
    substep.write("b", TABLE)
    end_cell()  # a snapshot of a newer run id, with the same a

    assert first.run_id in substep.inputs(step_name="prep").rows
    assert substep.inputs(step_name="train").a == here
    assert "Published again" not in capsys.readouterr().out


def test_declaring_again_goes_on_with_the_same_draft(folder, newest):
    declare("model").write("model", TABLE)
    end_cell()
    declare("model", "log").write("log", TABLE)
    end_cell()

    assert newest("model", "log") == {"model": 3, "log": 3}
    assert len(interactive._drafts) == 1


def test_a_draft_whose_folder_was_removed_is_begun_again(folder, data, newest):
    declare("model").write("model", TABLE)
    end_cell()
    shutil.rmtree(data / "user")

    declare("model").write("model", TABLE.head(1))
    end_cell()

    assert newest() == {"model": 1}


def test_a_store_that_cannot_be_written_is_one_line_and_no_traceback(folder, data, capsys):
    substep = declare("model")
    substep.write("model", TABLE)
    commits = data / "user/demo/zone/train/_commits"
    shutil.rmtree(commits, ignore_errors=True)
    commits.touch()

    end_cell()

    printed = capsys.readouterr().out
    assert printed.startswith("Not published: ")
    assert printed.count("\n") == 1


# -- two kernels -----------------------------------------------------------------------------


@pytest.fixture
def other_kernel(folder: Path, step_store: Callable[..., Any], data: Path) -> Callable[..., Draft]:
    """A function that joins the draft as another kernel does."""

    def join(*outputs: str) -> Draft:
        store = step_store("train")
        draft = Draft(
            store.claim(get_curr_run_id(), draft=True),
            store,
            data / "_tmp" / "user" / "_drafts",
            storage_options={},
            each_cell=True,
        )
        draft.declare(dict.fromkeys(outputs), {}, "0" * 64)
        return draft

    return join


def test_two_notebooks_publish_each_others_outputs_together(folder, other_kernel, newest):
    substep = declare("model")
    other = other_kernel("log")
    substep.write("model", TABLE)
    end_cell()

    TABLE.to_parquet(substep.outputs().model.replace("/model", "/log"))
    other.after_cell(succeeded=True)

    assert newest("model", "log") == {"model": 3, "log": 3}
    other.release()


def test_what_another_notebook_is_writing_stays_as_it_was(folder, other_kernel, newest):
    substep = declare("model")
    other = other_kernel("log")
    log = Path(substep.outputs().model.replace("/model", "/log"))
    log.mkdir()
    TABLE.to_parquet(log / "part-0.parquet")
    other.after_cell(succeeded=True)

    TABLE.to_parquet(log / "part-1.parquet")  # by a cell of the other notebook that still runs
    substep.write("model", TABLE)
    end_cell()
    assert newest("model", "log") == {"model": 3, "log": 3}

    other.after_cell(succeeded=True)
    assert newest("model", "log") == {"model": 3, "log": 6}
    other.release()


def test_a_restarted_kernel_publishes_what_the_one_before_it_wrote(folder, newest):
    declare("model").write("model", TABLE)
    end_cell()
    interactive.leave()

    declare("log").write("log", TABLE)
    end_cell()

    assert newest("model", "log") == {"model": 3, "log": 3}


# -- prod ------------------------------------------------------------------------------------


@pytest.fixture
def in_prod(folder: Path) -> Path:
    """The step, with prod in its parameter file."""
    path = folder / "params" / "step_params.json"
    params = json.loads(path.read_text())
    params["pipeline_params"]["env_name"] = "prod"
    path.write_text(json.dumps(params))
    return folder


def test_prod_is_not_written_by_hand(in_prod, data):
    substep = declare("model")

    for write in (substep.outputs, substep.publish, lambda: substep.write("model", TABLE)):
        with pytest.raises(UsageError, match="Env prod is written by runs only"):
            write()
    end_cell()

    assert not (data / "prod").exists()


def test_prod_is_read_by_hand_but_not_what_was_published_by_hand(in_prod, publish):
    real = publish("prep", "rows", env="prod")
    publish("prep", "rows", env="prod", by_hand=True)
    substep = declare()
    substep.interface(inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}])

    assert substep.read("rows")["run"].tolist() == [real.run_id]


# -- IPython ---------------------------------------------------------------------------------


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """IPython in this process."""
    monkeypatch.setattr("IPython.core.history.HistoryManager.enabled", False)
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()
    interactive._shells.clear()


def test_the_end_of_a_cell_is_told_by_ipython(folder, shell, newest, capsys):
    shell.user_ns["TABLE"] = TABLE
    shell.run_cell("from sinara.substep import NotebookSubstep, ENTITY_NAME")
    declaring = "substep = NotebookSubstep(); substep.interface(outputs=[{ENTITY_NAME: 'model'}])"
    for _ in range(2):
        shell.run_cell(declaring)

    shell.run_cell("substep.write('model', TABLE); 1 / 0")
    assert newest() == {}
    shell.run_cell("substep.write('model', TABLE); None")

    assert newest() == {"model": 3}
    assert capsys.readouterr().out.count("Published run-") == 1


def test_a_cell_that_declares_and_writes_is_published(folder, shell, newest):
    shell.user_ns |= {"TABLE": TABLE, "declare": declare}

    shell.run_cell("declare('model').write('model', TABLE); None")

    assert newest() == {"model": 3}
