"""Which folders may be asked for: those below the server's root that are steps, or hold some."""

from __future__ import annotations

from pathlib import Path

from sinara.errors import UsageError
from sinara.graph import is_step

_DEPTH = 4  # folders between a notebook and its step: substeps may lie in subfolders


def inside(root: Path, path: str) -> Path:
    """Return the file or folder that the browser calls ``path``.

    Raises:
        UsageError: If it is not there, or leads out of the root.
    """
    try:
        found = (root / path.lstrip("/")).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise UsageError("There is no such file or folder.") from None
    if not found.is_relative_to(root.resolve()):
        raise UsageError("It leads out of the folder that this server shows.")
    return found


def step_of(root: Path, path: str) -> Path | None:
    """Return the step that a notebook belongs to, or ``None``: never the root's parent."""
    place = inside(root, path)
    top = root.resolve()
    folder = place if place.is_dir() else place.parent
    for _ in range(_DEPTH):
        if is_step(folder):
            return folder
        if folder == top:
            return None
        folder = folder.parent
    return None


def pipeline_of(root: Path, path: str) -> Path:
    """Return the folder whose steps make up the graph around a notebook or folder.

    Raises:
        UsageError: If the steps would lie outside of the root.
    """
    place = inside(root, path)
    step = step_of(root, path)
    if step is None:
        return place if place.is_dir() else place.parent
    if step == root.resolve():
        raise UsageError(
            "This server shows one step only. Start it where the steps lie: sinara lab"
        )
    return step.parent
