"""A console on a failed substep: a process of the kernel's own Python, in the step's folder."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinara.debug.failed import FailedSubstep
from sinara.debug.restore import Restored
from sinara.errors import UsageError
from sinara.postmortem.lines import lines
from sinara.runner.signals import as_errors

SHELL = Path(__file__).with_name("shell.py")
_TRACEBACK_LINES = 20
_VARIABLES = 8  # of a frame
_LEAVE_SECONDS = 5.0


def open_console(restored: Restored, *, replay: bool = True) -> int:
    """Open a console on a failed substep, on this process's own terminal or pipes.

    The cells above the failed one are run first. The failed cell is the next input, so that
    Enter runs it; ``%failed`` stands for it, too. Without a terminal what stands on the
    standard input is run as one cell.

    Args:
        restored: The substep.
        replay: Whether to run the cells above.

    Returns:
        The exit code: 0; without a terminal 1 if the input, or the replay, raised.

    Raises:
        UsageError: If the kernel is started by something else than Python.
        InterruptedRunError: If a signal other than Ctrl-C ends the session.
    """
    python = _python(restored)
    job = restored.scratch / "console.json"
    job.write_text(json.dumps(_job(restored, replay)), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    with as_errors(), _ctrl_c_left_to_the_console():
        process = subprocess.Popen(
            [python, "-P", str(SHELL), str(job)], cwd=restored.failed.folder, env=restored.env
        )
        try:
            code = process.wait()
        finally:
            _end(process)
    return code if code >= 0 else 128 - code


def _python(restored: Restored) -> str:
    program = restored.kernel.command(Path("connection.json"))[0]
    if Path(program).name.startswith("python"):
        return program
    raise UsageError(
        f"Kernel '{restored.kernel.name}' is started by {program}, not by Python: "
        "there is no console for it. Use --lab."
    )


def _job(restored: Restored, replay: bool) -> dict[str, Any]:
    """Return what the console has to know, as JSON can hold it."""
    failed = restored.failed
    return {
        "title": _title(failed),
        "told": list(restored.told),
        "cells": [*_cells_above(failed)] if replay else [],
        "failed": _failed_source(restored),
        "traceback": _traceback(failed),
        "variables": list(lines(failed.kept, most=_VARIABLES)) if failed.kept else [],
    }


def _title(failed: FailedSubstep) -> str:
    what = f"{failed.record.step_name} / {failed.substep.name}"
    failure = failed.substep.failure
    return f"{what} of {failed.record.run_id}: {failure.message if failure else 'all cells ran'}"


def _cells_above(failed: FailedSubstep) -> Iterator[dict[str, Any]]:
    """Yield the cells that ran before the failed one; of a module there are none."""
    if not failed.is_notebook:
        return
    for index, cell in enumerate(failed.notebook["cells"][: failed.failed]):
        tags = (cell.get("metadata") or {}).get("tags") or []
        source = failed.source(index)
        if cell["cell_type"] == "code" and source.strip() and "skip-execution" not in tags:
            yield {"index": index, "source": source, "may_fail": "raises-exception" in tags}


def _failed_source(restored: Restored) -> str:
    failed = restored.failed
    if failed.is_notebook:
        return "" if failed.failed is None else failed.source(failed.failed)
    context = restored.context
    params = {
        "pipeline_params": context.pipeline_params,
        "step_params": context.step_params,
        "substep_params": context.substep_params,
    }
    return f"%run -G {shlex.quote(failed.substep.name)} --params {shlex.quote(json.dumps(params))}"


def _traceback(failed: FailedSubstep) -> list[str]:
    failure = failed.substep.failure
    whole = [line for part in failure.traceback for line in part.splitlines()] if failure else []
    cut = [f"… {len(whole) - _TRACEBACK_LINES:,} lines"] if len(whole) > _TRACEBACK_LINES else []
    return [*cut, *whole[-_TRACEBACK_LINES:]]


@contextlib.contextmanager
def _ctrl_c_left_to_the_console() -> Iterator[None]:
    """Ignore SIGINT here: the terminal sends it to the console as well, which knows what to do.

    By a handler that does nothing, since a process inherits that a signal is ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
