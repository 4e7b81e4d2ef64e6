"""The engine that papermill calls: one kernel of ours for each notebook."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import Engine
from papermill.log import logger

from sinara.kernels.job import Job
from sinara.kernels.manager import TrueManager, writer_for
from sinara.kernels.options import ExecuteEvent, ExecuteOptions
from sinara.kernels.specs import NATIVE


class SinaraEngine(Engine):  # type: ignore[misc]  # papermill has no types
    """Runs a notebook with true statuses, limits and an end, for papermill or for us.

    ``papermill --engine sinara`` takes papermill's own options. A dead kernel raises
    nbclient's ``DeadKernelError``, a time limit its ``CellTimeoutError``, as with
    papermill's engine.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str | None,
        output_path: str | None = None,
        progress_bar: Any = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        job: Job | None = None,
        **kwargs: Any,
    ) -> Any:
        """Execute ``nb`` in place and return it; see papermill's ``Engine``.

        ``job`` has the options of a call from :mod:`sinara.execute`, and gets its answer.
        """
        manager = TrueManager(
            nb,
            job.writer if job else writer_for(output_path),
            progress_bar=progress_bar,
            log_output=log_output,
            autosave_cell_every=autosave_cell_every,
        )
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(
                manager, kernel_name, log_output=log_output, job=job, **kwargs
            )
        finally:
            manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: TrueManager, kernel_name: str | None, job: Job | None = None, **kwargs: Any
    ) -> None:
        """Run the cells; for papermill, raise what its own engine would raise."""
        if job is not None:
            job.execute(nb_man)
            return
        with tempfile.TemporaryDirectory(prefix="sinara-", ignore_cleanup_errors=True) as folder:
            job = Job(_papermill_options(kernel_name, Path(folder), **kwargs), nb_man.writer)
            job.execute(nb_man)
        for warning in job.warnings:
            logger.warning(warning)
        _raise_for(job)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Return the kernel to use; a notebook that names none gets ``python3``."""
        return name or nb.metadata.get("kernelspec", {}).get("name") or NATIVE


def _papermill_options(
    kernel_name: str | None,
    folder: Path,
    *,
    start_timeout: float = 60,
    execution_timeout: float | None = None,
    log_output: bool = False,
    stdout_file: Any = None,
    stderr_file: Any = None,
    **kwargs: Any,
) -> ExecuteOptions:
    files = {"stdout": stdout_file, "stderr": stderr_file}

    def on_event(event: ExecuteEvent) -> None:
        if event.kind != "stream" or event.stream is None:
            return
        if log_output:
            (logger.info if event.stream == "stdout" else logger.warning)(event.text)
        if files[event.stream]:
            files[event.stream].write(event.text)
            files[event.stream].flush()

    return ExecuteOptions(
        runtime_folder=folder,
        cwd=Path.cwd(),
        env=dict(os.environ),
        kernel_name=kernel_name,
        start_timeout=start_timeout,
        cell_timeout=execution_timeout or kwargs.get("timeout"),
        on_event=on_event,
    )


def _raise_for(job: Job) -> None:
    """Raise for what papermill does not see in the outputs."""
    failure = job.failure
    if failure is None or failure.kind in {"cell", "early exit"}:
        return
    if failure.kind in {"kernel died", "memory", "cpu limit"}:
        raise DeadKernelError(failure.message)
    if failure.kind == "timeout":
        raise CellTimeoutError(failure.message)
    if failure.signal not in {None, signal.SIGINT}:
        sys.exit(128 + int(failure.signal or 0))
    raise KeyboardInterrupt(failure.message)
