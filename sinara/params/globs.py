"""The one file that a pattern, or a list of patterns, means."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from sinara.errors import ParamsError
from sinara.params.values import nearest, plain

_SUFFIXES = (".json", ".yaml", ".yml")
_SHOWN = 20
_MOST = 100_000  # files that a pattern may lead past: a step has few


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
    left = iter(range(_MOST))
    try:
        found = set(_expand(folder, PurePath(pattern).parts, left))
    except (_TooManyError, RecursionError):
        raise ParamsError(
            f"'{plain(pattern)}' matches or passes more than {_MOST} files, or too deep ones. "
            "Name the file."
        ) from None
    return [path for each in found if (path := each.absolute()).is_file()]


class _TooManyError(Exception):
    """A pattern leads through too many files: through a whole disk, or in circles."""


def _expand(root: Path, parts: tuple[str, ...], left: Iterator[int]) -> Iterator[Path]:
    """Yield what a pattern matches, as :func:`glob.glob` does, and in bounded time.

    Args:
        root: Where its first part is looked for.
        parts: Its parts.
        left: Has a number for each file that may yet be looked at.
    """
    if not parts:
        yield root
        return
    first, rest = parts[0], parts[1:]
    if not glob.has_magic(first):
        if os.path.lexists(root / first):
            yield from _expand(root / first, rest, left)
        return
    everywhere = first == "**"
    if everywhere:
        yield from _expand(root, rest, left)
    for entry in _entries(root, left):
        if entry.name.startswith(".") and not first.startswith("."):
            continue
        if everywhere and _is_folder(entry):
            yield from _expand(root / entry.name, parts, left)
        elif (everywhere and not rest) or (not everywhere and fnmatch.fnmatch(entry.name, first)):
            yield from _expand(root / entry.name, () if everywhere else rest, left)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in circles
        return False


def _entries(folder: Path, left: Iterator[int]) -> list[os.DirEntry[str]]:
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if next(left, None) is None:
                raise _TooManyError
            found.append(entry)
    return found


def _list(paths: Sequence[Path], folder: Path) -> str:
    shown = [shown_path(path, folder) for path in paths]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def shown_path(path: Path, folder: Path) -> str:
    """Return how messages call a file: its path from the step's folder if it is in there."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
