"""Two commits compared: code and parameter files, read from Git and nothing run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sinara.step import SinaraDiffReport
from tests.compare.conftest import notebook
from tests.forge import forge, store_of
from tests.steps import write_step


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


@pytest.fixture
def step(tmp_path, monkeypatch) -> Path:
    """The folder of a step with a branch ``new`` that differs from ``main``."""
    folder = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": notebook("a = 1", "b = 2").decode(), "helper.py": "x = 1\n"},
        step_params={"rate": 0.5},
        substep_params={"load.ipynb": {"day": 1}},
    )
    git(folder, "init", "-qb", "main")
    commit(folder, "first")
    git(folder, "switch", "-qc", "new")
    (folder / "load.ipynb").write_bytes(notebook("a = 1", "b  =  2", "c = 3"))
    (folder / "helper.py").write_text("x = 2\n")
    params = folder / "params" / "step_params.json"
    params.write_text(params.read_text().replace("0.5", "0.7").replace('"day": 1', '"day": 2'))
    (folder / "extra.py").write_text("y = 1\n")
    commit(folder, "second")
    monkeypatch.chdir(folder)
    return folder


def test_branches_are_compared_file_by_file(step, diff):
    told = diff("main", "new")

    files = {s["name"]: (s["kind"], s["code"]["state"]) for s in told["substeps"]}
    assert files["load.ipynb"] == ("changed", "changed")
    assert files["helper.py"] == ("changed", "changed")
    assert files["extra.py"] == ("added", "unknown")
    assert files["step.dev.py"] == ("same", "same")
    assert [(c["name"], c["old"], c["new"]) for c in told["params"]] == [
        ("params/step_params.json: step_params.rate", 0.5, 0.7),
        ("params/step_params.json: substeps_params.load.ipynb.day", 1, 2),
    ]


def test_commits_and_names_with_a_place_are_taken(step, diff, command):
    assert diff("HEAD~1", git(step, "rev-parse", "HEAD"))["same"] is False
    assert diff("main", "main")["same"] is True
    out = command("run", "diff", "main", "new").out
    assert out.startswith("old  main (")
    assert "params/step_params.json: step_params.rate" in out
    assert "extra.py: only on the new side" in out


def test_a_page_of_two_branches_is_written(step, command):
    assert command("run", "diff", "main", "new", "-o", "d.html").code == 0
    assert "Two commits: what changed" in (step / "d.html").read_text()


def test_only_what_is_below_the_folder_counts(step, diff, monkeypatch):
    (step / "sub").mkdir()
    monkeypatch.chdir(step / "sub")

    assert diff("main", "new")["substeps"] == []


@pytest.mark.parametrize("name", ["nosuch", "-x", "--output=/tmp/x", "a..b", "HEAD:load.ipynb", ""])
def test_what_is_no_commit_is_one_line(step, command, name):
    answer = (
        command("run", "diff", "main", "--", name) if name else command("run", "diff", "main", "")
    )

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)


def test_outside_of_a_repository_it_is_said(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)

    assert "is in no Git repository" in command("run", "diff", "main", "new").err


def test_files_that_cannot_be_read_are_told_and_hide_no_other(step, diff, command):
    git(step, "switch", "-qc", "broken")
    (step / "load.ipynb").write_text("{half")
    (step / "params" / "step_params.json").write_text("{half")
    (step / "helper.py").write_bytes(b"\xff\xfe\x00")
    (step / "params" / "list.yaml").write_text("- 1\n- 2\n")
    (step / "params" / "odd.yaml").write_text("at: 2025-01-01\nof: [{1: a, b: c, 2025-01-01: d}]\n")
    commit(step, "broken")

    told = diff("new", "broken")
    assert command("run", "diff", "new", "broken").code == 0

    files = {s["name"]: s["code"]["state"] for s in told["substeps"]}
    assert files["load.ipynb"] == "unknown"
    assert files["helper.py"] == "changed"
    assert any("cannot be read" in c["name"] for c in told["params"])
    assert any(c["new"] == [1, 2] for c in told["params"])


def test_nothing_that_the_repository_brings_along_is_run(step, command, tmp_path):
    evil = tmp_path / "evil"
    for name in ("filter.x.smudge", "filter.x.clean", "diff.x.textconv", "diff.external"):
        git(step, "config", name, f"touch {evil}")
    git(step, "config", "core.fsmonitor", f"touch {evil}")
    (step / ".gitattributes").write_text("* filter=x diff=x\n")

    assert command("run", "diff", "main", "new").code == 0
    assert not evil.exists()


# -- SinaraDiffReport ------------------------------------------------------------------------


def test_the_last_tagged_runs_of_two_branches_are_reported(step, capsys):
    store = store_of(step.parent, "load", env="prod")
    old, stale, new = (forge(store, {"raw": rows}) for rows in (3, 9, 4))
    git(step, "tag", "-a", old, "-m", "x", "main")
    git(step, "tag", "-a", stale, "-m", "x", "main~0")
    git(step, "tag", "-a", new, "-m", "x", "new")
    git(step, "tag", "run-of-nothing", "new")

    where = SinaraDiffReport.save("new", "main")

    page = Path(where)
    assert page == store.record_folder(new) / f"diff.{new}.{stale}" / "index.html"
    assert "9 -&gt; 4" in page.read_text()
    assert page.with_name("diff.json").is_file()
    assert store.notes(new)[0].body["target_run"] == stale
    assert str(page) in capsys.readouterr().err
    assert git(step, "branch", "--show-current") == "new"


def test_a_branch_with_no_tagged_run_is_told_and_nothing_fails(step, capsys):
    assert SinaraDiffReport.save("new", "main") is None

    assert "no commit of branch 'main' is tagged" in capsys.readouterr().err


def test_a_tagged_run_that_is_not_here_is_told(step, capsys):
    git(step, "tag", "run-25-01-01-000000", "main")

    assert SinaraDiffReport.save("new", "main") is None
    assert "in no env of this machine" in capsys.readouterr().err
