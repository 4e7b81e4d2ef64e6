"""The steps of a pipeline that are on a host and not here yet: cloned."""

from __future__ import annotations

import shutil
from pathlib import Path

from sinara.errors import RepositoryError, UsageError
from sinara.fleet.steps import params_of
from sinara.fleet.together import Did, results
from sinara.fleet.values import FleetStep, Result
from sinara.hosting import Host
from sinara.names import check_name
from sinara.params import StepParams
from sinara.repository import clone, switch_on


def arrive(folder: Path, pipeline: str, host: Host) -> tuple[Result, ...]:
    """Clone the repositories ``<pipeline>-*`` of a host that have no folder here yet.

    One whose parameters name another pipeline is not kept: ``churn-eu-prep`` may be step
    ``prep`` of ``churn-eu``.

    Args:
        folder: The folder of the pipeline; it need not be there.
        pipeline: The pipeline's name.
        host: Where its repositories are.

    Returns:
        One result for each that was missing.

    Raises:
        BadNameError: If that is no name of a pipeline.
        HostingError: If the host refuses, or cannot be reached.
        UsageError: If it has no such repository, or the folder cannot be made.
    """
    prefix = f"{check_name('pipeline', pipeline)}-"
    there = host.repositories(prefix)
    if not there:
        hidden = "" if host.kind == "local" else " (or the token does not see it)"
        raise UsageError(
            f"{host.organization} on {host.kind} has no repository whose name begins with "
            f"'{prefix}'{hidden}."
        )
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {error.strerror}.") from error
    missing = [FleetStep(folder / name, name) for name in there if not (folder / name).exists()]
    return results(missing, lambda step: _clone(step, pipeline, host))


def _clone(step: FleetStep, pipeline: str, host: Host) -> Did:
    found = host.find(step.name)
    if found is None:
        raise RepositoryError("it is gone from the host")
    clone(found.url, step.folder, credentials=host.credentials())
    params = _params(step.folder)
    if params is not None and params.pipeline_name != pipeline:
        shutil.rmtree(step.folder)
        return "unchanged", f"not taken: it is of pipeline {params.pipeline_name}"
    switch_on(step.folder)  # outputs of notebooks stay out of Git, as in steps that are made here
    return "done", f"cloned from {found.url}"


def _params(folder: Path) -> StepParams | None:
    from sinara.errors import SinaraError

    try:
        return params_of(folder)
    except SinaraError:  # told by whatever reads it next
        return None
