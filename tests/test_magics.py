"""``%sinara graph`` and ``%sinara check`` in a notebook of a step."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from tests.steps import cell, notebook, write_step

pytestmark = pytest.mark.slow


@pytest.fixture
def show(tmp_path):
    """A function that runs lines in a kernel in the folder of a step, and returns their outputs."""
    folder = write_step(
        tmp_path / "p-a", {"a.ipynb": notebook(outputs=[{"ENTITY_NAME": "x"}])}, pipeline="p"
    )
    write_step(
        tmp_path / "p-b",
        {"b.ipynb": notebook(inputs=[{"STEP_NAME": "a", "ENTITY_NAME": "y"}])},
        pipeline="p",
    )

    def run(*lines: str, where=folder):
        book = nbformat.v4.new_notebook()
        book.cells = [cell("%load_ext sinara"), *(cell(line) for line in lines)]
        done = NotebookClient(
            book, timeout=60, resources={"metadata": {"path": str(where)}}
        ).execute()
        return [made.outputs for made in done.cells[1:]]

    return run


def test_the_graph_is_shown_as_a_picture_that_the_notebook_keeps(show):
    [[picture], [found], [told], [none]] = show(
        "%sinara graph", "%sinara check", "%sinara grahp", "%sinara"
    )

    assert picture.data["image/svg+xml"].startswith("<svg")
    assert "has no producer" in found["text"]
    assert told["name"] == "stderr"
    assert told["text"].strip() == "Write %sinara graph or %sinara check. Did you mean 'graph'?"
    assert "Write %sinara graph" in none["text"]


def test_outside_of_a_pipeline_it_is_one_line(show, tmp_path):
    (tmp_path / "empty" / "inside").mkdir(parents=True)

    [[graph], [check]] = show("%sinara graph", "%sinara check", where=tmp_path / "empty" / "inside")

    for output in (graph, check):
        assert output["output_type"] == "stream"
        assert "there is no step in this folder" in output["text"]
