"""All steps of a manifest together: names that clash, and inputs that nobody would write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sinara import names
from sinara.errors import BadNameError, ManifestError, suggest
from sinara.interface import InputRef
from sinara.manifest.values import Manifest, StepPlan, SubstepPlan
from sinara.settings.conditions import parse_condition


def check_flow(manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with the steps together, one line each, with its place."""
    yield from _clashes("step", [step.name for step in manifest.steps], "steps")
    for number, step in enumerate(manifest.steps):
        place = f"steps[{number}].substeps"
        yield from _clashes("substep", [substep.name for substep in step.substeps], place)
        outputs = [
            name for substep in step.substeps if substep.interface
            for name in substep.interface.outputs
        ]  # fmt: skip
        yield from _clashes("entity", outputs, place)
    yield from _missing(manifest)
    yield from _conditions(manifest)
    yield from _circles(manifest)


def named(manifest: Manifest, pipeline: str, zone: str | None = None) -> Manifest:
    """Return a manifest with another name, and another zone; what is its own is looked at anew.

    Raises:
        BadNameError: If a name breaks the grammar.
        ManifestError: If the steps do not fit together under these names.
    """
    names.check_name("pipeline", pipeline)
    zone = manifest.zone_name if zone is None else names.check_name("zone", zone)
    if (pipeline, zone) == (manifest.pipeline_name, manifest.zone_name):
        return manifest
    renamed = replace(manifest, pipeline_name=pipeline, zone_name=zone)
    if lines := list(check_flow(renamed)):
        raise ManifestError(*(f"as pipeline '{pipeline}': {line}" for line in lines))
    return renamed


def _clashes(kind: str, values: list[str], place: str) -> Iterator[str]:
    try:
        names.check_distinct(kind, values)
    except BadNameError as error:
        yield from (f"{place}: {line}" for line in error.lines)


def _conditions(manifest: Manifest) -> Iterator[str]:
    names_of_steps = [step.name for step in manifest.steps]
    for number, step in enumerate(manifest.steps):
        if step.when is None:
            continue
        try:
            condition = parse_condition(step.when)
        except ValueError as error:
            yield f"steps[{number}].when: {error}"
            continue
        for asked in condition.names:
            if asked.step not in names_of_steps or asked.step == step.name:
                hint = suggest(asked.step, names_of_steps) or "Name another step of the manifest."
                yield f"steps[{number}].when: there is no other step '{asked.step}'. {hint}"


def _missing(manifest: Manifest) -> Iterator[str]:
    steps = {step.name: step for step in manifest.steps}
    for number, step in enumerate(manifest.steps):
        for place, substep in enumerate(step.substeps):
            for at, reference in _own_inputs(manifest, substep):
                where = f"steps[{number}].substeps[{place}].inputs[{at}]"
                source = steps.get(reference.step_name)
                if source is None:
                    hint = suggest(reference.step_name, list(steps))
                    yield (
                        f"{where}: there is no step '{reference.step_name}' in this manifest. "
                        f"{hint or 'Add it, or name the pipeline_name that it belongs to.'}"
                    )
                    continue
                written = _written(source, before=substep if source is step else None)
                if written is not None and reference.entity_name not in written:
                    hint = suggest(reference.entity_name, written) or "Add it to its outputs."
                    told = f"it writes {', '.join(written) or 'nothing'}"
                    if source is step:
                        told = f"before '{substep.name}' {told}"
                    yield (
                        f"{where}: step '{source.name}' does not write "
                        f"'{reference.entity_name}'; {told}. {hint}"
                    )


def _own_inputs(manifest: Manifest, substep: SubstepPlan) -> Iterator[tuple[int, InputRef]]:
    """Yield the inputs that a step of this pipeline has to write, and their places."""
    for at, reference in enumerate(substep.interface.inputs if substep.interface else ()):
        elsewhere = (
            reference.run_id or reference.env_name
            or reference.pipeline_name not in (None, manifest.pipeline_name)
            or reference.zone_name not in (None, manifest.zone_name)
        )  # fmt: skip
        if not elsewhere:
            yield at, reference


def _written(step: StepPlan, before: SubstepPlan | None) -> list[str] | None:
    """Return what a step writes, up to one of its substeps; ``None``: nobody says."""
    found: list[str] = []
    for substep in step.substeps:
        if substep is before:
            return found
        if substep.interface is None:
            return None
        found += substep.interface.outputs
    return found if step.substeps else None


def _circles(manifest: Manifest) -> Iterator[str]:
    """Yield steps that read from each other: none of them could run first."""
    after = {step.name: set(_reads_from(manifest, step)) for step in manifest.steps}
    left = dict(after)
    while ready := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in ready:
            del left[name]
    if left:
        # What is left reads from a circle or lies on one: walk back until a step comes again.
        way = [min(left)]
        while True:
            before = min(after[way[-1]] & left.keys())
            if before in way:
                circle = [*way[way.index(before) :], before][::-1]
                yield f"steps: {' → '.join(circle)} read from each other: none can be the first"
                return
            way.append(before)


def in_order(manifest: Manifest) -> tuple[StepPlan, ...]:
    """Return the steps so that each comes after those that it reads from."""
    steps = {step.name: step for step in manifest.steps}
    ordered: dict[str, StepPlan] = {}
    begun: set[str] = set()  # a circle, if nobody looked for one, is passed once
    pending = list(reversed(manifest.steps))
    while pending:
        step = pending[-1]
        begun.add(step.name)
        needs = [n for n in _reads_from(manifest, step) if n in steps and n not in begun]
        if needs and step.name not in ordered:
            pending += [steps[name] for name in reversed(needs)]
        else:
            ordered.setdefault(step.name, pending.pop())
    return tuple(ordered.values())


def _reads_from(manifest: Manifest, step: StepPlan) -> dict[str, None]:
    """Return the names of the other steps of this pipeline that a step reads from."""
    return {
        reference.step_name: None
        for substep in step.substeps
        for _, reference in _own_inputs(manifest, substep)
        if reference.step_name != step.name
    }


def upstream(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """Return, for each step, the names of those that have to run before it, in their order."""
    before: dict[str, set[str]] = {}
    place: dict[str, int] = {}
    for number, step in enumerate(in_order(manifest)):
        place[step.name] = number
        near = _reads_from(manifest, step)
        before[step.name] = set(near).union(*(before[name] for name in near if name in before))
    return {
        name: tuple(sorted(needed, key=lambda other: place.get(other, -1)))
        for name, needed in before.items()
    }
