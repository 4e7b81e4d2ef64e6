"""Forged runs with an executed notebook each; the command line; a browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sinara.store import StepStore
from tests.commands import Answer, command  # noqa: F401 - a fixture
from tests.forge import forge, store_of
from tests.report.conftest import chromium, visit

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NOTEBOOK = "reports_work_ipynb/report.ipynb"


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


def notebook(*cells: str | dict[str, Any]) -> bytes:
    """An executed notebook: a cell is its source, or fields of its own."""
    made = nbformat.v4.new_notebook()
    for given in cells:
        fields = {"source": given} if isinstance(given, str) else given
        cell = nbformat.v4.new_code_cell(fields["source"])
        cell.metadata["tags"] = list(fields.get("tags", ()))
        cell.outputs = list(fields.get("outputs", ()))
        made.cells.append(cell)
    return nbformat.writes(made).encode("utf-8", "surrogatepass")


def picture(data: str = PICTURE, kind: str = "image/png") -> nbformat.NotebookNode:
    """An output that is a picture."""
    return nbformat.v4.new_output("display_data", {kind: data})


@pytest.fixture
def executed(load: StepStore) -> Callable[..., str]:
    """A function that leaves a run with an executed notebook of these cells; returns its id."""

    def run(cells: Sequence[str | dict[str, Any]] = ("a = 1",), **forged: Any) -> str:
        outputs = forged.pop("outputs", {"raw": 3})
        run_id = forge(load, outputs, notebook=NOTEBOOK, **forged)
        load.put_file(run_id, NOTEBOOK, notebook(*cells))
        return run_id

    return run


@pytest.fixture
def diff(command: Callable[..., Answer]) -> Callable[..., dict[str, Any]]:  # noqa: F811
    """A function that gives the JSON of a comparison, by default of the last two runs."""

    def ask(*arguments: str) -> dict[str, Any]:
        answer = command("run", "diff", *arguments, "--json")
        assert answer.code == 0, answer.err
        told: dict[str, Any] = json.loads(answer.out)["diff"]
        return told

    return ask


__all__ = ["Answer", "chromium", "visit"]
