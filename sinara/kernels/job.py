"""One notebook and what became of it, between our API and papermill's engine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from sinara.kernels.client import Client
from sinara.kernels.failures import Ended
from sinara.kernels.launch import StartedKernel, start_ahead
from sinara.kernels.manager import TrueManager, Writer
from sinara.kernels.options import ExecuteOptions
from sinara.kernels.session import Session
from sinara.kernels.signals import Caught, caught
from sinara.record import CellRecord, CellStatus, Failure, SubstepStatus

MESSAGE_SHARE = 4  # a message may be this many times a cell's output limit; JSON escapes


@dataclass
class Job:
    """A notebook to execute; its last five fields are the answer."""

    options: ExecuteOptions
    writer: Writer
    kernel: StartedKernel | None = None  # one that was started ahead
    signals: Caught | None = None  # where they are caught already
    status: SubstepStatus = "running"
    failure: Failure | None = None
    cells: tuple[CellRecord, ...] = ()
    warnings: list[str] = field(default_factory=list)
    processes_left: bool = False

    def execute(self, manager: TrueManager) -> None:
        """Run the manager's notebook in a kernel of its own, which is gone on return."""
        with ExitStack() as stack:
            signals = self.signals or stack.enter_context(caught())
            kernel = self.kernel or start_ahead(self.options, manager.nb.metadata)
            stack.callback(self._end, kernel)
            limit = MESSAGE_SHARE * self.options.max_cell_output + 1_000_000
            client = Client(kernel, limit=limit, wake=signals.wake)
            stack.callback(client.close)
            session = Session(manager.nb.cells, client, self.options, manager, signals)
            self._run(session)
            session.watch.shut_down()
            self.warnings += kernel.warnings()
        self._conclude(manager.nb, session)

    def _end(self, kernel: StartedKernel) -> None:
        if not kernel.close():
            self.processes_left = True
            self.warnings.append("Some processes of the notebook could not be ended.")

    def _run(self, session: Session) -> None:
        try:
            session.run()
            self.status = "succeeded"
        except Ended as ended:
            self.status, self.failure = ended.status, ended.failure

    def _conclude(self, nb: Any, session: Session) -> None:
        """Write the status of every code cell into the notebook."""
        if session.language_info:
            nb.metadata["language_info"] = session.language_info
        if self.failure is not None:
            nb.metadata["papermill"]["exception"] = True
        records = []
        for index, cell in enumerate(nb.cells):
            if cell.cell_type != "code":
                continue
            status, seconds = session.statuses.get(index, ("not run", 0.0))
            if not cell.source.strip() and index <= session.reached:
                status = "done"
            failed = self.failure is not None and self.failure.cell == index
            cause = self.failure.message if failed and self.failure else None
            cell.metadata["sinara"] = {
                "status": status,
                "cause": cause,
                "seconds": round(seconds, 6),
            }
            tags = tuple(cell.metadata.get("tags", ()))
            records.append(CellRecord(index, cast("CellStatus", status), seconds, tags))
        self.cells = tuple(records)
