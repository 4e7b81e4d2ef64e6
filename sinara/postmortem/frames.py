"""Inside the kernel: write the variables of the newest traceback into a file, frame by frame.

The innermost frame comes first, and each is on disk before the next one is looked at: if a
``repr`` hangs where Python cannot stop it, what was told before it is there.
"""

from __future__ import annotations

import ast
import contextlib
import json
import linecache
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.postmortem.masks import Masks
from sinara.postmortem.preview import describe, type_name
from sinara.postmortem.values import MOST_BYTES, MOST_FRAMES, MOST_VARIABLES

_VALUE_SECONDS = 0.5  # for one value
_OURS = {"IPython", "ipykernel", "traitlets", "tornado", "decorator"}
_HIDDEN = {"In", "Out", "get_ipython", "exit", "quit", "self_"}


class _TooSlow(BaseException):
    """Raised into a ``repr`` that takes too long; no ``except Exception`` catches it."""


@dataclass(frozen=True)
class _Seen:
    """A frame and the line in it."""

    frame: types.FrameType
    line: int
    file: str  # as a person knows it
    names: tuple[str, ...]

    @property
    def scope(self) -> Mapping[str, Any]:
        """Its variables."""
        return self.frame.f_locals


def write(path: str, count: int, seconds: float) -> None:
    """Write what the cell ``In [count]`` knew when it raised, one JSON object per line.

    Args:
        path: The file; it must not be there yet. Nobody else can read it.
        count: The cell's number. A traceback of another cell is left alone.
        seconds: How long this may take.
    """
    from IPython import get_ipython

    shell = get_ipython()
    end = time.monotonic() + seconds
    chosen, left_out = _chosen(list(_frames(shell, count)))
    masks = Masks([shell.user_ns, *(dict(seen.scope) for seen in chosen)])
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps({"left_out": left_out}) + "\n")
        room = MOST_BYTES
        for index, seen in reversed(list(enumerate(chosen))):
            line = json.dumps({"index": index, **_told(seen, masks, end)}) + "\n"
            room -= len(line)
            if room < 0:
                break
            file.write(line)
            file.flush()


def _frames(shell: Any, count: int) -> Iterator[_Seen]:
    """Yield the frames from the cell on, without those of IPython."""
    known = getattr(shell.compile, "_filename_map", {})
    trace, begun = getattr(sys, "last_traceback", None), False
    while trace is not None:
        frame, line = trace.tb_frame, trace.tb_lineno
        file = frame.f_code.co_filename
        begun = begun or known.get(file) == count
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if begun and module not in _OURS:
            shown = f"Cell In [{known[file]}]" if file in known else _short(file)
            yield _Seen(frame, line, shown, tuple(_names(frame, shell, known.get(file))))
        trace = trace.tb_next


def _chosen(seen: list[_Seen]) -> tuple[list[_Seen], int]:
    """Return the first frame and the last ones, and how many were left out between."""
    left_out = max(0, len(seen) - MOST_FRAMES)
    return ([*seen[:1], *seen[1 + left_out :]] if left_out else seen), left_out


def _short(file: str) -> str:
    """Return a path as it reads from the working folder."""
    with contextlib.suppress(ValueError, OSError):
        return str(Path(file).relative_to(Path.cwd()))
    return file


def _names(frame: types.FrameType, shell: Any, count: int | None) -> Iterable[str]:
    """Return the variables of a frame worth telling: of a module, those that its code uses."""
    scope = frame.f_locals
    if scope is not frame.f_globals:
        return [name for name in scope if name.isidentifier() and not name.startswith("__")]
    used = _used(shell, count) if count is not None else ()
    return [
        name
        for name in dict.fromkeys([*used, *frame.f_code.co_names])
        if name in scope and name not in _HIDDEN and not name.startswith("_")
        # What was imported or defined is in the source; what was computed is not.
        if not isinstance(scope[name], types.ModuleType | types.FunctionType | type)
    ]


def _used(shell: Any, count: int) -> list[str]:
    """Return the names in the source of a cell, in their order."""
    try:
        tree = ast.parse(str(shell.user_ns["_ih"][count]))
    except (LookupError, TypeError, SyntaxError, ValueError):
        return []
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return [node.id for node in sorted(found, key=lambda node: (node.lineno, node.col_offset))]


def _told(seen: _Seen, masks: Masks, end: float) -> dict[str, Any]:
    code = seen.frame.f_code
    source = linecache.getline(code.co_filename, seen.line, seen.frame.f_globals).strip()
    scope = seen.scope
    return {
        "file": seen.file,
        "line": seen.line,
        "function": "<module>" if seen.scope is seen.frame.f_globals else code.co_name,
        "source": masks.values(source[:300]),
        "variables": [
            _variable(name, scope[name], masks, end)
            for name in seen.names[:MOST_VARIABLES]
            if name in scope
        ],
        "left_out": max(0, len(seen.names) - MOST_VARIABLES),
    }


def _variable(name: str, value: Any, masks: Masks, end: float) -> dict[str, Any]:
    """Return one variable, whatever its own code does."""
    left = min(_VALUE_SECONDS, end - time.monotonic())
    note = "the time for looking at variables was over"
    try:
        if left > 0:
            with _limited(left):
                return describe(name, value, masks)
    except _TooSlow:
        note = f"its repr took longer than {_VALUE_SECONDS:g} s"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a repr may raise anything, SystemExit too
        note = f"its repr raised {type(error).__name__}"
    return {"name": name, "type": type_name(value), "note": note}


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise :class:`_TooSlow` in here after so long, again and again until it gets out."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: types.FrameType | None) -> None:
        del number, frame
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
