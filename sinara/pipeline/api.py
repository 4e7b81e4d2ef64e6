"""``sinara.pipeline.run(...)`` and ``sinara.pipeline.plan(...)``: as the commands, from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.pipeline.load import load_pipeline
from sinara.pipeline.plan import PipelinePlan, make_plan
from sinara.pipeline.request import PipelineRequest
from sinara.record import PipelineRecord

if TYPE_CHECKING:
    from sinara.pipeline.execution import Listening


def run(
    folder: str | Path = ".",
    *,
    set: Mapping[str, Any] | Sequence[str] = (),  # noqa: A002 - as the command's --set
    resume: str | None = None,
    listening: Listening | None = None,
    **asked: Any,
) -> PipelineRecord:
    """Run a pipeline.

    Args:
        folder: The folder that holds the steps, or one of them.
        set: Parameters, by ``step.parameter``.
        resume: The pipeline run to go on with: its id, the beginning of it, or ``last``.
        listening: Who hears what meanwhile.
        asked: The other attributes of :class:`~sinara.pipeline.request.PipelineRequest`:
            ``env_name``, ``select``, ``only``, ``force``, ``workers``, …

    Returns:
        The record of the run; look at its ``status`` and ``exit_code``.

    Raises:
        SinaraError: If it cannot be run as it is; there is no run then.
    """
    from sinara.pipeline.execution import run_pipeline

    return run_pipeline(_request(folder, set, asked), resume=resume, listening=listening)


def plan(
    folder: str | Path = ".",
    *,
    set: Mapping[str, Any] | Sequence[str] = (),  # noqa: A002 - as the command's --set
    **asked: Any,
) -> PipelinePlan:
    """Return what :func:`run` would do now, and why; nothing is executed.

    Args:
        folder: As for :func:`run`.
        set: As for :func:`run`.
        asked: As for :func:`run`.

    Raises:
        SinaraError: If the pipeline cannot be run as it is.
    """
    return make_plan(load_pipeline(_request(folder, set, asked)))


def _request(
    folder: str | Path, given: Mapping[str, Any] | Sequence[str], asked: Mapping[str, Any]
) -> PipelineRequest:
    import json

    overrides = (
        tuple(f"{name}={_text(value, json.dumps)}" for name, value in given.items())
        if isinstance(given, Mapping)
        else tuple(given)
    )
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in asked.items()
    }
    return PipelineRequest(Path(folder), overrides=overrides, **plain)


def _text(value: Any, dumps: Any) -> str:
    return value if isinstance(value, str) else str(dumps(value))
