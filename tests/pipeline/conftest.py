"""A pipeline that has run once, as each test may have its own copy of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sinara import pipeline
from tests.pipeline.pipelines import write_pipeline


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline and what one whole run of it left; not to be changed."""
    folder = write_pipeline(tmp_path_factory.mktemp("ran") / "work")
    helper = folder / "pipe-left"
    (helper / "near.py").write_text("from lib import far\n\n\ndef near():\n    return far.FAR\n")
    (helper / "lib").mkdir()
    (helper / "lib" / "__init__.py").write_text("")
    (helper / "lib" / "far.py").write_text("from . import farther\n\nFAR = farther.VALUE\n")
    (helper / "lib" / "farther.py").write_text("VALUE = 3  # of all\n")
    from tests.pipeline.pipelines import edit

    edit(folder, "left", "import near\nframe['near'] = near.near()")
    record = pipeline.run(folder, workers=2)
    assert record.status == "succeeded", record.message
    return folder


@pytest.fixture
def ran(ran_once: Path, tmp_path: Path) -> Path:
    """A copy of it, at the same depth."""
    return Path(shutil.copytree(ran_once, tmp_path / "work", symlinks=True))
