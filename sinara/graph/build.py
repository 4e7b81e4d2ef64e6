"""The readings of many steps joined into one graph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sinara.graph.problems import find_problems
from sinara.graph.read import StepReading, SubstepReading
from sinara.graph.values import Edge, EntityNode, PipelineGraph, StepNode, SubstepNode
from sinara.interface import CustomRef, InputRef, Interface

_ELSEWHERE = re.compile(r"/|~|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*:")  # a path of the machine's


def build_graph(readings: Sequence[StepReading], name: str | None = None) -> PipelineGraph:
    """Join steps into a graph.

    Args:
        readings: What was read of each step.
        name: What to call the graph; the names of the pipelines by default.

    Returns:
        The graph with its problems. Two folders that are one step by their names are both in
        it: the second one's ids end in ``~2``, and the problem is told.
    """
    building = _Building()
    for reading in sorted(readings, key=lambda r: (r.step_name, r.folder)):
        building.add(reading)
    pipelines = sorted({r.pipeline_name for r in readings if r.pipeline_name})
    graph = PipelineGraph(
        name=name or ", ".join(pipelines) or "pipeline",
        steps=tuple(building.steps),
        entities=tuple(building.owned()),
        edges=tuple(sorted(building.edges, key=lambda e: (e.source, e.target, e.run_id or ""))),
    )
    return replace(graph, problems=find_problems(graph, building.readings))


@dataclass
class _Building:
    """A graph while it is put together."""

    steps: list[StepNode] = field(default_factory=list)
    entities: dict[str, EntityNode] = field(default_factory=dict)
    edges: dict[Edge, None] = field(default_factory=dict)
    users: dict[str, set[str]] = field(default_factory=dict)  # custom entity -> steps
    readings: dict[str, StepReading] = field(default_factory=dict)  # by step id
    same: Counter[str] = field(default_factory=Counter)  # steps by their four names

    def add(self, reading: StepReading) -> None:
        own = _own_id(reading)
        number = self.same[own]
        self.same[own] += 1
        step_id = f"{own}~{number + 1}" if number else own
        substeps = tuple(
            SubstepNode(
                id=f"{step_id}/{substep.name}",
                name=substep.name,
                order=order,
                parameters=substep.parameters,
                interface=substep.interface,
                readable=not substep.problems,
            )
            for order, substep in enumerate(reading.substeps, start=1)
        )
        self.readings[step_id] = reading
        self.steps.append(
            StepNode(
                id=step_id,
                env_name=reading.env_name,
                pipeline_name=reading.pipeline_name,
                zone_name=reading.zone_name,
                name=reading.step_name,
                folder=reading.folder,
                substeps=substeps,
            )
        )
        for node, substep in zip(substeps, reading.substeps, strict=True):
            self._connect(own, step_id, node, substep, reading)

    def _connect(
        self, own: str, step_id: str, node: SubstepNode, substep: SubstepReading, step: StepReading
    ) -> None:
        interface = substep.interface or Interface()
        for reference in interface.inputs:
            self._edge(self._input(reference, step), node.id, reference.run_id)
        for name in interface.outputs:
            self._edge(node.id, self._keep(f"{own}.{name}", "entity", name, f"{own}.{name}"))
        for name in interface.tmp_inputs:
            self._edge(self._tmp(own, name), node.id)
        for name in (*interface.tmp_outputs, *interface.tmp_entities):
            self._edge(node.id, self._tmp(own, name))
        for custom in interface.custom_inputs:
            self._edge(self._custom(custom, step_id), node.id)
        for custom in interface.custom_outputs:
            self._edge(node.id, self._custom(custom, step_id))

    def _edge(self, source: str, target: str, run_id: str | None = None) -> None:
        self.edges[Edge(source, target, run_id)] = None

    def _input(self, reference: InputRef, reader: StepReading) -> str:
        parts = (
            reference.env_name or reader.env_name,
            reference.pipeline_name or reader.pipeline_name,
            reference.zone_name or reader.zone_name,
            reference.step_name,
            reference.entity_name,
        )
        full_name = ".".join(parts)  # each was checked when the interface was read
        return self._keep(full_name, "entity", reference.entity_name, full_name)

    def _tmp(self, own: str, name: str) -> str:
        return self._keep(f"tmp:{own}.{name}", "tmp", name, f"{own}.{name}")

    def _custom(self, reference: CustomRef, step_id: str) -> str:
        """Steps that name the same place of the machine share it; a relative path is a step's."""
        shared = _ELSEWHERE.match(reference.path)
        place = reference.path if shared else f"{step_id}/{reference.path}"
        made = self._keep(f"custom:{place}", "custom", reference.entity_name, reference.path)
        self.users.setdefault(made, set()).add(step_id)
        return made

    def _keep(self, id_: str, kind: str, name: str, full_name: str) -> str:
        if id_ not in self.entities:
            self.entities[id_] = EntityNode(id_, kind, name, full_name)  # type: ignore[arg-type]
        return id_

    def owned(self) -> Iterator[EntityNode]:
        """Yield the entities by id, each with the step that it belongs to."""
        steps = {step.id for step in self.steps}
        for id_, entity in sorted(self.entities.items()):
            owner: str | None
            if entity.kind == "custom":
                users = self.users[id_]
                owner = next(iter(users)) if len(users) == 1 else None
            else:
                owner = entity.full_name.removesuffix(f".{entity.name}")
            yield replace(entity, step=owner if owner in steps else None)


def _own_id(reading: StepReading) -> str:
    names = (reading.env_name, reading.pipeline_name, reading.zone_name, reading.step_name)
    return ".".join(names) if reading.pipeline_name else f"?.{reading.folder}"
