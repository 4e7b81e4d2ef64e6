"""Pipelines made: repositories, notebooks that declare and run, twice, broken off, in the way."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from sinara.errors import BadNameError, ManifestError, UsageError
from sinara.graph import read_graph
from sinara.hosting import open_host
from sinara.manifest import chain, check_manifest
from sinara.scaffold import create_pipeline, template_folder
from sinara.scaffold import pipeline as making

FULL = {
    "pipeline_name": "full",
    "steps": [
        {"step_name": "load", "substeps": [{"substep_name": "load", "outputs": ["raw", "a.b-c", "class"]}]},
        {"step_name": "prep", "substeps": [
            {"substep_name": "nb/one", "substep_params": {"share": 0.5, "name": "it's \"x\""},
             "inputs": [{"step_name": "load", "entity_name": "raw"}, {"step_name": "load", "entity_name": "a.b-c"}],
             "outputs": ["raw"], "tmp_outputs": ["cache"], "tmp_entities": ["scratch"],
             "custom_inputs": [{"entity_name": "c", "entity_path": "/data/\"c\"\n"}]},
            {"substep_name": "two", "inputs": [{"step_name": "prep", "entity_name": "raw"}]},
            {"substep_name": "three"},
        ]},
    ],
}  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def host(tmp_path):
    return open_host("local", str(tmp_path / "host"))


@pytest.fixture
def full(tmp_path):
    return check_manifest(json.loads(json.dumps(FULL)), "m", tmp_path)


def outcomes(made) -> list[str]:
    return [step.outcome for step in made]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".git/index" not in str(p)
    }


def test_each_step_is_a_clean_repository_with_one_commit_that_the_host_has(tmp_path, host):
    made = create_pipeline(chain("p", ["a", "b"]), tmp_path / "p", host)

    assert outcomes(made) == ["made", "made"]
    for step in made:
        folder = Path(step.folder)
        assert git(folder, "status", "--porcelain", "--branch") == "## main...origin/main"
        assert git(folder, "rev-list", "--count", "HEAD") == "1"
        assert git(Path(step.repository), "rev-parse", "main") == git(folder, "rev-parse", "HEAD")
    assert {p.name for p in (tmp_path / "p").iterdir()} == {
        "p-a",
        "p-b",
        "sinara.toml",
        "visualize.ipynb",
    }


def test_the_notebooks_declare_what_the_manifest_says(tmp_path, full):
    create_pipeline(full, tmp_path / "full", None)

    graph = read_graph(tmp_path / "full")

    made = {
        f"{step.name}/{sub.name}": sub.interface for step in graph.steps for sub in step.substeps
    }
    wanted = {
        f"{step.name}/{sub.name}": sub.interface for step in full.steps for sub in step.substeps
    }
    assert made.pop("prep/three.ipynb").inputs == ()
    assert wanted.pop("prep/three.ipynb") is None
    assert made == wanted
    assert {p.code for p in graph.problems} == {"unread"}


@pytest.mark.slow
def test_every_notebook_runs_as_it_is_and_the_steps_own_tests_pass(tmp_path, full):
    import sys

    from tests.steps import run_script

    made = create_pipeline(full, tmp_path / "full", None)

    for step in made:
        done = run_script(Path(step.folder))
        assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=made[1].folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_again_changes_nothing(tmp_path, host):
    manifest = chain("p", ["a", "b"])
    create_pipeline(manifest, tmp_path / "p", host)
    before = snapshot(tmp_path)

    again = create_pipeline(manifest, tmp_path / "p", host)

    assert outcomes(again) == ["there already", "there already"]
    assert snapshot(tmp_path) == before


def test_again_leaves_what_a_person_changed(tmp_path, host):
    manifest = chain("p", ["a"])
    create_pipeline(manifest, tmp_path / "p", host)
    (tmp_path / "p/p-a/a.ipynb").write_text("mine")
    (tmp_path / "p/sinara.toml").write_text("# mine\n")

    create_pipeline(manifest, tmp_path / "p", host)

    assert (tmp_path / "p/p-a/a.ipynb").read_text() == "mine"
    assert (tmp_path / "p/sinara.toml").read_text() == "# mine\n"


@pytest.mark.parametrize("broken", ["ensure", "connect", "push", "_commit", "make_step"])
def test_again_finishes_what_broke_off_anywhere(tmp_path, host, monkeypatch, broken):
    manifest = chain("p", ["a", "b"])

    class Killed(Exception):
        """As if the process were gone: nothing is cleaned up after it."""

    def die(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patch:
        if broken == "ensure":
            patch.setattr(type(host), "ensure", die)
        elif broken == "_commit":
            patch.setattr("sinara.scaffold.step._commit", die)
            patch.setattr("shutil.rmtree", lambda *_, **__: None)
        else:
            patch.setattr(making, broken, die)
        with pytest.raises(Killed):
            create_pipeline(manifest, tmp_path / "p", host)

    made = create_pipeline(manifest, tmp_path / "p", host)

    assert set(outcomes(made)) <= {"made", "finished"}
    assert [p.name for p in (tmp_path / "p").iterdir() if p.name.startswith(".")] == []
    for step in made:
        assert (
            git(Path(step.folder), "status", "--porcelain", "--branch") == "## main...origin/main"
        )
        assert git(Path(step.folder), "rev-list", "--count", "HEAD") == "1"


def test_again_learns_of_a_push_that_git_was_ended_in(tmp_path, host):
    """Git notes which branch to follow before it notes what that branch is at."""
    manifest = chain("p", ["a"])
    folder = Path(create_pipeline(manifest, tmp_path / "p", host)[0].folder)
    git(folder, "update-ref", "-d", "refs/remotes/origin/main")

    again = create_pipeline(manifest, tmp_path / "p", host)

    assert outcomes(again) == ["finished"]
    assert git(folder, "status", "--porcelain", "--branch") == "## main...origin/main"


def test_a_host_that_refuses_one_step_leaves_the_others_done(tmp_path, host):
    (tmp_path / "host/p-a.git").mkdir(parents=True)
    (tmp_path / "host/p-a.git/mine").touch()

    made = create_pipeline(chain("p", ["a", "b"]), tmp_path / "p", host)

    assert outcomes(made) == ["failed", "made"]
    assert "is there, but is no bare repository" in made[0].text


def test_what_is_in_the_way_is_named_and_nothing_is_made(tmp_path, host):
    (tmp_path / "p/p-b").mkdir(parents=True)
    (tmp_path / "p/p-b/notes.txt").write_text("mine")

    with pytest.raises(UsageError, match="p-b: something else is there already"):
        create_pipeline(chain("p", ["a", "b"]), tmp_path / "p", host)

    assert not (tmp_path / "p/p-a").exists()
    assert not (tmp_path / "host").exists()


def test_another_pipelines_step_is_in_the_way_too(tmp_path):
    create_pipeline(chain("p", ["a-b"]), tmp_path / "x", None)

    with pytest.raises(UsageError, match="step 'a-b' of pipeline 'p' is there already"):
        create_pipeline(chain("p-a", ["b"]), tmp_path / "x", None)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a b", "-x", "", "x" * 99, "a\nb", "$(touch canary)", "con", "ä", "."]
)
def test_bad_names_are_refused_before_anything_is_made(tmp_path, host, name):
    with pytest.raises((BadNameError, ManifestError)):
        create_pipeline(chain("p", ["a", name]), tmp_path / "p", host)
    with pytest.raises((BadNameError, ManifestError)):
        create_pipeline(chain(name, ["abcd"]), tmp_path / "p", host)

    assert list(tmp_path.iterdir()) == []


def test_repositories_that_would_share_a_name_are_refused(tmp_path):
    with pytest.raises(BadNameError):
        create_pipeline(chain("p", ["a" * 99]), tmp_path / "p", None)


def test_a_step_inside_another_repository_never_touches_that_one(tmp_path, host):
    git(tmp_path, "init", "-q", "outer")
    outer = tmp_path / "outer"
    create_pipeline(chain("p", ["a"]), outer / "p", None)
    import shutil

    shutil.rmtree(outer / "p/p-a/.git")

    made = create_pipeline(chain("p", ["a"]), outer / "p", host)

    assert outcomes(made) == ["failed"]
    assert "is no Git repository" in made[0].text
    assert git(outer, "remote") == ""


def test_a_remote_that_a_person_set_is_left_alone(tmp_path, host):
    made = create_pipeline(chain("p", ["a"]), tmp_path / "p", None)
    git(Path(made[0].folder), "remote", "add", "origin", "https://example.org/mine.git")

    again = create_pipeline(chain("p", ["a"]), tmp_path / "p", host)

    assert outcomes(again) == ["there already"]
    assert "was left as it is" in again[0].text


def test_two_at_once_make_it_once(tmp_path, host):
    manifest, results = chain("p", ["a", "b", "c"]), []
    threads = [
        threading.Thread(
            target=lambda: results.append(create_pipeline(manifest, tmp_path / "p", host))
        )
        for _ in range(2)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(tuple, map(outcomes, results))) == [("made",) * 3, ("there already",) * 3]


def test_a_template_of_ones_own_is_taken_with_its_names_set(tmp_path):
    import shutil

    mine = tmp_path / "mine"
    shutil.copytree(template_folder(), mine, ignore=shutil.ignore_patterns("__pycache__"))
    (mine / "extra.txt").write_text("ours")
    (mine / ".git").mkdir()
    document = {"pipeline_name": "p", "steps": [{"step_name": "a", "template": "mine", "substeps": [
        {"substep_name": "do_step", "substep_params": {"rows": 5}, "outputs": ["dataset"]}]}]}  # fmt: skip

    (made,) = create_pipeline(check_manifest(document, "m", tmp_path), tmp_path / "p", None)

    params = json.loads((Path(made.folder) / "params/step_params.json").read_text())
    assert (params["pipeline_params"]["pipeline_name"], params["step_params"]["step_name"]) == (
        "p",
        "a",
    )
    assert params["substeps_params"][0]["substep_params"] == {"rows": 5, "seed": 7}
    assert (Path(made.folder) / "extra.txt").read_text() == "ours"
    assert git(Path(made.folder), "rev-list", "--count", "HEAD") == "1"


def test_a_template_that_declares_something_else_is_refused(tmp_path):
    document = {"pipeline_name": "p", "steps": [{"step_name": "a", "template": str(template_folder()), "substeps": [
        {"substep_name": "do_step", "outputs": ["other"]}]}]}  # fmt: skip

    with pytest.raises(
        ManifestError, match="declares outputs dataset, and the manifest says other"
    ):
        create_pipeline(check_manifest(document, "m", tmp_path), tmp_path / "p", None)
    assert not (tmp_path / "p").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="cannot be made"):
            create_pipeline(chain("p", ["a"]), tmp_path / "p", None)
    finally:
        tmp_path.chmod(0o700)
