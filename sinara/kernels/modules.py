"""Run a ``.py`` substep: the same guard, limits, record and report as a notebook.

The result is a notebook with one markdown cell, the file's name, and one code cell, its
source; what the module printed is that cell's output.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sinara.audit.inside import Audit
from sinara.kernels import failures, processes
from sinara.kernels.exits import Exit
from sinara.kernels.limits import Limit, earliest, limit
from sinara.kernels.module_runner import STOPPED
from sinara.kernels.nodes import as_nodes, new_notebook
from sinara.kernels.options import Executed, ExecuteEvent, ExecuteOptions, cell_metadata
from sinara.kernels.outputs import Budget, CellOutputs, Displays
from sinara.kernels.pipes import Pipes
from sinara.kernels.redact import Redactor
from sinara.kernels.signals import Caught, caught
from sinara.kernels.watch import (
    CANCEL_SECONDS,
    DEATH_SECONDS,
    INTERRUPT_SECONDS,
    TERMINATE_SECONDS,
    WATCHDOG_SECONDS,
)
from sinara.kernels.wire import Message
from sinara.kernels.writer import AtomicWriter
from sinara.record import CellRecord, CellStatus, Failure, SubstepStatus

CELL = 1  # index of the code cell
PLACE = "in the module"
RUNNER = Path(__file__).with_name("module_runner.py")


def run_module(path: Path, argv: Sequence[str], output: Path, options: ExecuteOptions) -> Executed:
    """Run ``path`` and return what became of it; see :func:`sinara.execute.execute_module`."""
    began = time.monotonic()
    run = ModuleRun(path, output, options)
    with caught(options.stop) as signals:
        run.execute(argv, signals)
    seconds = time.monotonic() - began
    run.conclude(seconds)
    status: CellStatus = "failed" if run.failure else "done"
    run.emit("cell_end", seconds=seconds, status=status)
    run.emit("end", seconds=seconds, status=run.status)
    return Executed(
        notebook=run.notebook,
        cells=(CellRecord(CELL, status, seconds),),
        status=run.status,
        failure=run.failure,
        seconds=seconds,
        warnings=tuple(run.warnings),
        processes_left=run.processes_left,
    )


class ModuleRun:
    """One module, from its start to its notebook."""

    def __init__(self, path: Path, output: Path, options: ExecuteOptions) -> None:
        self.path = path
        self.options = options
        source = path.read_text(encoding="utf-8", errors="replace")
        self.notebook = new_notebook(path.name, source)
        self.status: SubstepStatus = "running"
        self.failure: Failure | None = None
        self.warnings: list[str] = []
        self.processes_left = False
        self._began = time.monotonic()
        self._writer = AtomicWriter(output)
        self._redactor = Redactor(options.redact)
        budget = Budget(options.max_cell_output, options.max_notebook_output)
        self._outputs = CellOutputs(budget, self._redactor, Displays(), self._emit_stream)
        self._memory_kills = failures.out_of_memory_kills()
        self._save()

    def execute(self, argv: Sequence[str], signals: Caught) -> None:
        """Run the module to its end, and set status and failure."""
        limits = (
            limit("The cell limit", self.options.cell_timeout),
            limit("The run limit", self.options.run_timeout),
        )
        self.options.runtime_folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="m-", dir=self.options.runtime_folder))
        result = folder / "result.json"
        first = folder / "first.py"
        first.write_text(_first(self.options.audit), encoding="utf-8")
        command = [
            sys.executable,
            "-P",
            str(RUNNER),
            str(result),
            str(first),
            str(self.path.resolve()),
            *argv,
        ]
        with Pipes() as pipes:
            process = processes.start(
                command,
                env=self.options.env,
                cwd=self.options.cwd,
                folders=[folder],
                stdio=pipes.ends(),
                limits=self.options.limits,
            )
            pipes.close_ends()
            self.emit("cell_start")
            try:
                self._follow(process, pipes, signals, earliest(*limits))
                said = _read_result(result)
            finally:
                if not process.close():
                    self.processes_left = True
                    self.warnings.append(
                        "Some processes that the module started could not be ended."
                    )
        self._judge(process.poll() or Exit(), said)

    def conclude(self, seconds: float) -> None:
        """Finish the notebook and write it for the last time."""
        self._outputs.end()
        cell = self.notebook.cells[CELL]
        failed = self.failure is not None
        cause = self.failure.message if self.failure else None
        if self.failure is not None and self.failure.ename is None:
            self._outputs.note(self.failure.message)
        status = "failed" if failed else "done"
        cell.metadata["sinara"] = cell_metadata(status, cause, seconds)
        cell.metadata["papermill"] = {
            "exception": failed,
            "duration": seconds,
            "status": "failed" if failed else "completed",
        }
        self._save(final=True)

    def emit(self, kind: Any, **more: Any) -> None:
        """Tell the caller what happens."""
        if self.options.on_event is not None:
            more.setdefault("seconds", time.monotonic() - self._began)
            self.options.on_event(ExecuteEvent(kind, None if kind == "end" else CELL, **more))

    def _emit_stream(self, name: str, text: str) -> None:
        self.emit("stream", stream=name, text=text)

    def _follow(
        self, process: processes.Process, pipes: Pipes, signals: Caught, first: Limit | None
    ) -> None:
        """Pass on what the module prints until it ends, or make it end."""
        if first is not None:
            process.set_deadline(first.seconds + WATCHDOG_SECONDS)
        while process.poll() is None:
            if signals.first is not None:
                signals.acted_on = True
                self.status = "cancelled"
                self.failure = failures.interrupted(signals.first, PLACE, CELL)
                self._end(process, pipes, signals, CANCEL_SECONDS)
            elif first is not None and first.left <= 0:
                how = self._end(process, pipes, signals, INTERRUPT_SECONDS)
                killed = how if how.signal == signal.SIGKILL else None
                self.failure = failures.timeout(first.name, first.seconds, PLACE, CELL, killed)
            else:
                seconds = 1.0 if first is None else max(0.0, min(first.left, 1.0))
                self._pass_on(pipes, process, signals, seconds)
        self._pass_on(pipes, process, signals, 0.0)

    def _end(self, process: processes.Process, pipes: Pipes, signals: Caught, grace: float) -> Exit:
        """Ask the module to end, insist, and kill it."""
        for number, seconds in ((signal.SIGINT, grace), (signal.SIGTERM, TERMINATE_SECONDS)):
            process.send_signal(number)
            end = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < end and not signals.urgent:
                self._pass_on(pipes, process, Caught(), 0.1)
        if process.poll() is None:
            process.kill()
        return process.wait(DEATH_SECONDS) or Exit(killed_by="the driver")

    def _pass_on(
        self, pipes: Pipes, process: processes.Process, signals: Caught, seconds: float
    ) -> None:
        for name, text in pipes.read(seconds, (process.fileno(), signals.wake)):
            self._outputs.take(Message("stream", "", {"name": name, "text": text}))
        if self._writer.due():
            self._save()

    def _judge(self, how: Exit, said: dict[str, Any]) -> None:
        if self.failure is not None:
            self.status = self.status if self.status == "cancelled" else "failed"
            return
        if how.code in {0, STOPPED}:
            self.status = "stopped" if how.code else "succeeded"
            return
        self.status = "failed"
        if said:
            self.failure = self._raised(said)
        elif how.code is not None:
            message = f"{self.path.name} ended with exit code {how.code}."
            self.failure = Failure("cell", message, CELL, ename="SystemExit", exit_code=how.code)
        else:
            killed_for_memory = failures.out_of_memory_kills() > self._memory_kills
            self.failure = failures.death(
                how,
                PLACE,
                CELL,
                out_of_memory=killed_for_memory,
                limits=self.options.limits,
            )

    def _raised(self, said: dict[str, Any]) -> Failure:
        said = self._redactor.value(said)
        first = (str(said["evalue"]).strip().splitlines() or [""])[0][:300]
        line = f", line {said['line']}" if said["line"] else ""
        what = f"{said['ename']}: {first}" if first else said["ename"]
        kind, hint = failures.raised_kind(said["ename"], self.options.limits)
        return Failure(
            kind=kind,
            message=f"{self.path.name}{line}: {what}{hint}",
            cell=CELL,
            line=said["line"],
            ename=said["ename"],
            evalue=said["evalue"],
            traceback=tuple(said["traceback"].rstrip("\n").split("\n")),
            exit_code=1,
        )

    def _save(self, *, final: bool = False) -> None:
        self.notebook.cells[CELL]["outputs"] = as_nodes(self._outputs.as_list())
        self._writer.write(self.notebook, final=final)


def _first(audit: Audit | None) -> str:
    """Return what the module's process does before the module."""
    return audit.enforcing + audit.watching if audit is not None else ""


def _read_result(result: Path) -> dict[str, Any]:
    try:
        said = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    keys = {"ename", "evalue", "line", "traceback"}
    return said if isinstance(said, dict) and keys <= said.keys() else {}
