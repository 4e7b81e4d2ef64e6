"""From what was seen in the kernel and by the file system to what a report says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sinara.audit.digest import CHANGED, NOT_THERE, look
from sinara.audit.folder import Seen
from sinara.audit.places import Places
from sinara.record import FilesTouched, FileTouched

MOST = 1_000  # entries of one list of a record
REMOVED = "removed"
_LARGEST_LOG = 50_000_000  # bytes; more than 10,000 lines of each kind are forged
_PYTHON = (
    "Watched: what Python code opened, made, renamed, removed, listed, started and connected to, "
    "in the kernel and in processes forked from it."
)
_NOT = (
    "Not watched: what native code (pyarrow, polars, DuckDB) and other programs opened in other "
    "places, and their connections."
)


@dataclass
class _State:
    """What is known of one path while notes are read."""

    first: str = ""  # "r" or "w"
    existed: bool = True  # before the substep
    read: bool = False
    written: bool = False
    removed: bool = False
    modified: int | None = None  # ns, when it was read first
    bytes: int | None = None
    listing: str | None = None
    seen: str = "python"


@dataclass
class Noted:
    """The notes of a kernel, read.

    Attributes:
        files: What is known of each path, in the order in which they were met.
        commands: Programs, each once.
        addresses: Addresses, each once.
        cut: Kinds of which not all were noted.
        began: Whether anything was watched in a kernel.
    """

    files: dict[str, _State] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    began: bool = False


def read_notes(log: Path) -> Noted:
    """Return what a kernel noted; a line that is half written, or forged, is passed over."""
    noted = Noted()
    for kind, what, *more in _lines(log):
        if kind == "on":
            noted.began = True
        elif kind == "cut":
            noted.cut.add(what)
        elif kind == "c":
            noted.commands.append(what)
        elif kind == "a":
            noted.addresses.append(what)
        else:
            _take(noted.files.setdefault(what, _State()), kind, more)
    return noted


def _lines(log: Path) -> Iterator[list[Any]]:
    try:
        with log.open("rb") as stream:
            data = stream.read(_LARGEST_LOG)
    except OSError:
        return
    for line in data.split(b"\n"):
        try:
            given = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(given, list) and len(given) >= 2 and all(type(p) is str for p in given[:2]):
            yield given


def _take(state: _State, kind: str, more: list[Any]) -> None:
    if kind in ("r", "m", "l"):
        if not state.first:
            state.first = "r"
            state.existed = kind != "m"
            if kind == "r" and [type(part) for part in more] == [int, int]:
                state.modified, state.bytes = more
            if kind == "l" and [type(part) for part in more] == [str]:
                state.listing = more[0]
        state.read = True
    elif kind in ("w", "d"):
        if not state.first:
            state.first, state.existed = "w", more[:1] == [True]
        state.written = True
        state.removed = kind == "d"


def sort(noted: Noted, seen: Seen, places: Places, began: float) -> FilesTouched:
    """Return what a substep did beside what it declared.

    Args:
        noted: By its kernel.
        seen: By the file system.
        places: What it declared.
        began: When it began, s since 1970.
    """
    files = _joined(noted.files, seen, places)
    read = [
        _read(path, state, places, began)
        for path, state in files.items()
        if state.read and state.first == "r" and not places.may_read(path)
    ]
    written = [
        found
        for path, state in files.items()
        if state.written and not places.may_write(path) and (found := _written(path, state, places))
    ]
    read.sort(key=lambda file: not file.of_step)  # of what is cut off, these count the most
    cut = bool(noted.cut & {"r", "l", "m"}) or len(read) > MOST
    return FilesTouched(
        tuple(read[:MOST]),
        tuple(written[:MOST]),
        tuple(dict.fromkeys(noted.commands))[:MOST],
        tuple(dict.fromkeys(noted.addresses))[:MOST],
        tuple(_words(noted, seen, cut or len(written) > MOST)),
        complete=noted.began and seen.complete and not cut,
    )


def _joined(files: dict[str, _State], seen: Seen, places: Places) -> dict[str, _State]:
    """Return all paths; where Python told of one, the file system adds only another kind."""
    joined = dict(files)
    by_place = {os.path.realpath(path): path for path in files}  # it may have come by a link
    for path, first in seen.first.items():
        path = by_place.get(path, path)
        told = joined.get(path)
        if told is None:
            joined[path] = _State(
                first, True, path in seen.read, path in seen.written, seen="system"
            )
        elif path in seen.written and not told.written:
            joined[path] = replace(told, written=True, seen="system")
    return {path: state for path, state in joined.items() if not _is_clutter(path, places)}


def _is_clutter(path: str, places: Places) -> bool:
    """Return whether a path lies in a folder of the step that tools keep for themselves."""
    if not path.startswith(places.step + os.sep):
        return False
    folders = Path(path[len(places.step) + 1 :]).parts[:-1]
    if "__pycache__" in folders and ".pyc" in path:  # Python writes it under another name first
        return True
    return any(name.startswith(".git") or name == ".ipynb_checkpoints" for name in folders)


def _read(path: str, state: _State, places: Places, began: float) -> FileTouched:
    shown = places.shown(path)
    if os.path.isabs(shown):  # noqa: PTH117 - for each of thousands
        return FileTouched(shown, None, state.bytes, state.seen)
    if state.listing is not None:
        return FileTouched(shown, state.listing)
    if not state.existed:
        return FileTouched(shown, note=NOT_THERE)
    now = replace(look(Path(places.step), shown), seen=state.seen)
    if now.note == NOT_THERE:
        return replace(now, bytes=state.bytes, note=CHANGED)
    real = os.path.realpath(path)
    if real != path and not real.startswith(os.path.realpath(places.step) + os.sep):
        now = replace(now, note=now.note or f"link to {real}")
    return replace(now, sha256=None, note=CHANGED) if _changed(path, state, began) else now


def _changed(path: str, state: _State, began: float) -> bool:
    """Return whether a file was changed after it was read first."""
    try:
        found = os.stat(path)  # noqa: PTH116 - for each of thousands
    except OSError:
        return True
    if state.modified is None:  # nobody looked at it then
        return found.st_mtime >= began
    return (found.st_mtime_ns, found.st_size) != (state.modified, state.bytes)


def _written(path: str, state: _State, places: Places) -> FileTouched | None:
    """Return a file that is left, or that was there and is gone; folders are none."""
    shown = places.shown(path)
    try:
        found = os.lstat(path)
    except OSError:
        was_there = state.existed and (state.removed or state.first == "r")
        return FileTouched(shown, note=REMOVED, seen=state.seen) if was_there else None
    if os.path.isdir(path):  # noqa: PTH112 - for each of thousands
        return None
    return FileTouched(shown, None, found.st_size, state.seen)


def _words(noted: Noted, seen: Seen, cut: bool) -> Iterable[str]:
    yield _PYTHON if noted.began else "Nothing was watched in the kernel: it did not start, " \
        "or is not Python."  # fmt: skip
    if seen.folders:
        yield "Watched, whoever opened them: files of the step's folder and places that the code " \
            "names (native code and other programs, too)."  # fmt: skip
    else:
        yield "The step's folder was not watched: this system has no inotify, or no room in it."
    if seen.folders and not seen.complete:
        yield "Not all folders, or not all that happened in them, could be watched."
    yield _NOT
    if cut:
        yield f"More was touched than is listed: a list holds {MOST:,} entries at most."
