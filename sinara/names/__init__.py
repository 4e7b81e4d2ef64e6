"""Every name that sinara makes, checks, joins or takes apart, by one grammar.

::

    env, pipeline, zone, step   train_model       letters digits _ -      <= 100
    entity                      eval.metrics      the same, single dots   <= 100
    substep                     nb/train.ipynb    a path inside the step  <= 200
    run id                      run-25-01-31-235959-000001-9f86d081       <= 128

    <root of env>/<pipeline>/<zone>/<step>/<run_id>/<entity folder>       entity URL
    <env>.<pipeline>.<zone>.<step>.<entity>                               full name
    <registry>/<env>.<pipeline>.<zone>.<step>:<run_id>                    image name

Two rules hold for every name, and the store leans on them:

* a name that passed :func:`check_name` is one safe path component: it cannot climb out of
  its folder, hide, match as a pattern or mean a device;
* names that :func:`check_distinct` let pass are distinct on every file system.
"""

from sinara.names.address import (
    EntityAddress,
    StepName,
    entity_folder,
    entity_url,
    full_name,
    image_name,
    parse_entity_url,
    parse_full_name,
    reports_entity,
    run_url,
)
from sinara.names.grammar import check_distinct, check_name, fold, shown
from sinara.names.runid import Clock, check_run_id, new_run_id, run_id_time

__all__ = [
    "Clock",
    "EntityAddress",
    "StepName",
    "check_distinct",
    "check_name",
    "check_run_id",
    "entity_folder",
    "entity_url",
    "fold",
    "full_name",
    "image_name",
    "new_run_id",
    "parse_entity_url",
    "parse_full_name",
    "reports_entity",
    "run_id_time",
    "run_url",
    "shown",
]
