"""Steps of one notebook, run in this process with real kernels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sinara.audit import landlock
from sinara.record import FilesTouched, RunRecord, SubstepRecord
from sinara.runner import run_step
from sinara.runner.events import RunEvent
from sinara.runner.prepare import RunRequest
from tests.steps import cell, notebook, write_step

needs_landlock = pytest.mark.skipif(
    landlock.version() < 1, reason="Landlock is not there: a kernel without it, or a container"
)


class World:
    """A step's folder with a folder of data beside it, and what its run said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.step = folder / "pipe-load"
        self.data = folder / "elsewhere"
        self.data.mkdir()
        self.events: list[RunEvent] = []
        self.record: RunRecord

    def run(
        self,
        *sources: str,
        settings: str = "",
        files: dict[str, str] | None = None,
        before: Callable[[], None] = lambda: None,
        **lists: Any,
    ) -> SubstepRecord:
        """Run a notebook of these cells; ``DATA`` in them stands for the folder of data."""
        cells = [cell(source.replace("DATA", str(self.data))) for source in sources]
        return self._run({"load.ipynb": notebook(*cells, **lists)}, settings, files, before)

    def run_module(self, source: str, settings: str = "") -> SubstepRecord:
        """Run a module."""
        return self._run({"load.py": source.replace("DATA", str(self.data))}, settings)

    def _run(
        self,
        substeps: dict[str, Any],
        settings: str,
        files: dict[str, str] | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> SubstepRecord:
        write_step(self.step, substeps)
        for name, text in (files or {}).items():
            path = self.step / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.step / "sinara.toml").write_text(settings)
        before()
        self.record = run_step(RunRequest(self.step), listener=self.events.append)
        (substep,) = self.record.substeps
        return substep

    def warnings(self) -> list[str]:
        return [event.text for event in self.events if event.kind == "warning"]

    def log_lines(self) -> str:
        return "\n".join(event.text for event in self.events)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def paths(files: tuple[Any, ...]) -> list[str]:
    return sorted(file.path for file in files)


def touched(substep: SubstepRecord) -> FilesTouched:
    assert substep.files is not None, substep
    return substep.files
