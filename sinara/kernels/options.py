"""What goes into an execution and what comes out of it: small frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sinara.audit.inside import Audit
from sinara.kernels.signals import StopRequest
from sinara.record import CellRecord, Failure, SubstepStatus

if TYPE_CHECKING:
    from nbformat import NotebookNode

EventKind = Literal["kernel", "cell_start", "stream", "cell_end", "end"]

START_TIMEOUT = 60.0
MAX_CELL_OUTPUT = 10_000_000
MAX_NOTEBOOK_OUTPUT = 50_000_000


@dataclass(frozen=True)
class ExecuteEvent:
    """Something that happened, as it happens."""

    kind: EventKind
    cell: int | None = None  # index in the notebook, from 0
    seconds: float = 0.0  # since the execution began; at "cell_end" how long the cell took
    stream: Literal["stdout", "stderr"] | None = None
    text: str = ""
    status: str | None = None


Aside = Callable[[str, float], bool]  # Session.aside: (code, seconds) -> whether it ended well


class Between(Protocol):
    """Work of the caller between the cells, in the kernel of the notebook."""

    def instead(self, index: int, aside: Aside) -> list[Any] | None:
        """Put back what a cell would set.

        Returns:
            Outputs to show for the cell, which then does not run; ``None`` if it is to run.

        Raises:
            Ended: If it cannot be put back: the notebook then ends here.
        """

    def after(self, index: int, aside: Aside, cells: Sequence[Any]) -> None:
        """Do what is to be done after a cell that ended well; ``cells`` hold their outputs."""


@dataclass(frozen=True)
class Limits:
    """What each process of a notebook may use; see :mod:`sinara.kernels.rlimits`.

    Attributes:
        memory: Bytes, on top of what the process holds when it is handed its work.
        cpu_seconds: Seconds of processor time, not of the clock on the wall.
    """

    memory: int | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class ExecuteOptions:
    """How to run one notebook or module.

    Attributes:
        runtime_folder: Where the kernel's private folder is made; removed with the kernel.
        cwd: Working directory of the notebook.
        env: The kernel's whole environment.
        kernel_name: Overrides what the notebook's metadata says.
        cell_timeout: Seconds for one cell, or ``None`` for no limit.
        run_timeout: Seconds for the whole notebook, its kernel's start included.
        start_timeout: Seconds until the kernel has to answer.
        limits: Memory and processor time of each process.
        max_cell_output: Bytes of output kept for one cell.
        max_notebook_output: Bytes of output kept for all cells together.
        redact: Secret values, replaced by ``****`` wherever they are printed.
        strict_shell: Whether ``!command`` fails the cell when the command fails.
        warm: Whether to use a kernel that was prepared ahead, where one can be.
        preload: Further modules to import ahead in the process that kernels are forked from.
        failure_file: Where the variables of a failed cell are written, as JSON; if anywhere.
        audit: How the files that it touches are watched, and what is refused; ``None``: not.
        on_event: Called, in the thread that executes, for everything that happens.
        between: Does something before and after each cell that has something to run.
        stop: Stands for the signals to this process, for work in threads.
    """

    runtime_folder: Path
    cwd: Path
    env: Mapping[str, str]
    kernel_name: str | None = None
    cell_timeout: float | None = None
    run_timeout: float | None = None
    start_timeout: float = START_TIMEOUT
    limits: Limits = field(default_factory=Limits)
    max_cell_output: int = MAX_CELL_OUTPUT
    max_notebook_output: int = MAX_NOTEBOOK_OUTPUT
    redact: tuple[str, ...] = field(default=(), repr=False)
    strict_shell: bool = False
    warm: bool = True
    preload: tuple[str, ...] = ()
    failure_file: Path | None = None
    audit: Audit | None = None
    on_event: Callable[[ExecuteEvent], None] | None = None
    between: Between | None = None
    stop: StopRequest | None = None


def cell_metadata(status: str, cause: str | None, seconds: float) -> dict[str, Any]:
    """Return what a cell's metadata says under ``sinara``."""
    return {"status": status, "cause": cause, "seconds": round(seconds, 6)}


@dataclass(frozen=True)
class Executed:
    """What became of one notebook or module."""

    notebook: NotebookNode
    cells: tuple[CellRecord, ...]
    status: SubstepStatus  # "succeeded", "failed", "cancelled" or "stopped"
    failure: Failure | None = None
    seconds: float = 0.0
    kernel_name: str | None = None
    warnings: tuple[str, ...] = ()
    processes_left: bool = False  # whether something that it started could not be ended
