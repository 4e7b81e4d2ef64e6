"""A pipeline whose steps ran for real, once for all tests of a module; and the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.commands import command  # noqa: F401 - a fixture
from tests.steps import cell, notebook, sinara, write_step


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pipeline of two steps, each run once: raw data, load, two substeps, train."""
    folder = tmp_path_factory.mktemp("ran")
    home = tmp_path_factory.mktemp("home")
    (folder / "day.csv").write_text("x\n1\n2\n3\n")
    load = write_step(
        folder / "pipe-load",
        {
            "load.ipynb": notebook(
                cell("import pandas as pd"),
                cell("raw = pd.read_csv(substep.custom_inputs().day)"),
                cell("substep.write('raw', raw)"),
                custom_inputs=[{"ENTITY_NAME": "day", "ENTITY_PATH": str(folder / "day.csv")}],
                outputs=[{"ENTITY_NAME": "raw"}],
            ),
            "split.ipynb": notebook(
                cell("raw = substep.read('raw')"),
                cell("substep.write('left', raw[:1]); substep.write('right', raw[1:])"),
                inputs=[{"STEP_NAME": "load", "ENTITY_NAME": "raw"}],
                outputs=[{"ENTITY_NAME": "left"}, {"ENTITY_NAME": "right"}],
            ),
        },
        substep_params={"load.ipynb": {"day": 7}},
    )
    train = write_step(
        folder / "pipe-train",
        {
            "train.ipynb": notebook(
                cell("left, right = substep.read('left'), substep.read('right')"),
                cell("substep.write('model', left)"),
                inputs=[
                    {"STEP_NAME": "load", "ENTITY_NAME": "left"},
                    {"STEP_NAME": "load", "ENTITY_NAME": "right"},
                ],
                outputs=[{"ENTITY_NAME": "model"}],
            )
        },
        step_params={"rate": 0.5},
    )
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *words], cwd=load, check=True)
    (load / "notes.txt").write_text("not committed")
    for step in (load, train):
        done = sinara(step, "step", "run", HOME=str(home))
        assert done.returncode == 0, done.stderr
    return folder
