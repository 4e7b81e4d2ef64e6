"""``sinara run diff`` of two runs that ran."""

from __future__ import annotations

import json

import nbformat
import pytest

from tests.steps import cell, notebook, sinara, write_step

PLOT = """\
from IPython.display import SVG
SVG(f'<svg xmlns="http://www.w3.org/2000/svg"><rect width="{k}" height="9"/></svg>')"""


def work(first: str, *more: str) -> nbformat.NotebookNode:
    cells = [cell(source) for source in (first, PLOT, "substep.add_metric('k', k)", *more)]
    write = cell("import pandas as pd\nsubstep.write('model', pd.DataFrame({'x': range(k)}))")
    return notebook(*cells, write, outputs=[{"ENTITY_NAME": "model"}])


@pytest.mark.slow
def test_an_edit_is_found_in_the_code_the_metrics_the_entity_and_the_picture(tmp_path):
    step = write_step(
        tmp_path / "pipe-train", {"train.ipynb": work("k = 3"), "tell.py": "print(1)\n"}
    )
    assert sinara(step, "step", "run").returncode == 0
    nbformat.write(work("k = 4", "# nothing"), step / "train.ipynb")
    params = step / "params" / "step_params.json"
    params.write_text(
        params.read_text().replace('"step_params": {}', '"step_params": {"rate": 1}', 1)
    )
    assert sinara(step, "step", "run").returncode == 0

    done = sinara(step, "run", "diff", "--json", "-o", "page.html")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["diff"]
    train, module = told["substeps"]
    assert train["code"]["state"] == "changed"
    assert [c["lines"] for c in train["code"]["cells"] if c["kind"] == "changed"] == [
        ["-k = 3", "+k = 4"]
    ]
    assert [m["difference"] for m in train["metrics"]] == [1.0]
    assert [(e["rows"], e["content"]) for e in train["outputs"]] == [([3, 4], "different")]
    assert [p["same"] for p in train["pictures"]] == [False]
    assert told["params"] == [{"name": "step.rate", "kind": "added", "old": None, "new": 1}]
    assert (module["kind"], module["code"]["state"]) == ("same", "same")
    assert "data:image/svg+xml;base64," in (step / "page.html").read_text()
