"""A pipeline as a whole: what a run of it would do and why, and the run itself.

::

    request   what somebody asks for
    load      its steps, read and checked, in their order (select: those that are meant)
    plan      run or reuse, substep by substep, with the reasons
    execution the plan executed (schedule: in parallel; steps: each as a run of its own)
    book      what is known meanwhile; log, watch and page show it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinara.lazy import exports
from sinara.pipeline.api import plan, run
from sinara.pipeline.load import Pipeline, load_pipeline
from sinara.pipeline.plan import PipelinePlan, PlannedStep, make_plan
from sinara.pipeline.request import PipelineRequest

if TYPE_CHECKING:
    from sinara.pipeline.execution import (
        Listening,
        PipelineRun,
        find_pipeline_run,
        run_pipeline,
    )

__all__ = [
    "Listening",
    "Pipeline",
    "PipelinePlan",
    "PipelineRequest",
    "PipelineRun",
    "PlannedStep",
    "find_pipeline_run",
    "load_pipeline",
    "make_plan",
    "plan",
    "run",
    "run_pipeline",
]

__getattr__ = exports(
    __name__,
    {
        "Listening": "execution",
        "PipelineRun": "execution",
        "find_pipeline_run": "execution",
        "run_pipeline": "execution",
    },
)
