"""Run small notebooks in real kernels, and say what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from sinara.execute import Executed, ExecuteEvent, ExecuteOptions, execute_notebook


def notebook(*cells: str, tags: dict[int, list[str]] | None = None, **metadata: Any) -> Any:
    """A notebook of code cells; one that begins with '# md' is text."""
    made = []
    for index, source in enumerate(cells):
        new = (
            nbformat.v4.new_markdown_cell
            if source.startswith("# md")
            else nbformat.v4.new_code_cell
        )
        made.append(new(source, metadata={"tags": (tags or {}).get(index, [])}))
    return nbformat.v4.new_notebook(cells=made, metadata=metadata)


@dataclass
class Runner:
    """Executes notebooks in a folder of its own and remembers what was reported."""

    folder: Path
    env: dict[str, str]
    events: list[ExecuteEvent] = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.folder / "out.ipynb"

    @property
    def runtime(self) -> Path:
        return self.folder / "rt"

    @property
    def leftovers(self) -> list[Path]:
        """What kernels left in their folder; one that was prepared ahead never had one there."""
        return list(self.runtime.iterdir()) if self.runtime.exists() else []

    def options(self, **more: Any) -> ExecuteOptions:
        given: dict[str, Any] = {
            "runtime_folder": self.runtime,
            "cwd": self.folder,
            "env": self.env,
            "on_event": self.events.append,
        }
        return ExecuteOptions(**{**given, **more})

    def __call__(
        self, *cells: str, tags: dict[int, list[str]] | None = None, **more: Any
    ) -> Executed:
        return execute_notebook(notebook(*cells, tags=tags), self.output, self.options(**more))

    def streamed(self, name: str = "stdout") -> str:
        return "".join(event.text for event in self.events if event.stream == name)


def eventually(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


def texts(executed: Executed, index: int) -> str:
    """All stream text of one cell."""
    outputs = executed.notebook.cells[index].outputs
    return "".join(output.text for output in outputs if output.output_type == "stream")


def statuses(executed: Executed) -> list[str]:
    return [cell.status for cell in executed.cells]


def papermill_statuses(executed: Executed) -> list[str]:
    return [cell.metadata.papermill.status for cell in executed.notebook.cells]
