"""Execute one notebook, or one Python module, and say truly what became of it.

Both go the same way: a process of its own under a guard, output kept within limits and
passed on as it comes, a notebook file that is whole at any moment, one status for every
cell. Whatever the notebook does, nothing is raised for it: it is in the answer.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sinara.kernels.launch import StartedKernel, start_ahead
from sinara.kernels.options import Executed, ExecuteEvent, ExecuteOptions, Limits
from sinara.kernels.signals import StopRequest, caught
from sinara.kernels.specs import KernelSpec, find_kernel

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "ExecuteEvent",
    "ExecuteOptions",
    "Executed",
    "KernelSpec",
    "Limits",
    "StartedKernel",
    "StopRequest",
    "end_kernels",
    "execute_module",
    "execute_notebook",
    "find_kernel",
    "start_ahead",
    "warm_up",
]


def warm_up(*, preload: Sequence[str] = (), expect: int | None = None) -> None:
    """Have the process that kernels are forked from begin its imports; nothing is waited for.

    Args:
        preload: Modules to import ahead, besides those of every kernel.
        expect: How many kernels will be asked for; ``None``: nobody knows.
    """
    if sys.platform == "linux":
        from sinara.kernels.pool import warm_up as begin

        begin(preload=preload, expect=expect)


def end_kernels() -> None:
    """End every kernel of this process, and the processes that are kept for the next ones.

    That happens at the end of the process anyway. Kernels can be started afterwards.
    """
    if os.name == "posix":
        from sinara.kernels.pool import end_all

        end_all()


def execute_notebook(
    nb: NotebookNode,
    output: Path,
    options: ExecuteOptions,
    *,
    kernel: StartedKernel | None = None,
) -> Executed:
    """Run a notebook through papermill's engine ``sinara``.

    Args:
        nb: An nbformat 4 notebook with its parameters filled in; it is not changed.
        output: Where the executed notebook is written, first at the start.
        options: Limits, folders, environment.
        kernel: A kernel from :func:`start_ahead`; it is used up in any case.

    Returns:
        What became of it. ``status`` is ``succeeded``, ``failed``, ``cancelled`` (a signal
        to this process) or ``stopped`` (the notebook raised ``StopExecution``).

    Raises:
        NotebookError: If its kernel is not installed; nothing was started then.
        OSError: If ``output`` cannot be written; the kernel is gone then, too.
    """
    began = time.monotonic()
    kernel = kernel or start_ahead(options, nb.metadata)
    try:
        with caught(options.stop) as signals:
            # Imported while the kernel boots.
            from papermill.engines import papermill_engines

            from sinara.kernels.job import Job
            from sinara.kernels.nodes import prepared_for_papermill
            from sinara.kernels.writer import AtomicWriter

            job = Job(options, AtomicWriter(output), kernel, signals)
            notebook = papermill_engines.execute_notebook_with_engine(
                "sinara",
                prepared_for_papermill(nb, str(output)),
                kernel.spec.name,
                progress_bar=False,
                job=job,
            )
    finally:
        kernel.close()
    seconds = time.monotonic() - began
    if options.on_event is not None:
        options.on_event(ExecuteEvent("end", seconds=seconds, status=job.status))
    return Executed(
        notebook=notebook,
        cells=job.cells,
        status=job.status,
        failure=job.failure,
        seconds=seconds,
        kernel_name=kernel.spec.name,
        warnings=tuple(job.warnings),
        processes_left=job.processes_left,
    )


def execute_module(
    path: Path, argv: Sequence[str], output: Path, options: ExecuteOptions
) -> Executed:
    """Run a Python file as a substep; see :mod:`sinara.kernels.modules`.

    Args:
        path: The ``.py`` file; it runs as ``__main__`` in ``options.cwd``.
        argv: Its arguments.
        output: Where a notebook with its source and what it printed is written.
        options: As for a notebook. ``cell_timeout`` and ``run_timeout`` both limit it.

    Returns:
        As :func:`execute_notebook`; the module is the notebook's only code cell.
    """
    from sinara.kernels.modules import run_module

    return run_module(path, argv, output, options)
