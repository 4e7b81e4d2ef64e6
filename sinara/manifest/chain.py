"""The manifest of somebody who has none: steps in a row, each reads what the one before wrote."""

from __future__ import annotations

from collections.abc import Sequence

from sinara import names
from sinara.errors import ManifestError
from sinara.interface import InputRef, Interface
from sinara.manifest.flow import check_flow
from sinara.manifest.values import Manifest, StepPlan, SubstepPlan

ENTITY = "dataset"


def chain(pipeline: str, steps: Sequence[str], *, zone: str = "zone") -> Manifest:
    """Return a pipeline of steps in a row; the first makes a small table.

    Args:
        pipeline: Its name.
        steps: The steps' names, in their order.
        zone: The zone of the steps.

    Raises:
        BadNameError: If a name breaks the grammar.
        ManifestError: If two steps would share a folder, or there is none.
    """
    names.check_name("pipeline", pipeline)
    names.check_name("zone", zone)
    if not steps:
        raise ManifestError("A pipeline has at least one step. Name them: data_load,train")
    plans = []
    for before, name in zip([None, *steps], steps, strict=False):
        names.check_name("step", name)
        inputs = (InputRef(before, ENTITY),) if before else ()
        plans.append(StepPlan(name, (SubstepPlan(f"{name}.ipynb", Interface(inputs, (ENTITY,))),)))
    manifest = Manifest(pipeline, tuple(plans), zone)
    if lines := list(check_flow(manifest)):
        raise ManifestError(*lines)
    return manifest
