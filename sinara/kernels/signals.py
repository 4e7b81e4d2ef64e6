"""Notice SIGINT, SIGTERM and SIGHUP while a notebook runs, and restore what was before.

Inside :func:`caught` a signal does not raise anywhere: it is noted, and wakes whoever
waits on :attr:`Caught.wake`. Only the main thread may set handlers, so in any other
thread nothing is caught and the program's own handlers stay in charge: these pass what
they get on to the threads by a :class:`StopRequest`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # there is no SIGHUP on Windows


class StopRequest:
    """What tells the work of other threads to end, as a signal tells the main thread.

    Attributes:
        numbers: The signals that asked for it, in their order; empty if none did.
        names: Their names.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.names: list[str] = []
        self._asked = threading.Event()

    def ask(self, number: int) -> None:
        """Ask for the end; a second time means: at once."""
        self.numbers.append(number)
        self.names.append(signal.Signals(number).name)
        self._asked.set()

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until somebody asks for the end; True if somebody did."""
        return self._asked.wait(seconds)


class Caught:
    """The signals that came so far."""

    def __init__(self, wake: int | None = None, numbers: list[int] | None = None) -> None:
        self.wake = wake  # a descriptor that is readable when a signal has come
        self.numbers: list[int] = [] if numbers is None else numbers
        self.acted_on = False  # whether somebody ended something for it

    @property
    def first(self) -> int | None:
        """The signal that asked for the end, if one did."""
        return self.numbers[0] if self.numbers else None

    @property
    def urgent(self) -> bool:
        """True if somebody asked twice."""
        return len(self.numbers) > 1


@contextmanager
def caught(stop: StopRequest | None = None) -> Iterator[Caught]:
    """Catch the signals that end a run, if this is the main thread.

    Args:
        stop: Stands for the signals instead, in whichever thread.
    """
    if stop is not None:
        yield Caught(numbers=stop.numbers)
        return
    if threading.current_thread() is not threading.main_thread():
        yield Caught()
        return
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    seen = Caught(wake)

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        seen.numbers.append(number)
        with suppress(OSError):  # the pipe is full, so the waiter wakes anyway
            os.write(wake_write, b"!")

    before = {}
    try:
        for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
            if signal.getsignal(number) not in {signal.SIG_IGN, None}:  # nohup stays nohup
                before[number] = signal.signal(number, note)
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake)
        os.close(wake_write)
    if seen.first is not None and not seen.acted_on:
        signal.raise_signal(seen.first)  # it came too late for us, not for our caller
