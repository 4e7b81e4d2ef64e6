"""The one file that a pattern, or a list of patterns, means."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from sinara.errors import ParamsError
from sinara.params.values import nearest, plain

_SUFFIXES = (".json", ".yaml", ".yml")
_SHOWN = 20


def find_one(globs: str | Sequence[str], folder: Path, argument: str) -> Path:
    """Return the only file that the patterns match.

    Args:
        globs: A pattern or several, from ``folder`` or absolute. One that is the name of a
            file as it stands is not taken for a pattern.
        folder: The step's folder; its own name is never taken for a pattern.
        argument: What the patterns were given as, for messages.

    Raises:
        ParamsError: If none matches or several do: the line lists the files.
    """
    patterns = _patterns(globs, argument)
    found = sorted({path for pattern in patterns for path in _matches(pattern, folder)})
    if len(found) == 1:
        return found[0]
    asked = ", ".join(f"'{plain(pattern)}'" for pattern in patterns)
    if found:
        raise ParamsError(
            f"{argument}: {asked} matches {len(found)} files: {_list(found, folder)}. "
            "Name one of them."
        )
    odd = next((p for p in patterns if os.path.lexists(folder / p)), None)
    if odd is not None:
        raise ParamsError(
            f"{argument}: '{plain(odd)}' in {folder} is there, and is no file that can be read "
            "(a folder, or a broken link?). Put a file there."
        )
    there = sorted(
        path
        for path in (folder / "params").glob("*")
        if path.suffix in _SUFFIXES and path.is_file()
    )
    near = nearest(patterns[0], [shown_path(path, folder) for path in there])
    have = f"There is {_list(there, folder)}." if there else "There is no file in params/."
    raise ParamsError(f"{argument}: no file matches {asked} in {folder}. {have} {near}".rstrip())


def _patterns(globs: object, argument: str) -> list[str]:
    given = list(globs) if isinstance(globs, list | tuple) else [globs]
    patterns = [os.fspath(each) if isinstance(each, Path) else each for each in given]
    texts = [pattern for pattern in patterns if isinstance(pattern, str) and pattern]
    if not texts or len(texts) != len(patterns):
        raise ParamsError(f"{argument}: give a file, a pattern or a list of them, as text.")
    if any("\0" in pattern for pattern in texts):
        raise ParamsError(f"{argument}: a pattern holds a NUL character. Remove it.")
    return texts


def _matches(pattern: str, folder: Path) -> list[Path]:
    try:
        if (folder / pattern).is_file():
            return [(folder / pattern).absolute()]
    except OSError:  # a name that is too long is at least no file
        return []
    names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - a pathlib glob takes no absolute pattern
    return [path for name in names if (path := (folder / name).absolute()).is_file()]


def _list(paths: Sequence[Path], folder: Path) -> str:
    shown = [shown_path(path, folder) for path in paths]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def shown_path(path: Path, folder: Path) -> str:
    """Return how messages call a file: its path from the step's folder if it is in there."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
