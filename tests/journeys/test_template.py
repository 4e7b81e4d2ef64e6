"""The step template works as it is: as a job, by hand, and with its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

TEMPLATE = Path(__file__).parents[2] / "step_template"
LITTER = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ipynb_checkpoints")

pytestmark = pytest.mark.slow


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """A copy of the template, with nothing beside it."""
    return Path(shutil.copytree(TEMPLATE, tmp_path / "work" / "pipeline-step", ignore=LITTER))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_the_template_runs_as_it_is_and_publishes_its_entity(step):
    done = run(step, "step.dev.py")

    assert done.returncode == 0, done.stderr
    home = step.parent / "sinara_data/user/pipeline/zone/step"
    [dataset] = home.glob("run-*/dataset")
    assert (dataset / "_SUCCESS").is_file()
    assert len(pd.read_parquet(dataset)) == 100
    [page] = home.glob("_runs/run-*/index.html")
    assert "dataset" in page.read_text("utf-8")


def test_a_run_leaves_no_file_in_the_step_folder(step):
    before = sorted(path.relative_to(step) for path in step.rglob("*"))

    run(step, "step.dev.py")

    assert sorted(path.relative_to(step) for path in step.rglob("*")) == before


def test_a_parameter_that_the_notebook_does_not_have_is_refused(step):
    params = step / "params/step_params.json"
    params.write_text(params.read_text("utf-8").replace('"seed"', '"sead"'), "utf-8")

    done = run(step, "step.dev.py")

    assert done.returncode == 2
    assert "sead" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(step.parent.glob("sinara_data/user/pipeline/zone/step/run-*"))


def test_what_is_committed_runs_in_prod_and_is_tagged(step):
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "A step"]):
        subprocess.run(["git", *command], cwd=step, check=True)

    done = run(step, "step.prod.py")

    assert done.returncode == 0, done.stderr
    [published] = (step.parent / "sinara_data/prod/pipeline/zone/step").glob(
        "run-*/dataset/_SUCCESS"
    )
    tags = subprocess.run(
        ["git", "tag"], cwd=step, capture_output=True, text=True, check=True
    ).stdout.split()
    assert tags == [published.parts[-3]]


@pytest.mark.parametrize(
    "arguments", [[], ["--nbval-lax", "do_step.ipynb"]], ids=["as a job", "by hand"]
)
def test_the_tests_of_the_template_pass_and_write_nothing_beside_it(step, arguments):
    done = run(step, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)

    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in step.parent.iterdir()] == [step.name]


def test_the_filter_that_the_template_names_keeps_outputs_out_of_git(step):
    import nbformat

    [switch_on] = [
        line.split()
        for line in (step / "README.md").read_text("utf-8").splitlines()
        if line.startswith("sinara step git-filter")
    ]
    (step / "do_step.ipynb").write_text(_with_an_output(step / "do_step.ipynb"), "utf-8")
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=step, env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout

    git("init", "-q")
    subprocess.run(switch_on, cwd=step, env=environ, check=True)
    git("add", "-A")
    kept = nbformat.reads(git("show", ":do_step.ipynb"), as_version=4)

    assert [cell for cell in kept.cells if cell.get("outputs")] == []
    assert "a secret" in (step / "do_step.ipynb").read_text("utf-8")


def _with_an_output(path: Path) -> str:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="a secret")]
    return str(nbformat.writes(notebook))
