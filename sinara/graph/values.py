"""The graph of a pipeline, as values: what was read off its notebooks, and nothing drawn yet.

::

    step   data_prep                         one repository; holds its substeps in order
      substep   split.ipynb   scale.ipynb    one notebook each
    entity raw ──▶ split.ipynb ──▶ train_set   reads and writes are edges

Ids are stable between two readings of the same pipeline, and unique in a graph:

    step      user.digits.zone.data_prep
    substep   user.digits.zone.data_prep/split.ipynb
    entity    user.digits.zone.data_prep.train_set
    tmp       tmp:user.digits.zone.data_prep.cache
    custom    custom:/data/raw
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sinara.interface import Interface

EntityKind = Literal["entity", "tmp", "custom"]
Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class SubstepNode:
    """One notebook or module of a step.

    Attributes:
        id: See the top of this module.
        name: Its file, relative to the step's folder.
        order: Its place among the substeps of its step, from 1.
        parameters: Name and value, as short texts; a secret is a reference, never a value.
        interface: What it declares; ``None`` if it declares nothing or that cannot be read.
        readable: Whether ``interface`` is what a run will declare.
    """

    id: str
    name: str
    order: int
    parameters: tuple[tuple[str, str], ...] = ()
    interface: Interface | None = None
    readable: bool = True


@dataclass(frozen=True)
class StepNode:
    """One step: a folder with parameters and substeps.

    Attributes:
        id: See the top of this module.
        env_name: The env that its parameter file names, or that was asked for.
        pipeline_name: Its pipeline.
        zone_name: Its zone.
        name: The step's name.
        folder: Its folder, absolute.
        substeps: In the order in which they run; empty if its parameter file cannot be read.
    """

    id: str
    env_name: str
    pipeline_name: str
    zone_name: str
    name: str
    folder: str
    substeps: tuple[SubstepNode, ...] = ()


@dataclass(frozen=True)
class EntityNode:
    """One dataset or model that a substep reads or writes.

    Attributes:
        id: See the top of this module.
        kind: ``entity`` lives in the store; ``tmp`` in the env's temporary root; ``custom`` at a
            path of the user's own.
        name: The entity's name.
        full_name: ``<env>.<pipeline>.<zone>.<step>.<entity>``; the path of a custom entity.
        step: Id of the step that it belongs to, if that step is in the graph: the one whose run
            folder it lies in, or the only one that uses a custom entity. ``None``: it is drawn
            outside of every step.
    """

    id: str
    kind: EntityKind
    name: str
    full_name: str
    step: str | None = None


@dataclass(frozen=True)
class Edge:
    """A substep reads an entity, or writes it.

    Attributes:
        source: Id of an entity that is read, or of the substep that writes.
        target: Id of the substep that reads, or of the entity that is written.
        run_id: The run that the interface pins, of a read.
    """

    source: str
    target: str
    run_id: str | None = None


@dataclass(frozen=True)
class Problem:
    """What is wrong with a pipeline.

    Attributes:
        severity: ``error`` if a run would fail or its result be doubtful, else ``warning``.
        code: ``missing-producer``, ``cycle``, ``unread``, ``two-producers``, ``unreadable``,
            ``params``, …
        text: One line: what, where, and what to do.
        nodes: Ids of the steps, substeps and entities that it is about.
        edges: Source and target of the edges that it is about.
    """

    severity: Severity
    code: str
    text: str
    nodes: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PipelineGraph:
    """Everything that was read.

    Attributes:
        name: What to call it: the pipeline's name, or the names of several.
        steps: By name.
        entities: By id.
        edges: Sorted by source and target; no two are equal.
        problems: Errors first.
    """

    name: str
    steps: tuple[StepNode, ...] = ()
    entities: tuple[EntityNode, ...] = ()
    edges: tuple[Edge, ...] = ()
    problems: tuple[Problem, ...] = ()
