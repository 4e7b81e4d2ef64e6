"""Outputs of notebooks kept out of Git by a filter of ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sinara.repository import read_state, switch_on
from sinara.repository.clean_notebook import clean
from sinara.scaffold import new_step
from tests.steps import sinara


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def step(tmp_path: Path) -> Path:
    return new_step("a", "p", tmp_path / "my steps" / "p-a")


def run_by_hand(notebook: Path) -> bytes:
    """Leave outputs in a notebook, as JupyterLab saves them."""
    document = json.loads(notebook.read_text())
    for number, cell in enumerate(document["cells"], start=1):
        cell["execution_count"] = number
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["s3cr3t rows\n"]}]
    notebook.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return notebook.read_bytes()


def test_outputs_stay_in_the_file_and_out_of_git(step):
    before = run_by_hand(step / "do_step.ipynb")

    git(step, "add", "--all")

    assert git(step, "status", "--porcelain") == ""
    assert (step / "do_step.ipynb").read_bytes() == before
    assert read_state(step).dirty == ()


def test_a_change_of_the_code_is_committed_without_the_outputs(step):
    run_by_hand(step / "do_step.ipynb")
    path = step / "do_step.ipynb"
    path.write_text(path.read_text().replace('\\"rows\\": 100', '\\"rows\\": 5'))

    assert read_state(step).dirty == ("do_step.ipynb",)
    git(step, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qam", "fewer")

    assert "s3cr3t" not in git(step, "show", "HEAD:do_step.ipynb")
    assert git(step, "diff", "HEAD~1", "--stat").strip().startswith("do_step.ipynb | 2 +-")


def test_it_is_switched_on_once_in_a_clone(step, tmp_path):
    git(tmp_path, "clone", "-q", str(step), "clone")

    assert "Switched on" in sinara(tmp_path / "clone", "step", "git-filter").stderr
    assert "on already" in sinara(tmp_path / "clone", "step", "git-filter").stderr
    assert switch_on(tmp_path / "clone") is False


def test_outside_of_git_it_is_told(tmp_path):
    done = sinara(tmp_path, "step", "git-filter")

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "text", [b"", b"no json", b"[]", b'{"cells": 3}', b'{"cells": [3]}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_notebook_stays_as_it_is(text):
    assert clean(text) == text


def test_a_clean_notebook_stays_byte_for_byte(step):
    odd = b'{"nbformat": 4,   "cells": [], "metadata": {"x": "\\u00e9"}}'

    assert clean(odd) == odd
    assert clean((step / "do_step.ipynb").read_bytes()) == (step / "do_step.ipynb").read_bytes()


@pytest.mark.slow
def test_a_paired_script_is_no_substep_and_changes_nothing_about_the_step(step):
    jupytext = pytest.importorskip("jupytext", reason="needs: pip install 'sinara[jupytext]'")
    (step / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    notebook = jupytext.read(step / "do_step.ipynb")
    jupytext.write(notebook, step / "do_step.py", fmt="py:percent")

    checked = sinara(step, "step", "check")
    ran = sinara(step, "step", "run")

    assert checked.returncode == 0, checked.stdout
    assert ran.returncode == 0, ran.stderr
