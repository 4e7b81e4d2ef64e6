"""The log of a pipeline run: what happened to which step, one JSON object a line."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from sinara.pipeline.book import now
from sinara.runner import RunEvent

NAME = "log.jsonl"
_KEPT = frozenset({
    "run_start", "substep_start", "substep_end", "warning", "resume", "retry", "published",
    "run_end",
})  # fmt: skip


class PipelineLog:
    """Appends to the log; the output of cells is in the logs of the steps' own runs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()

    def hear(self, step: str, event: RunEvent) -> None:
        """Take in what a step's run says, if it is worth a line."""
        if event.kind in _KEPT:
            self.add(step, event.kind, event.text or event.status or "", event.substep)

    def add(self, step: str, kind: str, text: str, substep: str = "") -> None:
        """Append one line; a disk that is full loses it, and nothing else."""
        told = {"time": now(), "step": step, "substep": substep, "kind": kind, "text": text}
        line = json.dumps({name: value for name, value in told.items() if value}) + "\n"
        with self._lock:
            try:
                with self._path.open("a", encoding="utf-8") as log:
                    log.write(line)
            except OSError:
                return
