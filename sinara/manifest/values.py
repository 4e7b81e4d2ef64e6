"""A manifest as values: the pipeline that somebody wants, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinara.interface import Interface


@dataclass(frozen=True)
class SubstepPlan:
    """One notebook that a step shall have.

    Attributes:
        name: Its file, ``prepare_data.ipynb``.
        interface: What it declares; ``None``: the manifest does not say.
        params: Values of its parameters.
    """

    name: str
    interface: Interface | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepPlan:
    """One step that the pipeline shall have.

    Attributes:
        name: The step's name.
        substeps: In the order in which they run; none: as the template has them.
        params: Values for ``step_params``.
        template: The folder whose files it is made of; ``None``: the step template.
        when: The condition on which it runs; ``None``: always.
    """

    name: str
    substeps: tuple[SubstepPlan, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    template: Path | None = None
    when: str | None = None


@dataclass(frozen=True)
class Manifest:
    """A pipeline that somebody wants.

    Attributes:
        pipeline_name: Its name; ``None``: the manifest does not say.
        steps: In the order in which they are written.
        zone_name: The zone of its steps.
        host: ``local``, ``github`` or ``gitlab``; ``None``: the manifest does not say.
        organization: Whose repositories; of ``local``, the folder of them.
    """

    pipeline_name: str | None
    steps: tuple[StepPlan, ...]
    zone_name: str = "zone"
    host: str | None = None
    organization: str | None = None
