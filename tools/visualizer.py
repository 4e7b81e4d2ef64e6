"""For notebooks with the original's import line: ``from visualizer import visualize_pipeline``."""

from sinara.visualizer import visualize_pipeline

__all__ = ["visualize_pipeline"]
