"""What the browser is told of a run that goes on: cells as the open notebook counts them."""

from __future__ import annotations

import nbformat
import pytest

from sinara.lab.worker import own_cells
from sinara.notebook import fill, read_notebook, tags
from sinara.params import CheckedParams, ParametersSchema
from tests.steps import cell

NOTEBOOKS = {
    "parameters first": (cell("a = 1", "parameters"), cell("b"), cell("c")),
    "parameters second": (nbformat.v4.new_markdown_cell("# A"), cell("a", "parameters"), cell("b")),
    "no parameters": (cell("b"), cell("c")),
    "one that was run before": (cell("a", "parameters"), cell("x", "injected-parameters"), cell("b")),
    "injected elsewhere": (cell("x", "injected-parameters"), cell("a", "parameters"), cell("b")),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_executed_cell_is_told_as_the_one_that_the_notebook_has(tmp_path, name):
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=list(NOTEBOOKS[name])), path)
    before = read_notebook(path)
    executed = fill(before, ParametersSchema(), CheckedParams())

    own = own_cells(path)

    assert len(own) == len(executed.cells)
    for place, one in zip(own, executed.cells, strict=True):
        if "injected-parameters" not in tags(one):
            assert before.cells[place].source == one.source


def test_what_is_no_notebook_has_no_cells_of_its_own(tmp_path):
    assert own_cells(tmp_path / "substep.py") == ()
