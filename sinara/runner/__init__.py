"""One run of one step: prepared, pinned, executed, published, told."""

from sinara.runner.events import Listener, RunEvent, nobody
from sinara.runner.prepare import PreparedStep, PreparedSubstep, RunRequest, prepare, step_params
from sinara.runner.run import StepRun, run_step, run_substeps

__all__ = [
    "Listener",
    "PreparedStep",
    "PreparedSubstep",
    "RunEvent",
    "RunRequest",
    "StepRun",
    "nobody",
    "prepare",
    "run_step",
    "run_substeps",
    "step_params",
]
