"""A pipeline: the steps in a folder, and the graph read off their notebooks.

::

    find      the steps' folders
    read      one step: names, parameters, interfaces (cache: what did not change)
    build     the readings joined into a graph
    graph     the graph as values: steps, substeps, entities, edges
    problems  what is wrong with it (cycles: its circles)
    records   what earlier runs left about it
    history   that as values
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sinara.graph.find import find_steps, glob_steps, is_step, pipeline_folder
from sinara.lazy import exports

if TYPE_CHECKING:
    from sinara.graph.history import EdgeData, History, NodeRun
    from sinara.graph.records import read_history
    from sinara.graph.values import (
        Edge,
        EntityNode,
        PipelineGraph,
        Problem,
        StepNode,
        SubstepNode,
    )

__all__ = [
    "Edge",
    "EdgeData",
    "EntityNode",
    "History",
    "NodeRun",
    "PipelineGraph",
    "Problem",
    "StepNode",
    "SubstepNode",
    "find_steps",
    "glob_steps",
    "is_step",
    "pipeline_folder",
    "read_graph",
    "read_history",
]


def read_graph(
    steps: Path | Sequence[Path], *, env_name: str | None = None, name: str | None = None
) -> PipelineGraph:
    """Read the graph of a pipeline off its notebooks; nothing of it is executed or imported.

    Args:
        steps: The folder that holds the steps (or one of the steps), or the steps' folders.
        env_name: The env to read the steps in; each step's own by default.
        name: What to call the graph; the pipeline's name by default.

    Raises:
        UsageError: If there is no step.
    """
    from sinara.graph.build import build_graph
    from sinara.graph.cache import cached_steps

    folders = find_steps(steps) if isinstance(steps, Path) else tuple(steps)
    return build_graph(cached_steps([f.absolute() for f in folders], env_name), name)


__getattr__ = exports(
    __name__,
    {
        "Edge": "values",
        "EdgeData": "history",
        "EntityNode": "values",
        "History": "history",
        "NodeRun": "history",
        "PipelineGraph": "values",
        "Problem": "values",
        "StepNode": "values",
        "SubstepNode": "values",
        "read_history": "records",
    },
)
