"""Which of the declared inputs a notebook means when it asks for those of one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sinara.errors import UsageError
from sinara.names import StepName
from sinara.substep.resolve import ResolvedInput


def pick(
    inputs: Iterable[ResolvedInput], own: StepName, step_name: str, wanted: Mapping[str, str | None]
) -> tuple[ResolvedInput, ...]:
    """Return the inputs that come from ``step_name`` and fit what else is ``wanted``.

    Args:
        inputs: All inputs of the substep.
        own: The substep's step: of two entities of one name, the one of its zone is meant.
        step_name: The producing step.
        wanted: ``env``, ``pipeline``, ``zone`` and ``run_id``; ``None`` fits all.

    Raises:
        UsageError: If two entities of one name fit equally well.
    """
    picked: dict[str, ResolvedInput] = {}
    for item in inputs:
        values = {"env": item.step.env, "pipeline": item.step.pipeline, "zone": item.step.zone}
        values |= {"run_id": item.run_id}
        if item.step.step != step_name or any(
            value is not None and values[key] != value for key, value in wanted.items()
        ):
            continue
        other = picked.get(item.ref.entity_name)
        if other is None or _nearness(item, own) > _nearness(other, own):
            picked[item.ref.entity_name] = item
        elif _nearness(item, own) == _nearness(other, own):
            raise UsageError(
                f"Two inputs '{item.ref.entity_name}' come from a step '{step_name}': "
                f"{other.step.key} {other.run_id} and {item.step.key} {item.run_id}. "
                "Say which with env_name=…, pipeline_name=…, zone_name=… or run_id=…."
            )
    return tuple(picked.values())


def _nearness(item: ResolvedInput, own: StepName) -> tuple[bool, bool, bool]:
    step = item.step
    return step.zone == own.zone, step.pipeline == own.pipeline, step.env == own.env
