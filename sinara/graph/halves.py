"""Work on many things shared between this process and a copy of it, where that is safe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

_FEWEST = 60  # steps; below that a second process costs more than it saves


def in_halves(work: Callable[[str], Any], items: Sequence[str]) -> list[Any]:
    """Return ``[work(item) for item in items]``, every other one of them worked on in a child.

    A child is forked only on Linux, from a process with one thread and more than one processor
    (another thread might hold a lock that the child would wait for). If it dies, this process
    does its part as well.

    Args:
        work: Gives values that JSON can hold.
        items: What to work on.
    """
    if len(items) < _FEWEST or not _may_fork():
        return [work(item) for item in items]
    pid, reader = _start(work, items[1::2])
    try:
        mine = [work(item) for item in items[::2]]
        with reader:
            answer = reader.read()
    finally:
        reader.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it has answered, or is not waited for any more
        os.waitpid(pid, 0)
    try:
        others = json.loads(answer)
    except ValueError:
        others = [work(item) for item in items[1::2]]
    done: list[Any] = [None] * len(items)
    done[::2], done[1::2] = mine, others
    return done


def _may_fork() -> bool:
    if not hasattr(os, "sched_getaffinity") or not hasattr(os, "fork"):
        return False
    return len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _start(work: Callable[[str], Any], items: Sequence[str]) -> tuple[int, Any]:
    """Fork the child; return its number and where its answer comes from."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writable)
        return pid, os.fdopen(readable, "rb")
    try:  # the child: it must never return, whatever happens
        os.close(readable)
        answer = json.dumps([work(item) for item in items])
        with os.fdopen(writable, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(answer)
    finally:
        os._exit(0)
