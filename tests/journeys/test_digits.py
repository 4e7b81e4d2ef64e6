"""The demo as a new user runs it: five steps, twice, without touching the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
STEPS = ("data_load", "data_prep", "model_train", "model_eval", "model_pack")

pytestmark = pytest.mark.slow


def demo(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run tools/demo.sh with the interpreter that runs the tests, and an empty home."""
    environ = {
        **os.environ,
        "PYTHON": sys.executable,
        "HOME": str(home),
        "SINARA_ENV_USER": "/nowhere",
    }
    for name in [name for name in environ if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))]:
        del environ[name]
    return subprocess.run(
        ["bash", str(ROOT / "tools/demo.sh"), str(folder)],
        cwd=home,
        env=environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def checkout() -> dict[str, int]:
    """Return what could show that somebody wrote into the example of the checkout."""
    return {str(path): path.stat().st_mtime_ns for path in (ROOT / "examples").rglob("*")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(place: Path) -> subprocess.CompletedProcess[str]:
    """The demo, run once in a folder that does not exist yet."""
    (place / "home").mkdir()
    before = checkout()
    done = demo(place / "my demo", place / "home")
    assert done.returncode == 0, done.stderr
    assert checkout() == before
    return done


def newest(place: Path, step: str) -> Path:
    return sorted((place / f"my demo/sinara_data/user/digits/zone/{step}/_runs").glob("run-*"))[-1]


def test_the_demo_ends_by_saying_where_the_report_is(first, place):
    [run] = (place / "my demo/sinara_data/user/digits/_runs").iterdir()
    named = first.stdout.replace("\\ ", " ")

    assert "OK  demo finished: 5 steps" in first.stdout
    assert str(run / "index.html") in named
    assert str(newest(place, "model_eval") / "index.html") in named
    assert (run / "index.html").is_file()


def test_every_path_that_the_demo_names_is_there(first):
    named = re.findall(r"(?:^|\s)(/(?:[^\s'\\]|\\ )+)", first.stdout)

    assert named
    assert [path for path in named if not Path(path.rstrip(",").replace("\\ ", " ")).exists()] == []


@pytest.mark.parametrize("step", STEPS)
def test_every_step_succeeded_and_is_published(first, place, step):
    record = json.loads((newest(place, step) / "record.json").read_text("utf-8"))

    assert record["status"] == "succeeded"
    assert record["published"] is True
    assert record["code"]["commit"]
    assert record["code"]["dirty"] == []


def test_the_model_recognises_the_digits(first, place):
    run = newest(place, "model_eval")
    metrics = json.loads((run / "reports_evaluate_ipynb/metrics.json").read_text("utf-8"))
    predictions = pd.read_parquet(run.parents[1] / run.name / "predictions")

    assert "0.9" in json.dumps(metrics)
    assert (predictions["digit"] == predictions["predicted"]).mean() > 0.9


def test_the_business_report_shows_the_confusion_matrix_and_no_code(first, place):
    page = (newest(place, "model_eval") / "reports_evaluate_ipynb/business_report.html").read_text(
        "utf-8"
    )

    assert "image/png;base64" in page
    assert "crosstab" not in page


def test_the_demo_can_be_run_again_with_what_was_changed_in_it(first, place):
    params = place / "my demo/digits-model_train/params/step_params.json"
    params.write_text(params.read_text("utf-8").replace("0.1", "100.0"), "utf-8")
    before = newest(place, "model_train")

    done = demo(place / "my demo", place / "home")

    assert done.returncode == 0, done.stderr
    after = newest(place, "model_train")
    assert after != before
    record = json.loads((after / "record.json").read_text("utf-8"))
    assert record["substeps"][0]["params"]["regularisation"] == 100.0
    assert "as it is" in done.stderr
    assert "data_load/load_digits.ipynb reused" in done.stderr
    assert "parameter regularisation: 0.1 → 100.0" in done.stderr


def test_a_step_that_fails_ends_the_demo_with_one_more_line(first, place):
    params = place / "my demo/digits-data_load/params/step_params.json"
    params.write_text(params.read_text("utf-8").replace('"digits": [', '"digitz": ['), "utf-8")

    done = demo(place / "my demo", place / "home")

    assert done.returncode == 1
    assert "digits-data_load: " in done.stderr
    assert "digitz" in done.stderr
    assert "OK" not in done.stdout


def test_the_notebooks_work_by_hand_one_after_the_other(tmp_path):
    """As in JupyterLab: plain kernels, no job; each reads what the one before it wrote."""
    import nbformat
    from nbclient import NotebookClient

    work = Path(shutil.copytree(ROOT / "examples/digits", tmp_path / "digits"))
    notebooks = (
        "data_load/load_digits",
        "data_prep/split",
        "data_prep/scale",
        "model_train/train",
        "model_eval/evaluate",
    )

    for name in notebooks:
        path = work / f"digits-{name}.ipynb"
        place = {"metadata": {"path": str(path.parent)}}
        NotebookClient(
            nbformat.read(path, as_version=4), kernel_name="python3", resources=place
        ).execute()

    [predictions] = work.glob("sinara_data/user/digits/zone/model_eval/run-*/predictions/_SUCCESS")
    table = pd.read_parquet(predictions.parent)
    assert (table["digit"] == table["predicted"]).mean() > 0.9
