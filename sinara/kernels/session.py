"""Run the code cells of one notebook in one kernel, and tell the truth about each.

::

    wait until the kernel answers ─► cell ─► cell ─► ... ─► let the kernel end
            │                         │
            └──── Ended: a cell failed, the kernel died, a limit, a signal, StopExecution
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sinara.kernels import failures
from sinara.kernels.cells import Cell, Request, runs
from sinara.kernels.client import Client, Event
from sinara.kernels.failures import Ended
from sinara.kernels.limits import Limit, earliest, limit
from sinara.kernels.nodes import as_nodes
from sinara.kernels.options import EventKind, ExecuteEvent, ExecuteOptions
from sinara.kernels.outputs import Budget, CellOutputs, Displays
from sinara.kernels.redact import Redactor
from sinara.kernels.setup import setup_code
from sinara.kernels.signals import Caught
from sinara.kernels.watch import Died, Interruption, Overdue, Signalled, Stopped, Watch
from sinara.record import Failure

ASK_AGAIN_SECONDS = 0.5
ENFORCE_SECONDS = 20.0  # for a kernel to put its rules in force
ANSWER_SECONDS = 1.5  # for an answer that is late, after the cell has ended


class Progress(Protocol):
    """Who keeps the notebook while it runs: papermill's manager."""

    def cell_start(self, cell: Cell, cell_index: int) -> None:
        """A cell begins."""

    def cell_exception(self, cell: Cell, cell_index: int) -> None:
        """A cell failed."""

    def cell_complete(self, cell: Cell, cell_index: int) -> None:
        """A cell has ended, failed or not."""

    def due(self) -> bool:
        """True if it is time to save."""

    def autosave_cell(self) -> None:
        """Save, if it is time."""


class Session:
    """One notebook in one kernel, from the first answer to the last cell."""

    def __init__(
        self,
        cells: Sequence[Cell],
        client: Client,
        options: ExecuteOptions,
        progress: Progress,
        caught: Caught,
    ) -> None:
        self.cells = cells
        self.client = client
        self.options = options
        self.progress = progress
        self.watch = Watch(client, caught, self._tick)
        self.statuses: dict[
            int, tuple[str, float]
        ] = {}  # cell index: "done", "failed", "restored"; seconds
        self.reached = -1  # index of the cell that was begun last
        self.language_info: dict[str, Any] = {}
        self._began = time.monotonic()
        self._run_limit = limit("The run limit", options.run_timeout)
        self._redactor = Redactor(options.redact)
        self._budget = Budget(options.max_cell_output, options.max_notebook_output)
        self._displays = Displays()
        self._requests: dict[str, Request] = {}
        self._current: Request | None = None
        self._count = 0  # In [count] of the last cell
        self._memory_kills = failures.out_of_memory_kills()

    def run(self) -> None:
        """Run all cells and let the kernel end.

        Raises:
            Ended: If the run ends before its last cell, or by a failure in it.
        """
        self._wait_for_kernel()
        last = max((index for index, cell in enumerate(self.cells) if runs(cell)), default=-1)
        for index, cell in enumerate(self.cells):
            if runs(cell):
                self._explained(lambda: self.watch.check(lambda: True, self._take, self._run_limit))
            self.reached = index
            if self._is_restored(index, cell):
                continue
            self.progress.cell_start(cell, cell_index=index)
            try:
                if runs(cell):
                    self._run_cell(index, cell, is_last=index == last)
                    if self.options.between is not None:
                        self.options.between.after(index, self.aside, self.cells)
            except Ended as ended:
                if ended.cell_failed:
                    self.progress.cell_exception(cell, cell_index=index)
                self._keep_variables(ended)
                raise
            finally:
                self.progress.cell_complete(cell, cell_index=index)
        how = self.client.exit
        if how is not None and how.code != 0:  # after its last cell, and not by exit()
            raise Ended("failed", self._death(Died(how), self._where(), None))

    def _is_restored(self, index: int, cell: Cell) -> bool:
        """Have the caller put back what a cell would set, if it can."""
        between = self.options.between
        if between is None or not runs(cell):
            return False
        try:
            shown = between.instead(index, self.aside)
        except Ended:  # unless there is a better reason: a signal, or the kernel's death
            self._explained(lambda: self.watch.check(lambda: True, self._take))
            raise
        if shown is None:
            return False
        cell["outputs"] = as_nodes(shown)
        self.statuses[index] = ("restored", 0.0)
        return True

    def aside(self, code: str, seconds: float) -> bool:
        """Run code of our own silently between two cells; it leaves no output and no count.

        Args:
            code: In the kernel's language; it hands over what it finds in a file.
            seconds: How long to wait for it.

        Returns:
            Whether it ended well in time. A dead kernel and a signal are left to the next wait.
        """
        identity = self.client.execute(code, silent=True)
        answer: dict[str, Any] = {}

        def take(event: Event) -> None:
            _, message = event
            if message.parent == identity and message.kind == "execute_reply":
                answer.update(message.content)
            else:
                self._take(event)

        if self._run_limit is not None:
            seconds = max(0.0, min(seconds, self._run_limit.left))
        if not self.watch.pump(lambda: bool(answer), take, seconds, hurry=True):
            self.client.interrupt()
        return answer.get("status") == "ok"

    def _keep_variables(self, ended: Ended) -> None:
        if self.options.failure_file is not None:
            from sinara.kernels import postmortem

            postmortem.keep(self, ended, self._count, self.options.failure_file)

    def emit(self, kind: EventKind, cell: int | None = None, **more: Any) -> None:
        """Tell the caller what happens."""
        if self.options.on_event is not None:
            more.setdefault("seconds", time.monotonic() - self._began)
            self.options.on_event(ExecuteEvent(kind, cell, **more))

    def _wait_for_kernel(self) -> None:
        """Wait until the kernel answers on both of its channels, and prepare it."""
        start = limit("The kernel's start limit", self.options.start_timeout)
        answered: set[str] = set()
        next_ask = 0.0

        def ready() -> bool:
            nonlocal next_ask
            if not self.client.connect():
                answered.clear()
                return False
            if {"shell", "iopub"} <= answered:
                return True
            if time.monotonic() >= next_ask:
                self.client.send("kernel_info_request", {})
                next_ask = time.monotonic() + ASK_AGAIN_SECONDS
            return False

        def take(event: Event) -> None:
            channel, message = event
            answered.add(channel)
            if message.kind == "kernel_info_reply":
                self.language_info = dict(message.content.get("language_info") or {})

        self._wait(ready, take, start, most=ASK_AGAIN_SECONDS)
        code = setup_code(
            str(self.language_info.get("name")), strict_shell=self.options.strict_shell
        )
        if code:
            self.client.execute(code, silent=True)
        self._begin_audit()
        how = self.client.kernel.how
        self.emit("kernel", text=f"{self.client.kernel.spec.name}, {how}", status="started")

    def _begin_audit(self) -> None:
        """Have the kernel watch its files; what its rules refuse is refused before any cell.

        Raises:
            Ended: If there are rules that cannot be put in force.
        """
        audit, language = self.options.audit, self.language_info.get("name")
        if audit is None:
            return
        if audit.rules is not None and not (
            language == "python" and self.aside(audit.enforcing, ENFORCE_SECONDS)
        ):
            self._explained(lambda: self.watch.check(lambda: True, self._take))
            raise Ended("failed", failures.not_enforced(str(language)))
        if language == "python":
            self.client.execute(audit.watching, silent=True)

    def _run_cell(self, index: int, cell: Cell, *, is_last: bool) -> None:
        def emit(name: str, text: str) -> None:
            self.emit("stream", index, stream=name, text=text)

        outputs = CellOutputs(self._budget, self._redactor, self._displays, emit)
        request = self._current = Request(index, cell, outputs, self._count + 1)
        self.emit("cell_start", index)
        status = "done"
        try:
            own = limit("The cell limit", self.options.cell_timeout)
            code = self.client.execute(cell.source, stop_on_error=not request.may_fail)
            self._requests[code] = request
            self._wait(lambda: request.done, self._take, own)
            request.judge(is_last=is_last, limits=self.options.limits)
        except Ended as ended:
            status = "failed" if ended.cell_failed else "done"
            raise
        finally:
            self._count = request.count
            self._end_cell(request, status)

    def _end_cell(self, request: Request, status: str) -> None:
        seconds = time.monotonic() - request.started
        request.outputs.end()
        request.outputs.changed = True
        self._save_outputs()
        self.statuses[request.index] = (status, seconds)
        self._current = None
        self.emit("cell_end", request.index, seconds=seconds, status=status)

    def _save_outputs(self) -> None:
        """Put what is new into the notebook; a cell can also change one above it."""
        for request in self._requests.values():
            if request.outputs.changed:
                request.save_outputs()

    def _take(self, event: Event) -> None:
        channel, message = event
        request = self._requests.get(message.parent)
        if request is not None:
            request.take(channel, message)
            if request is not self._current:
                request.outputs.end()  # nothing is held back: no end of the cell comes again

    def _wait(
        self,
        done: Callable[[], bool],
        take: Callable[[Event], None],
        own: Limit | None,
        *,
        most: float = 1.0,
    ) -> None:
        """Wait until ``done``, the run's limit or the own one."""
        first = earliest(own, self._run_limit)
        self.watch.guard_until(first)
        self._explained(lambda: self.watch.wait(done, take, first, most=most))
        self.watch.guard_until(self._run_limit)

    def _tick(self) -> None:
        request = self._current
        if request is None:
            return
        if self.progress.due():
            self._save_outputs()
            self.progress.autosave_cell()
        if request.idle and request.reply is None and request.quiet > ANSWER_SECONDS:
            raise Ended("failed", failures.no_answer(self._where(), request.index, ANSWER_SECONDS))

    def _explained(self, wait: Callable[[], None]) -> None:
        """Wait, and turn what interrupts it into the end of the run."""
        try:
            wait()
        except Interruption as interruption:
            ended = self._explain(interruption.cause)
            if self._current is not None and ended.failure is not None:
                self._current.outputs.note(ended.failure.message)
            raise ended from None

    def _explain(self, cause: Signalled | Overdue | Died | Stopped) -> Ended:
        index = self._current.index if self._current else None
        where = self._where()
        if isinstance(cause, Signalled):
            return Ended("cancelled", failures.interrupted(cause.number, where, index))
        if isinstance(cause, Overdue):
            name, seconds = cause.limit.name, cause.limit.seconds
            return Ended("failed", failures.timeout(name, seconds, where, index, cause.exit))
        if isinstance(cause, Stopped):
            return Ended("failed", failures.stopped(cause.number, where, index, cause.exit))
        return Ended("failed", self._death(cause, where, index))

    def _death(self, cause: Died, where: str, index: int | None) -> Failure:
        if not self.language_info:
            said = self._redactor.text(cause.exit.log)
            return failures.start_failure(cause.exit, self.client.kernel.spec.name, said)
        killed_for_memory = (
            cause.exit.out_of_memory or failures.out_of_memory_kills() > self._memory_kills
        )
        limits = self.options.limits
        return failures.death(
            cause.exit, where, index, out_of_memory=killed_for_memory, limits=limits
        )

    def _where(self) -> str:
        if self._current is not None:
            return f"in {failures.place(self._current.count)}"
        return f"after {failures.place(self._count)}" if self._count else "before the first cell"
