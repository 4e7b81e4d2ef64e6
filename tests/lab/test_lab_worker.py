"""What the browser is told of a run that goes on: cells as the open notebook counts them."""

from __future__ import annotations

import nbformat
import pytest

from sinara.lab.worker import not_taken, own_cells
from sinara.notebook import fill, read_notebook, tags
from sinara.params import CheckedParams, ParametersSchema
from sinara.record import RunRecord, SubstepRecord
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


def test_values_of_the_notebook_that_a_run_left_aside_are_named(tmp_path):
    source = 'substep_params = {"rows": 50, "seed": 7, "token": "t0ken", "only_here": 1}'
    for name in ("a.ipynb", "b.ipynb"):
        cells = [cell(source, "parameters")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / name)
    same = SubstepRecord("b.ipynb", params={"rows": 50, "seed": 7})
    other = SubstepRecord("a.ipynb", params={"rows": 100, "seed": 7, "token": "s3cret"})
    script = SubstepRecord("gone.py", params={"rows": 1})

    said = not_taken(tmp_path, _run(same, other, script))

    assert said.endswith("not those in the notebook: rows, token in a.ipynb")
    assert "s3cret" not in said
    assert not_taken(tmp_path, _run(same)) == ""


def _run(*substeps):
    return RunRecord("run-1", "user", "p", "zone", "s", "succeeded", "", substeps=substeps)


def test_what_is_no_notebook_has_no_cells_of_its_own(tmp_path):
    assert own_cells(tmp_path / "substep.py") == ()
