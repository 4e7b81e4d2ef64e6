"""Inside a notebook: what it reads and writes, and where.

::

    substep = NotebookSubstep()                     the run, or a draft when run by hand
    substep.interface(inputs=…, outputs=…)          declared, checked, inputs pinned
    table = substep.read("train_set")               or substep.inputs(step_name=…).train_set
    substep.write("model_input", table)             or any writer, to substep.outputs().model_input

Nothing heavy is imported until it is used.
"""

import os

from sinara.interface import (
    CONTRACT,
    ENTITY_NAME,
    ENTITY_PATH,
    ENV_NAME,
    PIPELINE_NAME,
    RUN_ID,
    STEP_NAME,
    SUBSTEP_NAME,
    ZONE_NAME,
)
from sinara.substep.entities import EntityUrls, UnknownEntityError
from sinara.substep.notebook import NotebookSubstep
from sinara.substep.session import (
    StopExecution,
    default_param_values,
    get_curr_run_id,
    get_pipeline_params,
    get_step_params,
    get_substep_params,
    get_tmp_work_path,
    get_user,
    reset_curr_run_id,
)


def get_sinara_platform() -> str | None:
    """Return what ``SINARA_PLATFORM`` says of the machine; None if it says nothing."""
    return os.environ.get("SINARA_PLATFORM")


def get_sinara_version() -> str:
    """Return the version of this package."""
    from sinara import __version__

    return __version__


__all__ = [
    "CONTRACT",
    "ENTITY_NAME",
    "ENTITY_PATH",
    "ENV_NAME",
    "PIPELINE_NAME",
    "RUN_ID",
    "STEP_NAME",
    "SUBSTEP_NAME",
    "ZONE_NAME",
    "EntityUrls",
    "NotebookSubstep",
    "StopExecution",
    "UnknownEntityError",
    "default_param_values",
    "get_curr_run_id",
    "get_pipeline_params",
    "get_sinara_platform",
    "get_sinara_version",
    "get_step_params",
    "get_substep_params",
    "get_tmp_work_path",
    "get_user",
    "reset_curr_run_id",
]
