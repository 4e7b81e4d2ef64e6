"""The console itself: started by its own path in the kernel's Python.

``python -P shell.py JOB``: JOB is the JSON that :mod:`sinara.debug.console` writes. Only the
standard library and IPython are imported, so that any Python that can run the notebook can
run this.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

_FAILED = "%failed"


def main() -> int:
    """Show what is known, replay the cells above, then hand over. Return the exit code."""
    _end_with_parent()
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.argv = [""]
    _add_working_folder()
    at_terminal = sys.stdin.isatty()
    shell = _shell(job["failed"], at_terminal=at_terminal)
    _say(job["title"], *job["told"])
    problem = _replay(shell, job["cells"])
    if at_terminal:
        _say(*_kept(job))
        _interact(shell, problem or job["failed"])
        return 0
    return 1 if problem else _run_input(shell)


def _shell(failed: str, *, at_terminal: bool) -> Any:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.TerminalInteractiveShell.term_title = False
    config.TerminalInteractiveShell.confirm_exit = False
    if not at_terminal:
        config.TerminalInteractiveShell.simple_prompt = True
        config.TerminalInteractiveShell.colors = "NoColor"
        config.TerminalInteractiveShell.xmode = "Context"
    shell = TerminalInteractiveShell.instance(config=config)

    def put_in(lines: list[str]) -> list[str]:
        """Put the failed cell in place of ``%failed``."""
        if [line for line in lines if line.strip() == _FAILED] and failed:
            whole = "".join(failed + "\n" if line.strip() == _FAILED else line for line in lines)
            return whole.splitlines(keepends=True)
        return lines

    shell.input_transformer_manager.cleanup_transforms.insert(0, put_in)
    return shell


def _replay(shell: Any, cells: list[dict[str, Any]]) -> str:
    """Run the cells; return the source of the one that raised or was stopped, if any was."""
    for number, cell in enumerate(cells, start=1):
        first = cell["source"].strip().partition("\n")[0][:60]
        _say(f"replay {number}/{len(cells)}  cell {cell['index'] + 1}: {first}", end="")
        began = time.monotonic()
        error = _run_quietly(shell, cell["source"])
        _say(f"  {time.monotonic() - began:.1f} s")
        if isinstance(error, KeyboardInterrupt):
            _say("The replay was stopped here: this cell and those below it are missing.")
            return str(cell["source"])
        if error is not None and not cell["may_fail"]:
            shell.showtraceback((type(error), error, error.__traceback__))
            _say(f"Cell {cell['index'] + 1} did not raise in the run. The replay ends here.")
            return str(cell["source"])
    return ""


def _run_quietly(shell: Any, source: str) -> BaseException | None:
    """Run a cell without what it prints, which the run's report has; return what it raised."""
    pressed: list[KeyboardInterrupt] = []

    def note(number: int, frame: Any) -> None:
        del number, frame
        pressed.append(KeyboardInterrupt())
        raise pressed[-1]

    before = signal.signal(signal.SIGINT, note)
    try:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            error = _error(shell.run_cell(source, store_history=True))
    except KeyboardInterrupt as stopped:  # between two cells, in IPython's own code
        return stopped
    finally:
        signal.signal(signal.SIGINT, before)
    # An import, or a library's bare except, may have swallowed it: then it counts now.
    return pressed[-1] if pressed else error


def _error(result: Any) -> BaseException | None:
    error: BaseException | None = result.error_before_exec or result.error_in_exec
    return error


def _kept(job: dict[str, Any]) -> list[str]:
    """Return the lines about the failure."""
    traceback = ["", "Traceback of the run:", *job["traceback"]] if job["traceback"] else []
    variables = ["", "Variables at the failure:", *job["variables"]] if job["variables"] else []
    enter = (
        f"Enter runs the failed cell, Ctrl-C clears it, {_FAILED} runs it later. "
        "Ctrl-D ends the session."
    )
    return [*traceback, *variables, "", enter if job["failed"] else "Ctrl-D ends the session."]


def _interact(shell: Any, source: str) -> None:
    """Hand the terminal over, with ``source`` as the next input."""
    if source:
        shell.set_next_input(source)
    shell.mainloop()


def _run_input(shell: Any) -> int:
    """Run all of the standard input as one cell, as ``python -`` would."""
    shown = getattr(sys, "last_value", None)
    error = _error(shell.run_cell(sys.stdin.read(), store_history=True))
    sys.stdout.flush()
    # %run shows what a module raised, and raises nothing itself.
    return 1 if error is not None or getattr(sys, "last_value", None) is not shown else 0


def _say(*lines: str, end: str = "\n") -> None:
    for line in lines:
        sys.stderr.write(line + end)
    sys.stderr.flush()


def _add_working_folder() -> None:
    """Let modules of the working folder be imported, in the place that a kernel gives them.

    Source:
        IPython 9, ``InteractiveShellApp.init_path``: after the standard library.
    """
    ends = [Path(path).name in {"site-packages", "dist-packages"} for path in sys.path]
    sys.path.insert(ends.index(True) if True in ends else 0, "")


def _end_with_parent() -> None:
    """Let the system end this process when the one that started it is killed (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGHUP)  # PR_SET_PDEATHSIG, prctl(2)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before the first cell
        sys.exit(130)
