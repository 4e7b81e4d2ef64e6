"""One cell that the kernel works on, and what its answer means."""

from __future__ import annotations

import re
import time
from typing import Any

from sinara.kernels import failures
from sinara.kernels.failures import Ended
from sinara.kernels.nodes import as_nodes
from sinara.kernels.options import Limits
from sinara.kernels.outputs import CellOutputs
from sinara.kernels.wire import Message

IDLE_SECONDS = 4.0  # for output that is late, after the answer to a cell has come
SKIP_TAG = "skip-execution"  # as in nbclient
ERROR_TAG = "raises-exception"

Cell = Any  # nbformat's NotebookNode


class Request:
    """A cell from the moment it is sent until its last output has come."""

    def __init__(self, index: int, cell: Cell, outputs: CellOutputs, count: int) -> None:
        self.index = index
        self.cell = cell
        self.outputs = outputs
        self.count = count  # In [count]
        self.reply: dict[str, Any] | None = None
        self.idle = False
        self.started = time.monotonic()
        self.heard = self.started  # when its last message came
        cell["outputs"], cell["execution_count"] = [], None
        cell.metadata["execution"] = {}

    @property
    def may_fail(self) -> bool:
        """True if the notebook says that this cell may raise."""
        return ERROR_TAG in self.cell.metadata.get("tags", [])

    @property
    def done(self) -> bool:
        """True if nothing more is expected from the kernel."""
        return self.reply is not None and (self.idle or self.quiet > IDLE_SECONDS)

    @property
    def quiet(self) -> float:
        """Seconds since its last message."""
        return time.monotonic() - self.heard

    def take(self, channel: str, message: Message) -> None:
        """Take in one message that belongs to this cell."""
        self.heard = time.monotonic()
        stamps = self.cell.metadata["execution"]
        if message.kind == "execute_reply" and channel == "shell":
            self.reply = message.content
            stamps["shell.execute_reply"] = message.time
        if channel != "iopub":
            return
        count = message.content.get("execution_count")
        if isinstance(count, int):
            self.cell["execution_count"] = self.count = count
        if message.kind == "status":
            state = message.content.get("execution_state")
            stamps[f"iopub.status.{state}"] = message.time
            self.idle = self.idle or state == "idle"
        elif message.kind == "execute_input":
            stamps["iopub.execute_input"] = message.time
        else:
            self.outputs.take(message)

    def save_outputs(self) -> None:
        """Put what has come so far into the notebook."""
        self.cell["outputs"] = as_nodes(self.outputs.as_list())

    def judge(self, *, is_last: bool, limits: Limits) -> None:
        """Return if the next cell may run.

        ``exit()`` and ``sys.exit()`` in the last cell are its end. Before that they are a
        failure: what follows was to run, and would be missing without a word.

        Raises:
            Ended: If it may not.
        """
        reply = self.outputs.redact(self.reply or {})
        asks_exit = any(entry.get("source") == "ask_exit" for entry in reply.get("payload") or ())
        if reply.get("status") == "ok" and not asks_exit:
            return
        if reply.get("ename") == "StopExecution":
            raise Ended("stopped", cell_failed=False)
        if reply.get("ename") == "SystemExit" or asks_exit:
            code = _exit_code(reply.get("evalue"))
            if code or not is_last:
                raise Ended("failed", failures.early_exit(reply, self.index, self.count, code))
            return
        self.outputs.ensure_error(reply)
        if not self.may_fail:
            failure = failures.cell_failure(reply, self.index, self.count, limits)
            raise Ended("failed", failure)


def runs(cell: Cell) -> bool:
    """True if a kernel has something to do for this cell."""
    return bool(
        cell.cell_type == "code"
        and cell.source.strip()
        and SKIP_TAG not in cell.metadata.get("tags", [])
    )


def _exit_code(evalue: Any) -> int:
    """Return the exit code that ``SystemExit`` stands for, as the interpreter would."""
    text = str(evalue or "").strip()
    if text in {"", "None", "0", "False"}:
        return 0
    return int(text) if re.fullmatch(r"-?\d+", text) else 1
