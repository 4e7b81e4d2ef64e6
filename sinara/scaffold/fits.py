"""Whether a template is what the manifest says of it: its notebooks' interfaces are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sinara.graph.read import read_step
from sinara.interface import KINDS, Interface
from sinara.manifest import Manifest, StepPlan


def check_templates(manifest: Manifest) -> Iterator[str]:
    """Yield where a template and the manifest differ; nothing of the template is executed."""
    for number, step in enumerate(manifest.steps):
        if step.template is not None:
            for line in _check(step, step.template):
                yield f"steps[{number}] '{step.name}': {line}"


def _check(step: StepPlan, template: Path) -> Iterator[str]:
    reading = read_step(template)
    yield from (f"template {template.name}: {problem.text}" for problem in reading.problems)
    if reading.problems:
        return
    declared = {substep.name: substep for substep in reading.substeps}
    wanted = [substep.name for substep in step.substeps]
    if wanted and wanted != list(declared):
        yield (
            f"template {template.name} has the substeps {', '.join(declared)}, "
            f"and the manifest says {', '.join(wanted)}"
        )
        return
    for substep in step.substeps:
        there = declared[substep.name]
        yield from (
            f"template {template.name}/{there.name}: {problem.text}" for problem in there.problems
        )
        if substep.interface is not None and not there.problems:
            yield from _differences(
                f"template {template.name}/{there.name}",
                there.interface or Interface(),
                substep.interface,
            )


def _differences(where: str, there: Interface, wanted: Interface) -> Iterator[str]:
    for kind in KINDS:
        own, said = set(getattr(there, kind)), set(getattr(wanted, kind))
        if own != said:
            yield f"{where} declares {kind} {_told(own)}, and the manifest says {_told(said)}"


def _told(references: set[object]) -> str:
    names = [getattr(each, "entity_name", each) for each in references]
    return ", ".join(sorted(map(str, names))) or "none"
