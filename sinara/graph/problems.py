"""What is wrong with a pipeline, seen from all its interfaces together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from sinara.errors import suggest
from sinara.graph.cycles import cycles
from sinara.graph.read import StepReading
from sinara.graph.values import Edge, EntityNode, PipelineGraph, Problem, StepNode, SubstepNode
from sinara.names import fold


def find_problems(graph: PipelineGraph, readings: Mapping[str, StepReading]) -> tuple[Problem, ...]:
    """Look over a graph.

    Args:
        graph: Steps, entities and edges.
        readings: What was read of each step, by its id in the graph.

    Returns:
        Errors first; each tells where it is and what to do.
    """
    finder = _Finder(graph, readings)
    found = [
        *finder.not_read(),
        *finder.same_step(),
        *finder.two_producers(),
        *finder.missing_producers(),
        *finder.cycles(),
        *finder.read_before_written(),
        *finder.unread(),
    ]
    return tuple(sorted(found, key=lambda problem: problem.severity != "error"))


class _Finder:
    """A graph with what is looked up in it again and again."""

    def __init__(self, graph: PipelineGraph, readings: Mapping[str, StepReading]) -> None:
        self.graph = graph
        self.readings = readings
        self.steps = {step.id: step for step in graph.steps}
        self.entities = {entity.id: entity for entity in graph.entities}
        self.substeps: dict[str, tuple[StepNode, SubstepNode]] = {
            substep.id: (step, substep) for step in graph.steps for substep in step.substeps
        }
        self.writers: dict[str, list[str]] = defaultdict(list)
        self.reads: dict[str, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            if edge.source in self.substeps:
                self.writers[edge.target].append(edge.source)
            else:
                self.reads[edge.source].append(edge)

    def where(self, substep_id: str) -> str:
        """Return how a message calls a substep: folder and file."""
        step, substep = self.substeps[substep_id]
        return f"{Path(step.folder).name}/{substep.name}"

    @cached_property
    def by_place(self) -> dict[tuple[str, str, str], list[StepNode]]:
        """The steps of each env, pipeline and zone."""
        found: dict[tuple[str, str, str], list[StepNode]] = defaultdict(list)
        for step in self.graph.steps:
            found[step.env_name, step.pipeline_name, step.zone_name].append(step)
        return found

    # -- what could not be read --------------------------------------------------------------

    def not_read(self) -> Iterator[Problem]:
        for step in self.graph.steps:
            reading = self.readings[step.id]
            for found in reading.problems:
                text = f"{Path(step.folder).name}: {found.text}"
                yield Problem(found.severity, found.code, text, (step.id,))
            for node, substep in zip(step.substeps, reading.substeps, strict=True):
                for found in substep.problems:
                    text = f"{self.where(node.id)}: {found.text}"
                    yield Problem(found.severity, found.code, text, (node.id,))

    def same_step(self) -> Iterator[Problem]:
        for step in self.graph.steps:
            first = self.steps.get(step.id.partition("~")[0])
            if first and first is not step:
                text = (
                    f"{Path(step.folder).name}: it is step '{step.name}' of pipeline "
                    f"'{step.pipeline_name}', as {Path(first.folder).name} is: their runs would "
                    "mix. Change step_name in its params, or leave the folder out."
                )
                yield Problem("error", "two-steps", text, (first.id, step.id))

    # -- entities --------------------------------------------------------------------------

    def two_producers(self) -> Iterator[Problem]:
        folders: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entity_id in self.writers:
            folders[_folder(self.entities[entity_id])].append(entity_id)
        for same in folders.values():
            writers = [
                (writer, each)
                for each in same
                for writer in self.writers[each]
                if not self._scratch(writer, self.entities[each].name)
            ]
            if len(writers) < 2:
                continue
            entity = self.entities[same[0]]
            called = " and ".join(f"'{self.entities[each].name}'" for each in same)
            by = " and ".join(self.where(writer) for writer, _ in writers)
            text = f"entity {called} is written by {by}. Rename one of them."
            if len(same) > 1:
                text = f"entities {called} would share one folder; {by} write them. Rename one."
            nodes = (*same, *(writer for writer, _ in writers))
            severity = "warning" if entity.kind == "tmp" else "error"
            yield Problem(severity, "two-producers", text, nodes, tuple(writers))  # type: ignore[arg-type]

    def missing_producers(self) -> Iterator[Problem]:
        for entity in self.graph.entities:
            unpinned = [edge for edge in self.reads[entity.id] if edge.run_id is None]
            if entity.kind == "custom" or self.writers[entity.id] or not unpinned:
                continue
            why = self._why_missing(entity, unpinned[0])
            if why:
                readers = ", ".join(self.where(edge.target) for edge in unpinned)
                edges = tuple((edge.source, edge.target) for edge in unpinned)
                nodes = (entity.id, *(edge.target for edge in unpinned))
                text = f"{readers}: input '{entity.name}' has no producer: {why}"
                yield Problem("error", "missing-producer", text, nodes, edges)

    def _why_missing(self, entity: EntityNode, edge: Edge) -> str:
        if entity.step is not None:
            return self._not_written(self.steps[entity.step], entity)
        reader, _ = self.substeps[edge.target]
        env, pipeline, zone, name = entity.full_name.split(".")[:4]
        if (env, pipeline, zone) != (reader.env_name, reader.pipeline_name, reader.zone_name):
            return ""  # another pipeline's, env's or zone's: it is not ours to be made here
        known = [step.name for step in self.by_place[env, pipeline, zone]]
        elsewhere = [step for step in self.graph.steps if step.name == name]
        if elsewhere and elsewhere[0].pipeline_name:
            other = elsewhere[0]
            place = f"env {other.env_name}, pipeline {other.pipeline_name}, zone {other.zone_name}"
            return f"step '{name}' is here in {place}, and is read from {env}, {pipeline}, {zone}."
        unread = [Path(step.folder).name for step in self.graph.steps if not step.pipeline_name]
        if unread:
            return f"there is no step '{name}' among those that could be read. Mend {unread[0]}."
        return f"there is no step '{name}' in this pipeline. {suggest(name, known)}".rstrip()

    def _not_written(self, step: StepNode, entity: EntityNode) -> str:
        if any(not substep.readable for substep in step.substeps):
            return ""  # maybe the one that cannot be read writes it
        known = [
            name
            for substep in step.substeps
            if substep.interface
            for name in (
                substep.interface.tmp_outputs if entity.kind == "tmp" else substep.interface.outputs
            )
        ]
        advice = suggest(entity.name, known) or "Add it to its outputs."
        return (
            f"step '{step.name}' does not write it; it writes {', '.join(known) or 'nothing'}. "
            f"{advice}"
        )

    def unread(self) -> Iterator[Problem]:
        """Entities that nobody reads, of steps that others read: what ends a pipeline is meant."""
        read_steps = {
            self.entities[source].step
            for source, edges in self.reads.items()
            for edge in edges
            if self.substeps[edge.target][0].id != self.entities[source].step
        }
        for entity in self.graph.entities:
            if entity.kind == "custom" or not self.writers[entity.id] or self.reads[entity.id]:
                continue
            writers = self.writers[entity.id]
            if entity.kind == "tmp":
                if all(self._scratch(writer, entity.name) for writer in writers):
                    continue
            elif entity.step not in read_steps:
                continue
            text = (
                f"{self.where(writers[0])}: nobody reads its output '{entity.name}'. Leave it out, "
                "or take it as meant: --allow unread"
            )
            yield Problem("warning", "unread", text, (entity.id,))

    def _scratch(self, substep_id: str, name: str) -> bool:
        interface = self.substeps[substep_id][1].interface
        return interface is not None and name in interface.tmp_entities

    # -- order -----------------------------------------------------------------------------

    def cycles(self) -> Iterator[Problem]:
        """Steps that read from each other: none of them could be the first."""
        links: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
        for source, edges in self.reads.items():
            for edge in edges:
                reader = self.substeps[edge.target][0].id
                for writer in self.writers[source]:
                    step = self.substeps[writer][0].id
                    if edge.run_id is None and step != reader:
                        links[step].setdefault(reader, (edge.source, edge.target))
        for circle in cycles({step: list(targets) for step, targets in links.items()}):
            around = list(zip(circle, [*circle[1:], circle[0]], strict=True))
            names = " → ".join(self.steps[step].name for step in [*circle, circle[0]])
            text = (
                f"the steps {names} read from each other, so that none can be the first. "
                "Split one of them, or pin a run with RUN_ID."
            )
            along = tuple(links[one][other] for one, other in around)
            yield Problem("error", "cycle", text, tuple(circle), along)

    def read_before_written(self) -> Iterator[Problem]:
        """A substep that reads what only a later one of its own step writes."""
        for source, edges in self.reads.items():
            for edge in edges:
                step, reader = self.substeps[edge.target]
                own = [
                    self.substeps[writer][1]
                    for writer in self.writers[source]
                    if self.substeps[writer][0] is step
                ]
                if edge.run_id or not own or any(writer.order < reader.order for writer in own):
                    continue
                when = "itself" if own[0] is reader else f"later, by {own[0].name}"
                text = (
                    f"{self.where(reader.id)}: input '{self.entities[source].name}' is written "
                    f"{when}: an earlier run of this step is read, if there is one."
                )
                nodes = (reader.id, own[0].id)
                yield Problem("warning", "cycle", text, nodes, ((edge.source, edge.target),))


def _folder(entity: EntityNode) -> tuple[str, str]:
    """Return what entities have in common that lie in one folder on some file system."""
    if entity.kind == "custom":
        return entity.id, ""
    return entity.id.removesuffix(entity.name), fold(entity.name)
