"""One run of one step: prepared, pinned, executed, published, told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinara.lazy import exports
from sinara.runner.prepare import PreparedStep, PreparedSubstep, RunRequest, prepare, step_params

if TYPE_CHECKING:
    from sinara.runner.events import Listener, RunEvent, nobody
    from sinara.runner.go import Slot, run_step, run_substeps
    from sinara.runner.run import StepRun

__all__ = [
    "Listener",
    "PreparedStep",
    "PreparedSubstep",
    "RunEvent",
    "RunRequest",
    "Slot",
    "StepRun",
    "nobody",
    "prepare",
    "run_step",
    "run_substeps",
    "step_params",
]

__getattr__ = exports(
    __name__,
    {
        "Listener": "events",
        "RunEvent": "events",
        "Slot": "go",
        "StepRun": "run",
        "nobody": "events",
        "run_step": "go",
        "run_substeps": "go",
    },
)
