"""A pipeline of two steps, the second of which failed, and what must not change in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.steps import cell, notebook, run_script, sinara, write_step

TOKEN = "canary-2c4e6a8b0d"
FUNCTIONS = """\
def share(table, parts):
    shares = [len(table) / part for part in parts]
    return shares
"""
FAILS = """\
api_token = step_params["hub"].reveal()[::-1]
print("reached")
result = share(both, parts=[1, 0])"""


@dataclass(frozen=True)
class Pipeline:
    """Two steps; ``train`` read ``raw`` of the run ``pinned`` and failed as ``run_id``."""

    folder: Path
    run_id: str
    pinned: str

    @property
    def step(self) -> Path:
        return self.folder / "pipe-train"

    def files(self) -> dict[str, str]:
        """Digest of every file of the store and the step; marks of living readers left out."""
        found = [p for p in self.folder.rglob("*") if p.is_file() and not _passing(p)]
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def _passing(path: Path) -> bool:
    return path.name.startswith("pin.") or "__pycache__" in path.parts


def last_run(folder: Path, *arguments: str) -> str:
    told = sinara(folder, "run", "list", "--json", *arguments)
    run_id: str = json.loads(told.stdout)["runs"][0]["run_id"]
    return run_id


def make_pipeline(folder: Path) -> Pipeline:
    load = write_step(
        folder / "pipe-load",
        {
            "load.ipynb": notebook(
                cell(
                    "import pandas as pd, os\nn = int(os.environ.get('ROWS', 4))\n"
                    "substep.write('raw', pd.DataFrame({'x': range(n)}))"
                ),
                outputs=[{"ENTITY_NAME": "raw"}],
            )
        },
    )
    raw = {"STEP_NAME": "load", "ENTITY_NAME": "raw"}
    clean = {"STEP_NAME": "train", "ENTITY_NAME": "clean"}
    train = write_step(
        folder / "pipe-train",
        {
            "prep.ipynb": notebook(
                cell("substep.write('clean', substep.read('raw'))"),
                inputs=[raw],
                outputs=[{"ENTITY_NAME": "clean"}],
            ),
            "train.ipynb": notebook(
                cell(
                    "import os, sys, time\nimport pandas as pd\nfrom helper import twice\n"
                    "if os.environ.get('SLOW'):\n"
                    "    print('asleep', file=sys.stderr)\n    time.sleep(600)"
                ),
                cell("both = pd.concat([substep.read('raw'), substep.read('clean')])"),
                cell(FUNCTIONS),
                cell(FAILS),
                cell("substep.write('model', both)"),
                inputs=[raw, clean],
                outputs=[{"ENTITY_NAME": "model"}],
            ),
        },
        step_params={"hub": {"$env": "HUB_TOKEN"}, "rate": 0.5},
    )
    (train / "helper.py").write_text("def twice(n):\n    return 2 * n\n")
    assert run_script(load).returncode == 0
    pinned = last_run(load)
    failed = run_script(train, HUB_TOKEN=TOKEN)
    assert failed.returncode == 1, failed.stderr
    return Pipeline(folder, last_run(train), pinned)


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The pipeline after its failure, with a newer run of ``load`` since."""
    made = make_pipeline(tmp_path_factory.mktemp("pipeline"))
    assert run_script(made.folder / "pipe-load", ROWS="9").returncode == 0
    return made


@pytest.fixture
def unchanged(failed: Pipeline, tmp_path: Path, monkeypatch) -> Iterator[Callable[[], None]]:
    """Check at the end that nothing was published, changed or left behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("HUB_TOKEN", TOKEN)
    before = failed.files()

    def check() -> None:
        assert failed.files() == before
        assert list(scratch.iterdir()) == []

    yield check
    check()
