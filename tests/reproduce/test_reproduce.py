"""Runs are run again as they were, and compared entity by entity."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sinara import pipeline
from sinara.errors import UsageError
from sinara.reproduce import reproduce
from sinara.reproduce.environment import differing, locked, make_environment
from sinara.runner import RunRequest, run_step
from sinara.runner.inputs import step_store
from sinara.runner.prepare import prepare
from tests.pipeline.pipelines import edit, write_pipeline

pytestmark = pytest.mark.slow


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Two steps, each committed, and run in their order."""
    folder = write_pipeline(tmp_path / "work", ("load", "prep"))
    for name in ("load", "prep"):
        commit(folder, name)
        assert run_step(RunRequest(folder / f"pipe-{name}")).published
    return folder


def commit(folder: Path, name: str) -> None:
    step = folder / f"pipe-{name}"
    git(step, "init", "-q")
    git(step, "add", "-A")
    git(step, "commit", "-q", "-m", "A step")


def store_of(folder: Path, name: str):
    prepared = prepare(RunRequest(folder / f"pipe-{name}"))
    return step_store(prepared.settings, prepared.params.step)


def test_a_run_comes_out_equal_after_the_branch_and_its_inputs_moved_on(work):
    store = store_of(work, "prep")
    [old] = store.commits()
    edit(work, "prep", "frame['n'] += 7")
    commit(work, "prep")
    edit(work, "load", "frame['n'] *= 3")
    commit(work, "load")
    run_step(RunRequest(work / "pipe-load"))
    run_step(RunRequest(work / "pipe-prep"))
    newest = store.latest()

    done = reproduce(store, old.run_id)

    assert done.same
    assert [(one.entity, one.verdict) for one in done.entities] == [("clean", "equal")]
    assert done.again.code.commit == store.read_record(old.run_id).code.commit
    assert store.latest() == newest
    assert done.doubts == ()
    assert not list(Path("/tmp").glob("sinara-worktree-*/pipe-prep"))


def test_a_run_made_again_is_not_reused_in_place_of_the_first(work):
    store = store_of(work, "load")
    [old] = store.commits()
    before = pipeline.plan(work, only=("load",))

    done = reproduce(store, old.run_id)

    after = pipeline.plan(work, only=("load",))
    assert done.again.published
    assert [step.run_id for step in (*before.steps, *after.steps)] == [old.run_id, old.run_id]


def test_parameters_of_then_are_used(work):
    edit(work, "load", "frame['level'] = step_params['level']")
    commit(work, "load")
    old = run_step(RunRequest(work / "pipe-load", overrides=("level=5",)))

    done = reproduce(store_of(work, "load"), old.run_id)

    assert done.same
    assert done.again.step_params["level"] == 5


@pytest.mark.parametrize(
    ("noise", "verdict"), [("1e-14", "within tolerance"), ("0.5", "different")]
)
def test_numbers_may_differ_a_little_and_no_more(work, noise, verdict):
    edit(
        work,
        "load",
        f"import time\nframe['x'] = (frame['n'] + 1) * (1.0 + {noise} * (time.time_ns() % 1000))",
    )
    commit(work, "load")
    old = run_step(RunRequest(work / "pipe-load"))

    done = reproduce(store_of(work, "load"), old.run_id)

    assert done.again.published
    assert [one.verdict for one in done.entities] == [verdict]
    assert "column x" in done.entities[0].why
    assert done.same is (verdict == "within tolerance")


def test_code_that_was_never_committed_cannot_be_had(tmp_path):
    folder = write_pipeline(tmp_path / "work", ("load",))
    old = run_step(RunRequest(folder / "pipe-load"))

    with pytest.raises(UsageError, match="never committed"):
        reproduce(store_of(folder, "load"), old.run_id)


def test_files_that_were_changed_then_are_a_doubt(work):
    edit(work, "load", "frame['n'] += 1")
    old = run_step(RunRequest(work / "pipe-load"))

    done = reproduce(store_of(work, "load"), old.run_id)

    assert not done.same
    assert "files were changed when it ran" in done.doubts[0]
    assert done.entities[0].verdict == "different"


def test_packages_that_count_and_differ_are_told(work):
    store = store_of(work, "load")
    [old] = store.commits()
    path = work / f"sinara_data/user/pipe/zone/load/_runs/{old.run_id}/requirements.txt"
    lock = path.read_text()
    pandas = locked(lock)["pandas"]
    path.write_text(lock.replace(f"pandas=={pandas}", "pandas==1.0"))

    done = reproduce(store, old.run_id, here=True)

    assert done.doubts == (f"packages differ: pandas 1.0 → {pandas}",)


def test_a_package_that_no_code_uses_does_not_count():
    lock = "a==1\nb==2\n# c @ file:///somewhere\n"

    assert differing(lock, {"a": "1", "b": "3"}, {"a": "1"}) == ()
    assert differing(lock, {"b": "3"}, {"a": "1"}) == ("a 1 → not installed",)


def wheel(folder: Path, name: str, version: str) -> None:
    """Build a package that says its version."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )


def test_an_environment_has_the_packages_of_the_lock_and_this_sinara(tmp_path, monkeypatch):
    wheel(tmp_path, "tinything", "1.0")
    wheel(tmp_path, "tinything", "2.0")
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(name, "1")

    make_environment("tinything==1.0\nsinara==0.0\n# other @ file:///x\n", tmp_path / "env")

    python = tmp_path / "env/venv/bin/python"
    code = "import tinything, sinara; print(tinything.VERSION, sinara.__version__)"
    done = subprocess.run([python, "-c", code], cwd="/", capture_output=True, text=True, check=True)
    spec = json.loads((tmp_path / "env/jupyter/kernels/sinara-reproduce/kernel.json").read_text())
    import sinara

    assert done.stdout.split() == ["1.0", sinara.__version__]
    assert spec["argv"][0] == str(python)


def test_packages_that_cannot_be_had_are_one_line(tmp_path, monkeypatch):
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(name, "1")

    with pytest.raises(UsageError, match=r"cannot be installed: .*--here"):
        make_environment("tinything==1.0\n", tmp_path / "env")


def test_the_command_says_what_came_out_and_ends_with_3_if_that_differs(work):
    words = [sys.executable, "-m", "sinara", "run", "reproduce", "--json"]
    same = subprocess.run(
        words, cwd=work / "pipe-prep", capture_output=True, text=True, check=False
    )
    edit(work, "prep", "import time\nframe['n'] = time.time_ns()")
    commit(work, "prep")
    run_step(RunRequest(work / "pipe-prep"))

    other = subprocess.run(
        words, cwd=work / "pipe-prep", capture_output=True, text=True, check=False
    )

    assert same.returncode == 0, same.stderr
    assert json.loads(same.stdout)["reproduced"][0]["same"] is True
    assert other.returncode == 3, other.stderr
    [entity] = json.loads(other.stdout)["reproduced"][0]["entities"]
    assert entity["why"] == "column n: 10 of 10 values"
