"""Models beside a service class that could not be loaded where it is served."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import pytest

from sinara import bentoml as ours
from sinara.errors import UsageError

SERVICE = """
import pickle
from pathlib import Path
import bentoml

@bentoml.service
class Loads:
    def __init__(self):
        with (Path(__file__).parent / "models" / "flowers.pkl").open("rb") as file:
            self.model = pickle.load(file)

    @bentoml.api
    def kind(self, row: list[float]) -> int:
        return int(self.model.predict([row])[0])
"""


@pytest.fixture
def loads(folder: Path, substep):
    """A service class of the step whose own imports say nothing of its model."""
    (folder / "loads_service.py").write_text(SERVICE)
    importlib.invalidate_caches()
    return importlib.import_module("loads_service").Loads


def test_the_packages_of_a_pickled_object_are_among_the_requirements(
    substep, loads, classifier, saved
):
    ours.save_bentoservice(
        loads, substep=substep, path=substep.outputs().service, models={"flowers": classifier}
    )

    assert "scikit-learn==" in (saved().folder / "requirements.txt").read_text()


@pytest.mark.parametrize("model", [threading.Lock(), lambda row: 1])
def test_an_object_that_cannot_be_pickled_is_told(substep, loads, model):
    with pytest.raises(UsageError, match="cannot be pickled"):
        ours.save_bentoservice(
            loads, substep=substep, path=substep.outputs().service, models={"flowers": model}
        )


def test_an_object_of_a_class_of_the_notebook_is_told(substep, loads, monkeypatch):
    class InNotebook:
        pass

    InNotebook.__module__, InNotebook.__qualname__ = "__main__", "InNotebook"
    monkeypatch.setattr(sys.modules["__main__"], "InNotebook", InNotebook, raising=False)

    with pytest.raises(UsageError, match="InNotebook is defined in this notebook"):
        ours.save_bentoservice(
            loads, substep=substep, path=substep.outputs().service, models={"flowers": InNotebook()}
        )
