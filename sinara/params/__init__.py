"""The parameters of a run: read from files, laid over, and checked against the notebook.

::

    text        JSON and YAML to values, within limits; no surprises
    globs       the one file that a pattern means
    assignments --set and --params-file, read
    overrides   each laid over its place
    stepfile    a step file taken apart
    load        all of these joined: StepParams
    source      cells as Python that ast can read
    annotations annotations as types
    schema      what a parameters cell declares: ParametersSchema
    cell        the cell, read
    kinds       the types: text, numbers, unions (containers, objects: the others)
    check       values against the declaration: CheckedParams
    render      values as Python source that makes equal values

Importing this package loads nothing but the standard library.
"""

from sinara.params.cell import find_parameters_cell, read_parameters
from sinara.params.check import CheckedParams, check_parameters, check_substep
from sinara.params.load import (
    DEFAULT_ENV,
    DEFAULT_ZONE,
    StepParams,
    SubstepParams,
    default_step_name,
    load_step_params,
)
from sinara.params.render import cell_source
from sinara.params.schema import Parameter, ParametersSchema

__all__ = [
    "DEFAULT_ENV",
    "DEFAULT_ZONE",
    "CheckedParams",
    "Parameter",
    "ParametersSchema",
    "StepParams",
    "SubstepParams",
    "cell_source",
    "check_parameters",
    "check_substep",
    "default_step_name",
    "find_parameters_cell",
    "load_step_params",
    "read_parameters",
]
