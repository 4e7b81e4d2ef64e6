"""The steps of a pipeline, found on disk: folders that look like a step."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from sinara.errors import UsageError
from sinara.names import shown

_PARAMS_FILES = tuple(f"params/step_params.{suffix}" for suffix in ("json", "yaml", "yml"))
_SCRIPTS = ("step.dev.py", "step.prod.py")


def is_step(folder: Path) -> bool:
    """Say whether ``folder`` is a step: it holds a parameter file of one, or its script."""
    return any(os.path.isfile(folder / name) for name in (*_PARAMS_FILES, *_SCRIPTS))  # noqa: PTH113 - 250 steps, and pathlib is slow


def pipeline_folder(folder: Path) -> Path:
    """Return the folder that holds the steps: ``folder``, or the one above if it is a step."""
    folder = folder.absolute()
    return folder.parent if is_step(folder) else folder


def find_steps(folder: Path) -> tuple[Path, ...]:
    """Return the steps that lie directly in ``folder``, by name; hidden folders are passed over.

    Args:
        folder: A folder with steps. If it is a step itself, the steps beside it are meant, too.

    Raises:
        UsageError: If it cannot be read, or holds no step.
    """
    place = pipeline_folder(folder)
    try:
        with os.scandir(place) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror}.") from error
    found = tuple(place / name for name in sorted(names) if is_step(place / name))
    if not found:
        raise UsageError(
            f"{place}: there is no step in this folder (a folder with params/step_params.json). "
            "Name the folder that holds the steps, or make a pipeline: sinara pipeline create"
        )
    return found


def glob_steps(patterns: str | Sequence[str]) -> tuple[Path, ...]:
    """Return the steps that shell patterns match, by path.

    Args:
        patterns: ``"/path/to/steps/*"``, or several. A folder that is no step but holds some
            stands for these; other files and folders that match are passed over.

    Raises:
        UsageError: If no step is among what matches.
    """
    several = [patterns] if isinstance(patterns, str) else list(patterns)
    found: dict[Path, None] = {}
    for pattern in several:
        for match in sorted(glob.glob(os.path.expanduser(pattern))):  # noqa: PTH111, PTH207 - patterns may be absolute
            place = Path(match).absolute()
            if is_step(place):
                found[place] = None
            elif place.is_dir() and len(several) == 1 and not glob.has_magic(pattern):
                found |= dict.fromkeys(find_steps(place))
    if not found:
        asked = ", ".join(shown(pattern) for pattern in several)
        raise UsageError(
            f"{asked}: no step matches (a folder with params/step_params.json). "
            "Give a pattern that matches the steps' folders, such as '/path/to/steps/*'."
        )
    return tuple(found)
