"""Who a substep is: the names and parameters that its run goes by."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sinara import context as contexts
from sinara.context import RunContext
from sinara.errors import InterfaceError, ParamsError
from sinara.substep import session

Given = Mapping[str, Any] | None


def context_for(
    pipeline_params: Given,
    step_params: Given,
    substep_params: Given,
    defaults: Mapping[str, str | None],
) -> RunContext:
    """Return the context of a substep that was given these parameters.

    In a job the context is the driver's. A notebook that names another step there would read
    and publish in another place than the run's record says, so that is refused.

    Args:
        pipeline_params: As given to the substep; ``None`` takes those of the parameter files.
        step_params: The same.
        substep_params: The same.
        defaults: ``env_name``, ``pipeline_name``, ``zone_name`` and ``step_name`` for what the
            parameters leave out.

    Raises:
        InterfaceError: In a job, if a name differs from the run's.
        ParamsError: If a mandatory name is missing.
    """
    job = session.job_context()
    if job is not None:
        _require_same_names(job, {**(pipeline_params or {}), **(step_params or {})})
        context = replace(job, run_id=session.fixed_run_id() or job.run_id)
    elif pipeline_params is None:
        context = session.current_context()
    else:
        context = _by_hand(pipeline_params, step_params or {}, defaults)
    return replace(
        context,
        pipeline_params=dict(pipeline_params or context.pipeline_params),
        step_params=dict(step_params or context.step_params),
        substep_params=dict(substep_params or context.substep_params),
    )


def params_digest(context: RunContext) -> str:
    """Return a digest of all parameters."""
    told = [context.pipeline_params, context.step_params, context.substep_params]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _require_same_names(job: RunContext, given: Mapping[str, Any]) -> None:
    lines = []
    for key in ("env_name", "pipeline_name", "zone_name", "step_name"):
        own = getattr(job, key)
        if given.get(key) not in (None, "", own):
            lines.append(
                f"{key} is '{given[key]}' in this notebook and '{own}' in its run. Change it in "
                f"params/step_params.json, or with --set, not in the notebook."
            )
    if lines:
        raise InterfaceError(*lines)


def _by_hand(
    pipeline_params: Mapping[str, Any],
    step_params: Mapping[str, Any],
    defaults: Mapping[str, str | None],
) -> RunContext:
    from sinara.names import StepName
    from sinara.settings import default_step_name, load_settings

    folder = session.step_folder()
    env_name = pipeline_params.get("env_name") or defaults.get("env_name") or "user"
    names = {
        "pipeline_name": pipeline_params.get("pipeline_name") or defaults.get("pipeline_name"),
        "zone_name": pipeline_params.get("zone_name") or defaults.get("zone_name") or "zone",
        "step_name": step_params.get("step_name")
        or defaults.get("step_name")
        or default_step_name(folder),
    }
    missing = [key for key, value in names.items() if not value]
    if missing:
        raise ParamsError(
            *(
                f"'{key}' is mandatory and not given. Set it in params/step_params.json."
                for key in missing
            )
        )
    step = StepName(env_name, *(str(value) for value in names.values()))
    tmp_root = load_settings(folder, os.environ).env(step.env).tmp_root
    return RunContext(
        run_id=contexts.interactive_run_id(tmp_root, folder, os.environ),
        env_name=step.env,
        pipeline_name=step.pipeline,
        zone_name=step.zone,
        step_name=step.step,
        substep_name=session.notebook_name(),
        step_folder=str(folder),
        design_mode=contexts.DESIGN_VARIABLE in os.environ,
    )
