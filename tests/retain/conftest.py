"""The command line, and the folder of a pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara.store import StepStore
from tests.commands import Answer, command  # noqa: F401 - a fixture
from tests.forge import store_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the steps, and is the current one."""
    (tmp_path / "sinara_data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(folder: Path) -> StepStore:
    """The store of the step ``load``."""
    return store_of(folder, "load")


@pytest.fixture
def train(folder: Path) -> StepStore:
    """The store of the step ``train``."""
    return store_of(folder, "train")


@pytest.fixture
def clean(command: Callable[..., Answer]) -> Callable[..., dict[str, str]]:  # noqa: F811
    """A function that cleans and returns what it says of each run: why it stays, or ``goes``."""

    def ask(*arguments: str) -> dict[str, str]:
        answer = command("run", "clean", *arguments, "--json")
        assert answer.code == 0, answer.err
        runs = json.loads(answer.out)["clean"]["runs"]
        return {run["run_id"]: "goes" if run["goes"] else run["why"] for run in runs}

    return ask
