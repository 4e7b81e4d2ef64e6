"""The page of the graph around a folder, with links that lead through the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sinara.draw import page
from sinara.draw.page import file_link
from sinara.graph import read_graph, read_history


def graph_page(folder: Path, link: Callable[[str], str] = file_link) -> str:
    """Return the page of the pipeline whose steps lie in ``folder``; nothing is executed.

    Args:
        folder: The folder that holds the steps.
        link: Makes the address of a report from its path.

    Raises:
        UsageError: If there is no step.
    """
    graph = read_graph(folder)
    return page(graph, read_history(graph), link=link)
