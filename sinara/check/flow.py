"""All substeps of a step together: names that clash, and what flows from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sinara import names
from sinara.check.findings import Finding, error, warning
from sinara.check.substep import Checked
from sinara.errors import BadNameError, SettingsError
from sinara.interface import InputRef
from sinara.params import StepParams
from sinara.settings import Settings


def check_flow(
    substeps: Sequence[Checked], params: StepParams, settings: Settings
) -> Iterator[Finding]:
    """Look over the interfaces of all substeps, in the order in which they run."""
    yield from _check_clashes(substeps)
    for place, substep in enumerate(substeps):
        for reference in substep.interface.inputs if substep.interface else ():
            if reference.env_name is not None:
                yield from _check_env(substep.name, reference.env_name, settings)
            if _from_this_step(reference, params):
                yield from _check_input(substep.name, reference.entity_name, substeps, place)


def _check_clashes(substeps: Sequence[Checked]) -> Iterator[Finding]:
    """Find outputs of two substeps that would lie in one folder of the run."""
    first: dict[str, tuple[str, str]] = {}
    for substep in substeps:
        for entity in substep.interface.outputs if substep.interface else ():
            folded = names.fold(entity)
            if folded not in first:
                first[folded] = (entity, substep.name)
                continue
            other, where = first[folded]
            same = "" if other == entity else f", as {other!r},"
            text = f"output {entity!r} is also written{same} by {where}. Rename one of the two."
            yield error(substep.name, "name-clash", text)


def _check_env(name: str, env_name: str, settings: Settings) -> Iterator[Finding]:
    try:
        settings.env(env_name)
    except SettingsError as problem:
        yield from (error(name, "env", line) for line in problem.lines)


def _from_this_step(reference: InputRef, params: StepParams) -> bool:
    same = (
        (reference.env_name, params.env_name),
        (reference.pipeline_name, params.pipeline_name),
        (reference.zone_name, params.zone_name),
    )
    return (
        reference.step_name == params.step_name
        and reference.run_id is None
        and all(given in (None, own) for given, own in same)
    )


def _check_input(
    name: str, entity: str, substeps: Sequence[Checked], place: int
) -> Iterator[Finding]:
    def writes(substep: Checked) -> bool:
        return substep.interface is not None and entity in substep.interface.outputs

    if any(writes(substep) or not substep.readable for substep in substeps[:place]):
        return
    later = next((substep.name for substep in substeps[place:] if writes(substep)), None)
    if later is not None:
        text = f"input {entity!r} is written later, by {later}: an earlier run of this step is read"
        yield warning(name, "own-input", f"{text}, if there is one.")
    elif all(substep.readable for substep in substeps):
        known = [out for sub in substeps if sub.interface for out in sub.interface.outputs]
        text = f"no substep of this step writes the input {entity!r}"
        yield error(name, "own-input", f"{text}; they write {', '.join(known) or 'nothing'}.")


def check_names(substeps: Sequence[str], file: str) -> Iterator[Finding]:
    """Find substeps whose reports would lie in one folder of the run."""
    try:
        names.check_distinct("substep", substeps)
    except BadNameError as problem:
        yield from (error(file, "name-clash", line) for line in problem.lines)
