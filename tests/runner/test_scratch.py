"""Scratch folders, and those that a killed launcher left."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sinara.runner.scratch import make_scratch

MAKE = "from sinara.runner.scratch import make_scratch; print(make_scratch(), flush=True); input()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_of_a_process_that_lives_stays_and_that_of_a_dead_one_goes(temporary):
    other = subprocess.Popen(
        [sys.executable, "-c", MAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    theirs = Path(other.stdout.readline().strip())

    first = make_scratch()
    assert theirs.is_dir()
    other.kill()
    other.communicate()
    second = make_scratch()

    assert not theirs.exists()
    assert (first.is_dir(), second.is_dir()) == (True, True)


def test_what_is_not_ours_is_left_alone(temporary):
    (temporary / "sinara-data").mkdir()
    (temporary / "sinara-file").write_text("")
    (temporary / "sinara-link").symlink_to(temporary / "sinara-data")

    make_scratch()

    assert len(list(temporary.iterdir())) == 4
