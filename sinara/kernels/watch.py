"""Wait for a kernel, but never without an end.

One loop looks at everything at once: messages, the kernel's process, the time limit and
the driver's own signals. What ends a wait too early is an :class:`Interruption`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from sinara.kernels.client import Client, Event
from sinara.kernels.exits import Exit
from sinara.kernels.limits import Limit
from sinara.kernels.signals import Caught

INTERRUPT_SECONDS = 2.0  # after SIGINT, for a cell to stop
CANCEL_SECONDS = 3.0  # the same, when the driver itself was told to end
TERMINATE_SECONDS = 2.0  # after SIGTERM
SHUTDOWN_SECONDS = 5.0  # for the kernel to end by itself once all is done
DEATH_SECONDS = 2.0  # after SIGKILL
DRAIN_SECONDS = 0.5  # for messages of a dead kernel that are still on their way
STOPPED_SECONDS = 1.2  # for somebody who stopped the kernel (SIGSTOP) to let it go on
WATCHDOG_SECONDS = 15.0  # after a limit; by then we have acted, or are stuck ourselves

Done = Callable[[], bool]
Take = Callable[[Event], None]


@dataclass(frozen=True)
class Signalled:
    """The driver was told to end."""

    number: int


@dataclass(frozen=True)
class Overdue:
    """A limit is over; ``exit`` is set if the kernel had to be killed for it."""

    limit: Limit
    exit: Exit | None


@dataclass(frozen=True)
class Died:
    """The kernel's process has ended."""

    exit: Exit


@dataclass(frozen=True)
class Stopped:
    """The kernel's process was stopped by a signal, did not go on, and was killed."""

    number: int
    exit: Exit


class Interruption(Exception):
    """What was waited for does not come."""

    def __init__(self, cause: Signalled | Overdue | Died | Stopped) -> None:
        super().__init__(cause)
        self.cause = cause


class Watch:
    """Waits for one kernel."""

    def __init__(self, client: Client, caught: Caught, on_tick: Callable[[], None]) -> None:
        self.client = client
        self._caught = caught
        self._on_tick = on_tick  # called after each round, at least once a second

    def wait(self, done: Done, take: Take, limit: Limit | None, *, most: float = 1.0) -> None:
        """Give every message to ``take`` until ``done``.

        Raises:
            Interruption: If a signal came, the limit is over or the kernel is dead. The
                kernel was then stopped as far as it takes: asked first, killed at last.
        """
        while not done():
            self.check(done, take, limit)
            seconds = most if limit is None else max(0.0, min(limit.left, most))
            if self.client.kernel.process.stopped is not None:
                seconds = min(seconds, STOPPED_SECONDS / 4)
            for event in self.client.events(seconds):
                take(event)
            self._on_tick()

    def check(self, done: Done, take: Take, limit: Limit | None = None) -> None:
        """Raise ``Interruption`` if there is a reason; does not wait otherwise."""
        if self._caught.first is not None:
            self._caught.acted_on = True
            self._cancel(done, take)
            raise Interruption(Signalled(self._caught.first))
        if limit is not None and limit.left <= 0:
            raise Interruption(Overdue(limit, self._interrupt(done, take)))
        how = self.client.exit
        if how is not None:
            self._drain(take)
            raise Interruption(Died(how))
        stopped = self.client.kernel.process.stopped
        if stopped is not None and time.monotonic() - stopped[1] > STOPPED_SECONDS:
            raise Interruption(Stopped(stopped[0], self._kill(take)))

    def guard_until(self, limit: Limit | None) -> None:
        """Tell the guard when to kill the kernel without being asked again."""
        seconds = None if limit is None else max(limit.left, 0.0) + WATCHDOG_SECONDS
        self.client.kernel.process.set_deadline(seconds)

    def shut_down(self) -> None:
        """Let the kernel end in order: its own ``atexit`` work is done, files are flushed."""
        if self.client.exit is not None or not self.client.connected:
            return
        self.client.kernel.process.set_deadline(SHUTDOWN_SECONDS + TERMINATE_SECONDS + 1)
        self.client.send("shutdown_request", {"restart": False}, channel="control")
        if not self._ends_within(SHUTDOWN_SECONDS):
            self.client.kernel.process.send_signal(signal.SIGTERM)
            self._ends_within(TERMINATE_SECONDS)

    def _interrupt(self, done: Done, take: Take) -> Exit | None:
        """Interrupt the cell; kill the kernel if that does not help, and say how it ended."""
        self.client.interrupt()
        if self.pump(done, take, INTERRUPT_SECONDS) and self.client.exit is None:
            return None
        return self._kill(take)

    def _cancel(self, done: Done, take: Take) -> None:
        self.client.interrupt()
        if not self.pump(done, take, CANCEL_SECONDS, hurry=True):
            self.client.kernel.process.send_signal(signal.SIGTERM)
            if not self._ends_within(TERMINATE_SECONDS):
                self._kill(take)

    def _kill(self, take: Take) -> Exit:
        self.client.kernel.process.kill()
        self._ends_within(DEATH_SECONDS)
        self._drain(take)
        return self.client.exit or Exit(killed_by="the driver")

    def pump(self, done: Done, take: Take, seconds: float, *, hurry: bool = False) -> bool:
        """Handle messages for so long; True if it is done or dead."""
        end = time.monotonic() + seconds
        while not done() and self.client.exit is None:
            if time.monotonic() >= end or (hurry and self._caught.urgent):
                return False
            for event in self.client.events(min(0.2, max(0.0, end - time.monotonic()))):
                take(event)
        return True

    def _ends_within(self, seconds: float) -> bool:
        return self.pump(lambda: False, lambda _: None, seconds, hurry=True)

    def _drain(self, take: Take) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end:
            batch = list(self.client.events(0.05))
            if not batch:
                return
            for event in batch:
                take(event)
