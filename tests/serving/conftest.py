"""A step in a folder of its own whose notebook, by hand, saves services."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sinara.serving.entity import open_service
from sinara.serving.values import SavedService
from sinara.substep import ENTITY_NAME, NotebookSubstep, interactive, session

PARAMS = {
    "pipeline_params": {"env_name": "user", "pipeline_name": "demo", "zone_name": "zone"},
    "step_params": {"step_name": "pack"},
    "substeps_params": [{"substep_name": "pack.ipynb", "substep_params": {}}],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step's folder; it is the current one, and modules in it can be imported."""
    folder = tmp_path / "steps" / "demo-pack"
    (folder / "params").mkdir(parents=True)
    (folder / "params" / "step_params.json").write_text(json.dumps(PARAMS))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def substep(folder: Path) -> Iterator[NotebookSubstep]:
    """The substep of a notebook that is run by hand."""
    modules = set(sys.modules)
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "service"}, {ENTITY_NAME: "second"}])
    yield substep
    interactive.leave()
    session._remembered.clear()
    NotebookSubstep.current = None
    for name in set(sys.modules) - modules:
        place = getattr(sys.modules[name], "__file__", None) or ""
        if place.startswith(str(folder.parent.parent)):
            del sys.modules[name]


@pytest.fixture
def saved(substep: NotebookSubstep, tmp_path: Path) -> Callable[[], SavedService]:
    """A function that opens what was saved in the entity ``service``."""
    return lambda: open_service(substep.outputs().service, tmp_path)


@pytest.fixture(scope="session")
def flowers() -> tuple[pd.DataFrame, np.ndarray]:
    """Rows and classes of a well-known table."""
    from sklearn.datasets import load_iris

    rows, kinds = load_iris(return_X_y=True, as_frame=True)
    return rows, kinds.to_numpy()


@pytest.fixture(scope="session")
def classifier(flowers: tuple[pd.DataFrame, np.ndarray]):
    """A model of scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500).fit(*flowers)
