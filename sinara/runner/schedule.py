"""Tasks in the order of their needs, several at once; what they do is somebody else's affair.

::

    waiting ──(all needs done)──► ready ──(a thread is free)──► running ──► done | failed | skipped

A task is begun as soon as it can be, those first on which the longest chain of others waits.
One thread decides; the others only work. Nothing is ever polled.
"""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Literal, TypeVar

Task = TypeVar("Task", bound=Hashable)
Outcome = Literal["done", "failed", "skipped"]
Wait = Callable[["queue.SimpleQueue[Any]"], object]


class Schedule(Generic[Task]):
    """Runs tasks; made once, run once.

    Args:
        needs: For each task those that have to be done before; the order of the mapping counts
            where nothing else does. There are no circles.
        work: Does one task, in a thread, and says what became of it; may not raise.
        workers: How many tasks are worked on at once.
        keep_going: Whether tasks that do not need a failed one are still begun.
        skipped: Is told of a task that is not begun, and why: the task that it needs.
        weights: Seconds that a task is thought to take.
    """

    def __init__(
        self,
        needs: Mapping[Task, Sequence[Task]],
        work: Callable[[Task], Outcome],
        *,
        workers: int,
        keep_going: bool = False,
        skipped: Callable[[Task, Task | None], None] | None = None,
        weights: Mapping[Task, float] | None = None,
    ) -> None:
        self._needs = needs
        self._work = work
        self._workers = max(1, workers)
        self._keep_going = keep_going
        self._tell_skipped = skipped
        self._left = {task: len(set(needed)) for task, needed in needs.items()}
        self._readers: dict[Task, list[Task]] = {task: [] for task in needs}
        for task, needed in needs.items():
            for one in set(needed):
                self._readers[one].append(task)
        self._urgency = self._chains(weights or {})
        self._order = {task: number for number, task in enumerate(needs)}
        self._ready: list[tuple[float, int, Task]] = []
        self._ended: dict[Task, Outcome] = {}
        self._todo: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Task, Outcome] | None] = queue.SimpleQueue()
        self._closing = False

    def stop(self) -> None:
        """Begin no further task; may be called from anywhere, by a signal handler too."""
        self._closing = True
        self._done.put(None)

    def run(self, wait: Wait | None = None) -> None:
        """Work on all tasks, and return when none goes on.

        Args:
            wait: Gets the next thing from the queue that it is given, or ``None`` now and then;
                does in between what its caller wants. Waits for ever by default.
        """
        for task, left in self._left.items():
            if left == 0:
                self._make_ready(task)
        number = min(self._workers, len(self._needs))
        threads = [
            threading.Thread(target=self._serve, name=f"sinara-step-{n}") for n in range(number)
        ]
        for thread in threads:
            thread.start()
        try:
            self._decide(len(threads), wait or (lambda done: done.get()))
        finally:
            for _ in threads:
                self._todo.put(None)
            for thread in threads:
                thread.join()
        for task in self._needs:
            if task not in self._ended:
                self._skip(task, None)

    def _decide(self, workers: int, wait: Wait) -> None:
        busy = 0
        while True:
            while self._ready and busy < workers and not self._closing:
                self._todo.put(heapq.heappop(self._ready)[2])
                busy += 1
            if busy == 0:
                return
            ended = wait(self._done)
            if isinstance(ended, tuple):
                busy -= 1
                self._end(*ended)

    def _serve(self) -> None:
        while (task := self._todo.get()) is not None:
            outcome: Outcome = "failed"
            try:
                outcome = self._work(task)
            finally:
                self._done.put((task, outcome))

    def _end(self, task: Task, outcome: Outcome) -> None:
        self._ended[task] = outcome
        if outcome == "failed" and not self._keep_going:
            self._closing = True
        pending = [task]
        while pending:
            cause = pending.pop()
            for reader in self._readers[cause]:
                if reader in self._ended:
                    continue
                if self._ended[cause] != "done":
                    self._skip(reader, cause)
                    pending.append(reader)
                else:
                    self._left[reader] -= 1
                    if self._left[reader] == 0:
                        self._make_ready(reader)

    def _skip(self, task: Task, cause: Task | None) -> None:
        self._ended[task] = "skipped"
        if self._tell_skipped is not None:
            self._tell_skipped(task, cause)

    def _make_ready(self, task: Task) -> None:
        heapq.heappush(self._ready, (-self._urgency[task], self._order[task], task))

    def _chains(self, weights: Mapping[Task, float]) -> dict[Task, float]:
        """Return for each task how long the longest chain is that begins with it."""
        longest: dict[Task, float] = {}
        left = {task: len(readers) for task, readers in self._readers.items()}
        pending = [task for task, count in left.items() if count == 0]
        while pending:
            task = pending.pop()
            after = max((longest[reader] for reader in self._readers[task]), default=0.0)
            longest[task] = after + weights.get(task, 1.0)
            for one in set(self._needs[task]):
                left[one] -= 1
                if left[one] == 0:
                    pending.append(one)
        return longest


class Budget:
    """How much may go on at once: a number of things, and what they may use of memory together.

    Whoever comes first is served first, so what needs much is not passed by for ever.
    """

    def __init__(self, workers: int, memory: int | None = None) -> None:
        self.workers = workers
        self.memory = memory
        self._free = workers
        self._left = memory or 0
        self._line: list[object] = []
        self._changed = threading.Condition()

    @contextmanager
    def share(self, memory: int | None, stopped: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a share and hold it; gives False if ``stopped`` said so first.

        Args:
            memory: Bytes; ``None`` for what nobody limited, which takes none of the budget.
            stopped: Whether to give up waiting; asked every now and then.
        """
        needed = min(memory or 0, self.memory) if self.memory is not None else 0
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            while not (self._line[0] is ticket and self._free > 0 and self._left >= needed):
                if stopped():
                    self._line.remove(ticket)
                    self._changed.notify_all()
                    yield_it = False
                    break
                self._changed.wait(0.2)
            else:
                yield_it = True
                self._line.remove(ticket)
                self._free -= 1
                self._left -= needed
                self._changed.notify_all()
        if not yield_it:
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                self._free += 1
                self._left += needed
                self._changed.notify_all()
