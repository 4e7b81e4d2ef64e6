"""A small pipeline of real notebooks: load -> prep -> (left, right) -> join."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat

from tests.steps import cell, notebook, write_step

READS = {
    "load": (),
    "prep": (("load", "raw"),),
    "left": (("prep", "clean"),),
    "right": (("prep", "clean"),),
    "join": (("left", "model"), ("right", "model")),
}
WRITES = {"load": "raw", "prep": "clean", "left": "model", "right": "model", "join": "report"}
MIDDLE = 4  # index of the cell with a step's own code


def made(step: str, code: str = "pass") -> nbformat.NotebookNode:
    """The notebook of a step: what it reads as one frame, ``code``, the frame written."""
    begin = "import pandas as pd\nframe = pd.DataFrame({'n': range(10)})"
    if READS[step]:
        read = ", ".join(f"substep.read({name!r}, {of!r})" for of, name in READS[step])
        begin = f"import pandas as pd\nframe = pd.concat([{read}])"
    return notebook(
        cell(begin),
        cell(code),
        cell(f"substep.write({WRITES[step]!r}, frame)"),
        inputs=[{"STEP_NAME": of, "ENTITY_NAME": name} for of, name in READS[step]],
        outputs=[{"ENTITY_NAME": WRITES[step]}],
    )


def write_pipeline(
    folder: Path, steps: Sequence[str] = ("load", "prep", "left", "right", "join"), **code: str
) -> Path:
    """Write steps; ``code`` goes into the middle cell of a step's notebook."""
    for name in steps:
        substeps = {f"{name}.ipynb": made(name, code.get(name, "pass"))}
        write_step(folder / f"pipe-{name}", substeps, step_params={"level": 1})
    return folder


def notebook_of(folder: Path, step: str) -> Path:
    """Where the notebook of a step is."""
    return folder / f"pipe-{step}" / f"{step}.ipynb"


def edit(folder: Path, step: str, source: str, index: int = MIDDLE) -> None:
    """Put other code into a cell of a step's notebook."""
    path = notebook_of(folder, step)
    found = nbformat.read(path, as_version=4)
    found.cells[index].source = source
    nbformat.write(found, path)
