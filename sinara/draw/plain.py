"""The graph for programs: everything that is known of it, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sinara.graph import History, PipelineGraph
from sinara.interface import as_lists

SCHEMA_VERSION = 1


def as_json(graph: PipelineGraph, history: History | None = None) -> dict[str, Any]:
    """Return a graph as dictionaries, lists and texts.

    Args:
        graph: The graph.
        history: What runs said about it.

    Returns:
        ``schema_version``, ``name``, ``steps``, ``entities``, ``edges`` (each with its ``data`` if
        runs told any), ``problems``.
    """
    history = history or History()
    steps = []
    for step in graph.steps:
        run = history.steps.get(step.id)
        substeps = []
        for substep in step.substeps:
            last = history.substeps.get(substep.id)
            substeps.append(
                {
                    **asdict(substep),
                    "parameters": dict(substep.parameters),
                    "interface": as_lists(substep.interface) if substep.interface else None,
                    "last_run": asdict(last) if last else None,
                }
            )
        steps.append(
            {**asdict(step), "substeps": substeps, "last_run": asdict(run) if run else None}
        )
    edges = []
    for edge in graph.edges:
        data = history.edges.get((edge.source, edge.target))
        edges.append({**asdict(edge), "data": asdict(data) if data else None})
    return {
        "schema_version": SCHEMA_VERSION,
        "name": graph.name,
        "steps": steps,
        "entities": [asdict(entity) for entity in graph.entities],
        "edges": edges,
        "problems": [asdict(problem) for problem in graph.problems],
    }
