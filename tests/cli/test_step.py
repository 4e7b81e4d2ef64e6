"""``sinara step``: new, check, run, with a real kernel."""

from __future__ import annotations

import json
import subprocess

import nbformat
import pytest

from tests.steps import cell, notebook

WRITE = "import pandas as pd\npd.DataFrame({'x': [1]}).to_parquet(substep.outputs().raw)"


@pytest.fixture
def good(pipeline):
    path = pipeline / "pipe-load" / "load.ipynb"
    nbformat.write(notebook(cell(WRITE), outputs=[{"ENTITY_NAME": "raw"}]), path)
    return path


def test_run_prints_the_run_id_and_nothing_else_on_the_output_stream(sinara, good):
    answer = sinara("step", "run")

    assert answer.code == 0, answer.err
    assert answer.out.strip() == json.loads(sinara("run", "show", "--json").out)["run"]["run_id"]


def test_run_names_the_cell_and_the_cause_of_a_failure(sinara, good):
    nbformat.write(notebook(cell("1/0"), outputs=[{"ENTITY_NAME": "raw"}]), good)

    answer = sinara("step", "run", "--json")

    assert answer.code == 1
    assert "in cell 5, line 1" in answer.err
    assert "> 1  1/0" in answer.err
    assert "ZeroDivisionError" in answer.err
    assert json.loads(answer.out)["run"]["status"] == "failed"


def test_a_killed_kernel_is_4(sinara, good):
    nbformat.write(notebook(cell("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")), good)

    assert sinara("step", "run").code == 4


def test_a_timeout_is_5(sinara, good, monkeypatch):
    monkeypatch.setenv("SINARA_CELL_TIMEOUT", "2")
    nbformat.write(notebook(cell("import time; time.sleep(60)")), good)

    assert sinara("step", "run").code == 5


def test_a_wrong_override_is_2_and_nothing_runs(sinara, good, pipeline):
    answer = sinara("step", "run", "--set", "nothing_like_it=1")

    assert answer.code == 2
    assert "nothing_like_it" in answer.err
    assert not (pipeline / "sinara_data").exists()


def test_check_finds_nothing_in_a_good_step(sinara, good):
    answer = sinara("step", "check")

    assert (answer.code, answer.out) == (0, "")


def test_check_ends_with_3_and_names_the_cell(sinara, good):
    nbformat.write(notebook(cell("def broken(:")), good)

    answer = sinara("step", "check", "--json")

    findings = json.loads(answer.out)["findings"]
    assert answer.code == 3
    assert any(
        f["cell"] == 3 and "syntax" in f["message"].lower() + f["code"].lower() for f in findings
    )


def test_new_makes_a_step_that_is_committed_and_checks_clean(sinara, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    answer = sinara("step", "new", "prep", "--pipeline", "mine")

    made = tmp_path / "mine-prep"
    assert answer.code == 0, answer.err
    assert answer.out.strip() == str(made)
    assert (
        json.loads((made / "params/step_params.json").read_text())["step_params"]["step_name"]
        == "prep"
    )
    assert (
        subprocess.run(
            ["git", "status", "--porcelain"], cwd=made, capture_output=True, check=True
        ).stdout
        == b""
    )
    assert sinara("step", "check", "-C", str(made)).code == 0


@pytest.mark.parametrize("name", ["../x", "a b", "", "con", "a/b", "-x", "a\nb"])
def test_new_refuses_bad_names_and_makes_nothing(sinara, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    answer = sinara("step", "new", "--", name)

    assert answer.code == 2
    assert list(tmp_path.iterdir()) == []


def test_new_never_overwrites(sinara, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline-prep").mkdir()
    (tmp_path / "pipeline-prep" / "mine").write_text("x")

    assert sinara("step", "new", "prep").code == 2
    assert [p.name for p in (tmp_path / "pipeline-prep").iterdir()] == ["mine"]


def test_new_in_an_empty_folder_leaves_the_folder_that_one_stands_in(sinara, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino

    answer = sinara("step", "new", "prep", "--folder", ".")

    assert answer.code == 0, answer.err
    assert tmp_path.stat().st_ino == before
    assert (tmp_path / "step.dev.py").is_file()
    assert (tmp_path / ".git").is_dir()
