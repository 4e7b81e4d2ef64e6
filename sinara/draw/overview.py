"""A graph with its substeps left out: steps, and arrows between those that read from each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sinara.graph import Edge, EdgeData, History, PipelineGraph

_SHOWN = 12  # entities of an arrow that are named


@dataclass(frozen=True)
class Overview:
    """A graph without substeps.

    Attributes:
        graph: Steps, the entities that come from elsewhere, and arrows between steps.
        history: What runs said about the steps; an arrow fell if one of its entities did.
        tips: What goes along an arrow, in words.
    """

    graph: PipelineGraph
    history: History
    tips: Mapping[tuple[str, str], str]


def overview(graph: PipelineGraph, history: History) -> Overview:
    """Return the steps of a graph alone. Ids stay as they are."""
    home = {sub.id: step.id for step in graph.steps for sub in step.substeps}
    writers: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        if edge.source in home:
            writers.setdefault(edge.target, []).append(edge)
    wrong = {edge for problem in graph.problems for edge in problem.edges}
    names = {entity.id: entity.name for entity in graph.entities}
    outside = {entity.id for entity in graph.entities if entity.step is None}
    along: dict[tuple[str, str], list[str]] = {}
    data: dict[tuple[str, str], EdgeData] = {}
    bad: list[tuple[str, str]] = []
    for edge in graph.edges:
        for one, other in _between(edge, home, writers, outside):
            along.setdefault((one, other), []).append(names.get(edge.source, ""))
            flow = history.edges.get((edge.source, edge.target))
            if flow and flow.fell:
                data[one, other] = flow
            if (edge.source, edge.target) in wrong:
                bad.append((one, other))
    edges = tuple(Edge(one, other) for one, other in along)
    steps = tuple(replace(step, substeps=()) for step in graph.steps)
    entities = tuple(entity for entity in graph.entities if entity.id in outside)
    problems = tuple(
        replace(
            problem,
            nodes=tuple(dict.fromkeys(home.get(node, node) for node in problem.nodes)),
            edges=tuple(bad) if problem.edges else (),
        )
        for problem in graph.problems
    )
    left = replace(graph, steps=steps, entities=entities, edges=edges, problems=problems)
    tips = {ends: _told(names_) for ends, names_ in along.items()}
    return Overview(left, replace(history, substeps={}, edges=data), tips)


def _between(
    edge: Edge, home: Mapping[str, str], writers: Mapping[str, list[Edge]], outside: set[str]
) -> list[tuple[str, str]]:
    """Return the arrows of the overview that an edge becomes."""
    if edge.source in home:  # written; what nobody here reads is no arrow
        return [(home[edge.source], edge.target)] if edge.target in outside else []
    if edge.source in outside:
        return [(edge.source, home[edge.target])]
    steps = {home[writer.source] for writer in writers.get(edge.source, ())}
    reader = home[edge.target]
    return [(step, reader) for step in sorted(steps) if step != reader]


def _told(names: list[str]) -> str:
    several = sorted({name for name in names if name})
    more = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
    return ", ".join(several[:_SHOWN]) + more
