"""The graph in a notebook, as the original's users know it.

from sinara.visualizer import visualize_pipeline
visualize_pipeline("/path/to/steps/*")
"""

from __future__ import annotations

from collections.abc import Sequence

from sinara.draw import Picture
from sinara.graph import glob_steps, read_graph, read_history


def visualize_pipeline(
    steps_folder_glob: str | Sequence[str], graph_name: str | None = None
) -> Picture:
    """Return the picture of a pipeline: the value of a cell shows it, and saving keeps it.

    Nothing of the steps is executed. Problems are in the picture, and in its ``problems``.

    Args:
        steps_folder_glob: The steps' folders as a shell pattern, or several patterns.
        graph_name: What to call the graph; the pipeline's name by default.

    Raises:
        UsageError: If no step matches.
    """
    graph = read_graph(glob_steps(steps_folder_glob), name=graph_name)
    return Picture(graph, read_history(graph))
