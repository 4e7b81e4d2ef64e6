"""The state of files that are no entities: names, sizes and times, none of them read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_MOST = 100_000  # files; a place with more is told apart by the first of them
_PASSED_OVER = frozenset({".git", "__pycache__", ".venv", "node_modules", ".ipynb_checkpoints"})


def fingerprint(place: Path, suffixes: tuple[str, ...] = ()) -> str:
    """Return a short digest of the state of a file, or of a folder and all in it.

    Args:
        place: What to look at; links are not followed below it.
        suffixes: Only files with one of these; all by default.

    Returns:
        Sixteen hexadecimal digits; ``missing`` if nothing is there.
    """
    found = hashlib.sha256()
    number = 0
    for name, state in _states(place, suffixes):
        found.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "replace"))
        number += 1
        if number >= _MOST:
            break
    return found.hexdigest()[:16] if number or place.is_dir() else "missing"


def _states(place: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        if place.is_file():
            yield "", place.stat()
            return
    except OSError:
        return
    for folder, inner, files in os.walk(place):
        inner[:] = sorted(name for name in inner if name not in _PASSED_OVER)
        for name in sorted(files):
            if suffixes and not name.endswith(suffixes):
                continue
            path = os.path.join(folder, name)  # noqa: PTH118  # a hundred thousand of them
            try:
                yield os.path.relpath(path, place), os.lstat(path)
            except OSError:
                continue
