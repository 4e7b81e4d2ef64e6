"""What a run did, as one JSON file: the run record.

A record is written first as ``running`` and ended truly whatever dies: when its
process is gone and the record still says ``running``, recovery makes it ``lost``.

    running ──► succeeded | failed | cancelled | stopped (design mode) | lost
"""

from sinara.record.coding import from_json, pipeline_from_json, plain, to_json, value_from_json
from sinara.record.pipeline import (
    PipelineRecord,
    PipelineStatus,
    Point,
    StepState,
    StepStatus,
    SubstepState,
)
from sinara.record.runinfo import metrics, runinfo
from sinara.record.values import (
    SCHEMA_VERSION,
    AttemptRecord,
    CellRecord,
    CellStatus,
    CodeRecord,
    EntityRecord,
    Failure,
    FilesTouched,
    FileTouched,
    RunRecord,
    RunStatus,
    SubstepRecord,
    SubstepStatus,
)

__all__ = [
    "SCHEMA_VERSION",
    "AttemptRecord",
    "CellRecord",
    "CellStatus",
    "CodeRecord",
    "EntityRecord",
    "Failure",
    "FileTouched",
    "FilesTouched",
    "PipelineRecord",
    "PipelineStatus",
    "Point",
    "RunRecord",
    "RunStatus",
    "StepState",
    "StepStatus",
    "SubstepRecord",
    "SubstepState",
    "SubstepStatus",
    "from_json",
    "metrics",
    "pipeline_from_json",
    "plain",
    "runinfo",
    "to_json",
    "value_from_json",
]
