"""What SIGINT, SIGTERM and SIGHUP mean to a run.

While substeps run, any of them ends the run in order: record, report and exit code say
so. While a run is being published they wait, because publishing is not to be cut in two.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from sinara.errors import InterruptedRunError
from sinara.kernels.signals import StopRequest

_WATCHED = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def as_errors(stop: StopRequest | None = None) -> Iterator[list[str]]:
    """Raise :class:`InterruptedRunError` in the main thread for each of the signals.

    Gives the list of their names, which grows: code of others that the error passes through
    may swallow it or make another one of it.

    Args:
        stop: Stands for the signals instead: nothing is raised then, its names are given.
    """
    if stop is not None:
        yield stop.names
        return
    seen: list[str] = []

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        seen.append(signal.Signals(number).name)
        raise InterruptedRunError(stopped_by(seen))

    with handled(end):
        yield seen


def stopped_by(seen: Sequence[str]) -> str:
    """Return the line that says which signal ended a run; empty if none did."""
    return f"Stopped by {seen[0]}." if seen else ""


@contextlib.contextmanager
def deferred() -> Iterator[list[str]]:
    """Only note the signals that come; gives the list of their names, which grows."""
    seen: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        seen.append(signal.Signals(number).name)

    with handled(note):
        yield seen


@contextlib.contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have ``handler`` called for each of the signals, if this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    numbers = [getattr(signal, name) for name in _WATCHED if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
