"""A function over all steps, in threads; a failure is that step's own, and Ctrl-C ends them all."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Generic, TypeVar

from sinara.errors import SinaraError
from sinara.fleet.values import FleetStep, Outcome, Result
from sinara.repository import end_all
from sinara.repository.call import one_line

THREADS = 8
_LOOK = 0.02  # s
_ENDED = "ended by signal"
PATIENCE = 4.0  # seconds after Ctrl-C for what is under way; a host may take longer to answer
Answer = TypeVar("Answer")
Did = tuple[Outcome, str]


def each(
    steps: Sequence[FleetStep],
    work: Callable[[FleetStep], Answer],
    *,
    failed: Callable[[FleetStep, str], Answer],
    stopped: Callable[[FleetStep], Answer],
) -> tuple[Answer, ...]:
    """Call ``work`` for every step, and return the answers in the order of the steps.

    Args:
        steps: The steps.
        work: What is done; a ``SinaraError`` or an ``OSError`` is that step's failure, any other
            error is a bug and is raised when all are done.
        failed: Makes the answer of a step that failed, from the text.
        stopped: Makes the answer of a step that was not done when Ctrl-C came: calls of git
            that talk to a host are ended, and no further one is begun.
    """
    crew = _Crew(steps, work, failed)
    with _interrupts(crew.told) as asked:
        crew.start()
        while crew.works() and not asked:
            time.sleep(_LOOK)
        if asked:
            crew.stop(until=lambda: len(asked) > 1)  # a second one: not even that is waited for
    for bug in crew.bugs:
        raise bug
    answers = dict(crew.answers)
    return tuple(answers[n] if n in answers else stopped(step) for n, step in enumerate(steps))


class _Crew(Generic[Answer]):
    """Threads that do one step after the other; they end with the process, whatever they await."""

    def __init__(
        self,
        steps: Sequence[FleetStep],
        work: Callable[[FleetStep], Answer],
        failed: Callable[[FleetStep, str], Answer],
    ) -> None:
        self._work, self._failed = work, failed
        self._todo: queue.SimpleQueue[tuple[int, FleetStep]] = queue.SimpleQueue()
        for item in enumerate(steps):
            self._todo.put(item)
        self._stopped = threading.Event()
        count = min(THREADS, len(steps))
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        self.answers: dict[int, Answer] = {}
        self.bugs: list[Exception] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def works(self) -> bool:
        """Say whether a thread is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    def told(self) -> None:
        """Let nothing begin any more."""
        self._stopped.set()

    def stop(self, until: Callable[[], bool]) -> None:
        """End what is under way, and wait for it: for so long, or until somebody is impatient."""
        self._stopped.set()
        end = time.monotonic() + PATIENCE
        while self.works() and time.monotonic() < end and not until():
            end_all()  # again: a step may have begun a call meanwhile
            time.sleep(0.05)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                number, step = self._todo.get_nowait()
            except queue.Empty:
                return
            try:
                self.answers[number] = self._one(step)
            except _Stopped:
                return
            except Exception as bug:
                self.bugs.append(bug)

    def _one(self, step: FleetStep) -> Answer:
        try:
            return self._work(step)
        except SinaraError as error:
            said = _said(step, error)
        except OSError as error:
            said = one_line(f"{error.filename or step.folder}: {error.strerror or error}")
        # It failed because it was ended: by us, or by the Ctrl-C that we are about to hear of.
        if self._stopped.wait(_LOOK * 10 if _ENDED in said else 0):
            raise _Stopped
        return self._failed(step, said)


@contextlib.contextmanager
def _interrupts(tell: Callable[[], None]) -> Iterator[list[int]]:
    """Note each Ctrl-C and tell it at once, if this is the main thread: nothing is raised.

    An exception could be raised anywhere, also where Python has to drop it.
    """
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(number)
        tell()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


class _Stopped(Exception):
    """A step was under way when the command was ended."""


def results(steps: Sequence[FleetStep], work: Callable[[FleetStep], Did]) -> tuple[Result, ...]:
    """Call ``work`` for every step, and return how it went, in the order of the steps."""

    def did(step: FleetStep, outcome: Outcome, text: str) -> Result:
        return Result(step.name, str(step.folder), outcome, text)

    return each(
        steps,
        lambda step: did(step, *work(step)),
        failed=lambda step, text: did(step, "failed", text),
        stopped=lambda step: did(step, "stopped", "not done: the command was ended"),
    )


def _said(step: FleetStep, error: SinaraError) -> str:
    lines = [line.removeprefix(f"{step.folder}: ") for line in error.lines]
    return one_line("; ".join(lines))
