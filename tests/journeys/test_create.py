"""A pipeline made by the script, as a person or a job makes it: asked, told, broken off, misused."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.steps import run_script

SCRIPT = Path(__file__).parents[2] / "create_pipeline.sh"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def create(
    folder: Path, *arguments: str, answers: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments],
        cwd=folder, input=answers, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHON": sys.executable, **variables},
    )  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a space in its name."""
    (tmp_path / "my work").mkdir()
    return tmp_path / "my work"


def test_answers_make_a_pipeline_whose_steps_run_one_after_the_other(here):
    done = create(here, answers="shop\ndata_load,data_prep,train\nlocal\n\n")

    assert done.returncode == 0, done.stderr
    assert "made" in done.stdout
    for step in ("data_load", "data_prep", "train"):
        ran = run_script(here / "shop" / f"shop-{step}")
        assert ran.returncode == 0, ran.stderr
    assert (here / "shop/repositories/shop-train.git/HEAD").is_file()
    assert (
        len(list((here / "shop/sinara_data/user/shop/zone").glob("*/run-*/dataset/_SUCCESS"))) == 3
    )


def test_the_flags_of_the_original_are_taken(here):
    done = create(
        here,
        "--pipeline_name",
        "shop",
        "--step_count",
        "2",
        "--step_name_template",
        "part",
        "--git_provider",
        "local",
    )

    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (here / "shop").iterdir() if p.is_dir()) == [
        "repositories",
        "shop-part1",
        "shop-part2",
    ]


@pytest.mark.parametrize(
    "given",
    [["--token", "s3cr3t-canary"], ["--token=s3cr3t-canary", "--name", "x", "--steps", "a"]],
)
def test_a_token_in_the_arguments_is_refused_and_not_repeated(here, given):
    done = create(here, *given)

    assert done.returncode == 2
    assert "SINARA_GITHUB_TOKEN" in done.stderr
    assert "s3cr3t-canary" not in done.stderr + done.stdout
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "missing"),
    [("", "Name of the pipeline"), ("shop\n", "Steps"), ("\n", "Name of the pipeline")],
)
def test_a_missing_answer_is_named(here, answers, missing):
    done = create(here, answers=answers)

    assert done.returncode == 2
    assert f"{missing}: there is no answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../up", "/abs", "a b", "$(touch canary)", "`touch canary`", "a;touch canary", "-rf", "--upload-pack=touch canary",
             "x" * 300, "a\tb", "CON", "ext::sh -c touch% canary", "🎉"],
)  # fmt: skip
def test_hostile_names_make_nothing_and_run_nothing(here, name):
    for arguments, answers in (
        (["--name", name, "--steps", "a,b"], ""),
        (["--name", "p", "--steps", f"a,{name}"], ""),
        ([], f"{name}\na\n"),
        (["--name", "p", "--steps", "a", "--zone", name], ""),
    ):
        done = create(here, *arguments, answers=answers)
        assert done.returncode == 2, (arguments, done.stdout)
        assert "Traceback" not in done.stderr
    assert list(here.iterdir()) == []
    assert not list(here.parent.glob("**/canary"))


def test_a_manifest_makes_what_it_says_and_a_wrong_one_is_told_line_by_line(here):
    (here / "good.yaml").write_text(
        "pipeline_name: wine\nsteps:\n- step_name: load\n  substeps:\n  - substep_name: load\n    outputs: [raw]\n"
        "- step_name: prep\n  substeps:\n  - substep_name: prepare\n    inputs: [{step_name: load, entity_name: raw}]\n"
        "    outputs: [{entity_name: train}, {entity_name: test}]\n"
    )
    (here / "bad.yaml").write_text(
        "pipeline_name: w\nsteps:\n- step_nam: load\n- step_name: ../x\n"
    )

    bad = create(here, "--manifest", "bad.yaml")
    good = create(here, "--manifest", "good.yaml", "--json")

    assert bad.returncode == 2
    assert len(bad.stderr.strip().splitlines()) == 3
    assert good.returncode == 0, good.stderr
    assert [step["outcome"] for step in json.loads(good.stdout)["steps"]] == ["made", "made"]
    for step in ("load", "prep"):
        assert run_script(here / f"wine/wine-{step}").returncode == 0


def test_dry_run_makes_nothing(here):
    done = create(here, "--name", "p", "--steps", "a,b", "--dry-run")

    assert done.returncode == 0
    assert done.stdout.count("to be made") == 2
    assert list(here.iterdir()) == []


def test_killed_at_any_moment_it_is_finished_by_running_it_again(here):
    arguments = ["--name", "p", "--steps", "a,b,c,d,e,f"]
    environ = {**os.environ, "PYTHON": sys.executable}
    for attempt in range(6):
        folder = here / str(attempt)
        folder.mkdir()
        process = subprocess.Popen(
            ["bash", str(SCRIPT), *arguments],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environ,
        )
        while not (folder / "p").exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(random.Random(attempt).uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()

        done = create(folder, *arguments)

        assert done.returncode == 0, done.stderr
        assert sorted(p.name for p in (folder / "p").iterdir()) == [
            "p-a", "p-b", "p-c", "p-d", "p-e", "p-f", "repositories", "sinara.toml", "visualize.ipynb",
        ]  # fmt: skip
        for step in "abcdef":
            state = subprocess.run(
                ["git", "status", "--porcelain", "--branch"],
                cwd=folder / f"p/p-{step}",
                capture_output=True,
                text=True,
                check=True,
            )
            assert state.stdout == "## main...origin/main\n"


def test_ctrl_c_ends_it_with_130_and_a_word_of_what_to_do(here):
    environ = {**os.environ, "PYTHON": sys.executable}
    steps = ",".join(f"s{n}" for n in range(60))
    process = subprocess.Popen(
        ["bash", str(SCRIPT), "--name", "p", "--steps", steps],
        cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ, start_new_session=True,
    )  # fmt: skip
    while not list(here.glob("p/p-s*")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)

    _, said = process.communicate(timeout=30)

    assert process.returncode == 130, said
    assert "Traceback" not in said


def test_without_sinara_the_script_says_how_to_install_it(here, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("bash", "dirname", "env"):
        (bare / tool).symlink_to(shutil.which(tool))
    copy = tmp_path / "create_pipeline.sh"
    shutil.copy(SCRIPT, copy)

    done = subprocess.run(
        ["bash", str(copy), "--name", "p"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(bare)},
    )

    assert done.returncode == 2
    assert "pip install" in done.stderr


def test_a_sinara_on_the_path_is_taken_where_no_python_has_it(here, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("bash", "dirname", "env", "git"):
        (bare / tool).symlink_to(shutil.which(tool))
    (bare / "sinara").symlink_to(Path(sys.executable).with_name("sinara"))
    copy = tmp_path / "create_pipeline.sh"
    shutil.copy(SCRIPT, copy)

    done = subprocess.run(
        ["bash", str(copy), "--name", "p", "--steps", "a b", "--dry-run"],
        cwd=here, capture_output=True, text=True, check=False, timeout=60, env={"PATH": str(bare)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("to be made") == 2
