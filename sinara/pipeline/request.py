"""What somebody asks of a pipeline: which steps, with which values, how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sinara.errors import UsageError, suggest


@dataclass(frozen=True)
class PipelineRequest:
    """What is asked for.

    Attributes:
        folder: The folder that holds the steps, or one of the steps.
        steps: The steps' folders instead.
        env_name: The env to run in; as each step's parameter file says by default.
        overrides: ``step.param=value``; ``pipeline_params.param=value`` for all steps.
        select: Steps to run: ``name``, ``+name`` with all that it reads from, ``name+`` with all
            that reads from it, ``+name+``; patterns with ``*``. All by default.
        start: These steps and all that read from them.
        end: These steps and all that they read from.
        only: These steps alone.
        force: Steps, or ``step/substep``, that run even if nothing changed; ``*`` for all.
        reuse: Whether anything is reused.
        workers: How many substeps run at once; as the settings say by default.
        memory: Bytes that substeps running at once may be allowed, 0 for no limit; as the settings
            say by default.
        keep_going: Whether steps that do not need a failed one still run.
        retries: How often a failed substep is tried again; as the settings say by default.
        timeout: Seconds that one substep may take; as the settings say by default.
        points: The points of a sweep, each as overrides; none if it is no sweep.
        best: Of a sweep, the metric that says which point is the best: ``step.metric``.
        lowest: Whether its lowest value is the best, not its highest.
    """

    folder: Path = Path()
    steps: tuple[Path, ...] = ()
    env_name: str | None = None
    overrides: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    reuse: bool = True
    workers: int | None = None
    memory: int | None = None
    keep_going: bool = False
    retries: int | None = None
    timeout: float | None = None
    points: tuple[tuple[str, ...], ...] = ()
    best: str = ""
    lowest: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        told = asdict(self)
        told["folder"] = str(self.folder.absolute())
        told["steps"] = [str(step.absolute()) for step in self.steps]
        return told


def request_of(told: dict[str, Any]) -> PipelineRequest:
    """Return the request that :meth:`PipelineRequest.as_dict` has told.

    Raises:
        UsageError: If it is none.
    """
    known = {field.name for field in fields(PipelineRequest)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told.items()
        if name in known
    }
    try:
        request = PipelineRequest(**given)
        return replace(
            request,
            folder=Path(request.folder),
            steps=tuple(Path(step) for step in request.steps),
            points=tuple(tuple(point) for point in request.points),
        )
    except TypeError as error:
        raise UsageError(f"The run does not say what was asked for: {error}.") from None


def overrides_by_step(
    overrides: Sequence[str], steps: Sequence[str], given_as: str = "--set"
) -> dict[str, tuple[str, ...]]:
    """Return the overrides of each step, without its name.

    Args:
        overrides: ``step.param=value``, or ``pipeline_params.param=value`` for all.
        steps: The names of all steps.
        given_as: What a person wrote them after, for messages.

    Raises:
        UsageError: One line per override that names no step.
    """
    found: dict[str, list[str]] = {step: [] for step in steps}
    lines = []
    for override in overrides:
        name, _, value = override.partition("=")
        step, dot, rest = name.partition(".")
        if step == "pipeline_params" and dot:
            for one in found.values():
                one.append(override)
        elif step in found and rest:
            found[step].append(f"{rest}={value}" if "=" in override else rest)
        elif step in found:
            lines.append(f"{given_as} {override}: write {step}.parameter=value.")
        else:
            advice = suggest(step, steps) or f"The steps are {', '.join(steps)}."
            lines.append(f"{given_as} {override}: there is no step '{step}'. {advice}")
    if lines:
        raise UsageError(*lines)
    return {step: tuple(values) for step, values in found.items()}
