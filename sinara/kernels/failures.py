"""Say in one line why a notebook or module did not reach its end."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

from sinara.kernels.exits import NEVER_STARTED, Exit, signal_name
from sinara.kernels.options import Limits
from sinara.kernels.outputs import megabytes
from sinara.record import Failure, SubstepStatus
from sinara.settings.amounts import bytes_text

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CELL_LINE = re.compile(r"Cell In ?\[(\d+)\](?:, line |\s*\n[^\n]*?-+> ?)(\d+)")
_NO_INPUT = "StdinNotImplementedError"
_NO_LIMITS = Limits()
_NEAR = 0.9  # of a memory limit: a process that was killed there has used it up


class Ended(Exception):  # no error, but the way out of the cells
    """The run is over before its last cell."""

    def __init__(
        self, status: SubstepStatus, failure: Failure | None = None, *, cell_failed: bool = True
    ) -> None:
        super().__init__(status, failure)
        self.status = status
        self.failure = failure
        self.cell_failed = cell_failed


def cell_failure(
    content: dict[str, Any], index: int, count: int | None, limits: Limits = _NO_LIMITS
) -> Failure:
    """Return why a cell failed, from the ``execute_reply`` of the kernel."""
    ename = str(content.get("ename") or "Error")
    evalue = str(content.get("evalue") or "")
    traceback = tuple(plain("\n".join(map(str, content.get("traceback") or ()))).split("\n"))
    line = cell_line(traceback, count)
    said = (evalue.strip().splitlines() or [""])[0][:300]
    what = f"{ename}: {said}" if said else ename
    kind, hint = raised_kind(ename, limits)
    if ename == _NO_INPUT:
        what = "it asks for input, and nobody is there; take out input(), getpass(), the debugger"
    return Failure(
        kind=kind,
        message=f"{place(count, line)}: {what}{hint}",
        cell=index,
        line=line,
        ename=ename,
        evalue=evalue,
        traceback=traceback,
    )


def early_exit(content: dict[str, Any], index: int, count: int | None, code: int) -> Failure:
    """Return the failure of a cell that ended the notebook although cells follow."""
    base = cell_failure(content, index, count)
    how = f"sys.exit({code})" if code else "exit()"
    return Failure(
        kind="early exit",
        message=(
            f"{place(count, base.line)}: the notebook ends itself here by {how}, before its last "
            "cell. Take it out, or put what follows under a condition."
        ),
        cell=index,
        line=base.line,
        ename="SystemExit",
        evalue=base.evalue,
        traceback=base.traceback if content.get("traceback") else (),
        exit_code=code,
    )


def raised_kind(ename: str, limits: Limits) -> tuple[str, str]:
    """Return the kind of failure that an exception is, and whose limit is to be named.

    NumPy's ``_ArrayMemoryError`` and Arrow's ``ArrowMemoryError`` are ``MemoryError``, too.
    """
    if limits.memory is None or not ename.endswith("MemoryError"):
        return "cell", ""
    return "memory", f" (the memory limit is {bytes_text(limits.memory)}, setting memory)"


def death(
    how: Exit,
    where: str,
    index: int | None,
    *,
    out_of_memory: bool = False,
    limits: Limits = _NO_LIMITS,
) -> Failure:
    """Return the failure of a kernel or module whose process ended by itself or was killed.

    Args:
        how: How it ended.
        where: Where it was, for people.
        index: Index of the cell in the notebook, from 0.
        out_of_memory: Whether the system killed something of ours for its memory meanwhile.
        limits: What the process was allowed.
    """
    memory = f"; peak memory {megabytes(how.peak_memory)}" if how.peak_memory else ""
    kind, cause = _cause_of_death(how, out_of_memory, limits)
    return Failure(
        kind=kind,
        message=f"The process died {where}: {cause}{memory}.",
        cell=index,
        signal=how.signal,
        exit_code=how.code,
        peak_memory=how.peak_memory,
    )


def _cause_of_death(how: Exit, out_of_memory: bool, limits: Limits) -> tuple[str, str]:
    """Return the kind of failure and, in words, the cause."""
    if limits.cpu_seconds is not None and _is_cpu_limit(how, limits.cpu_seconds):
        return "cpu limit", f"it used its CPU limit of {limits.cpu_seconds:g} s"
    if out_of_memory:
        if limits.memory is None or (how.peak_memory or limits.memory) < _NEAR * limits.memory:
            return "kernel died", "the system killed it, out of memory"
        return "memory", f"it used its memory limit of {bytes_text(limits.memory)}"
    if how.signal == signal.SIGKILL and how.killed_by:
        return "kernel died", f"killed, because of {how.killed_by}"
    if how.signal is not None:
        cause = f"killed by {how.text}"
        if limits.memory is not None and how.signal in (signal.SIGABRT, signal.SIGSEGV):
            cause += f", under a memory limit of {bytes_text(limits.memory)}"  # native code, maybe
        return "kernel died", cause
    if how.code is not None:
        return "kernel died", f"it ended itself with {how.text}"
    return "kernel died", how.killed_by or how.text


def _is_cpu_limit(how: Exit, seconds: float) -> bool:
    """Return whether a process ended by its limit: SIGXCPU, and SIGKILL for one that ignores it."""
    if how.signal == getattr(signal, "SIGXCPU", None):
        return how.signal is not None
    used_up = how.cpu_seconds is not None and how.cpu_seconds >= seconds
    return how.signal == signal.SIGKILL and how.killed_by is None and used_up


def start_failure(how: Exit, name: str, log: str) -> Failure:
    """Return the failure of a kernel that never answered; ``log`` is what it printed."""
    said = [line.strip() for line in plain(log).splitlines() if line.strip()]
    last = f": {said[-1][:300]}" if said else ""
    verb = (
        "could not be started"
        if how.killed_by == NEVER_STARTED
        else f"died while it started ({how.text})"
    )
    return Failure(
        kind="kernel died",
        message=f"Kernel '{name}' {verb}{last}",
        traceback=tuple(said[-40:]),
        signal=how.signal,
        exit_code=how.code,
        peak_memory=how.peak_memory,
    )


def timeout(name: str, seconds: float, where: str, index: int | None, how: Exit | None) -> Failure:
    """Return the failure of what took longer than ``name``, a limit of so many seconds."""
    killed = how is not None
    end = "it did not stop when asked to and was killed" if killed else "it was interrupted"
    return Failure(
        kind="timeout",
        message=f"{name} of {seconds:g} s is over {where}; {end}.",
        cell=index,
        signal=how.signal if how else None,
        exit_code=how.code if how else None,
        peak_memory=how.peak_memory if how else None,
    )


def stopped(number: int, where: str, index: int | None, how: Exit) -> Failure:
    """Return the failure of a kernel that somebody stopped, and nobody let go on."""
    return Failure(
        kind="kernel died",
        message=(
            f"The kernel stopped answering {where}: its process was stopped by "
            f"{signal_name(number)}, did not go on, and was killed."
        ),
        cell=index,
        signal=number,
        peak_memory=how.peak_memory,
    )


def no_answer(where: str, index: int, seconds: float) -> Failure:
    """Return the failure of a kernel that ended a cell but never says how."""
    message = f"The kernel stopped answering {where}: the cell ended {seconds:g} s ago."
    return Failure(kind="kernel died", message=message, cell=index)


def not_enforced(language: str) -> Failure:
    """Return the failure of a kernel in which the rules of ``strict_files`` cannot be in force."""
    why = "Landlock refused" if language == "python" else f"its language is {language}"
    message = f"No cell ran: strict_files could not be put in force in the kernel ({why})."
    return Failure(kind="error", message=message)


def interrupted(number: int, where: str, index: int | None) -> Failure:
    """Return the failure of a run that a signal to the driver ended."""
    message = f"Stopped by {signal_name(number)} {where}."
    return Failure(kind="interrupted", message=message, cell=index, signal=number)


def place(count: int | None, line: int | None = None) -> str:
    """Return how people know a cell: ``Cell In [3], line 2``."""
    cell = f"Cell In [{count}]" if count else "A cell"
    return f"{cell}, line {line}" if line else cell


def cell_line(traceback: tuple[str, ...], count: int | None) -> int | None:
    """Return the line of cell ``In [count]`` at which an IPython traceback starts."""
    for found in _CELL_LINE.finditer("\n".join(traceback)):
        if count is None or int(found[1]) == count:
            return int(found[2])
    return None


def plain(text: str) -> str:
    """Return ``text`` without ANSI escapes."""
    return _ANSI.sub("", text)


def out_of_memory_kills() -> int:
    """Return how often the system killed something in our control group for its memory.

    Source:
        ``oom_kill`` of ``memory.events``, cgroup v2: Linux, admin-guide/cgroup-v2.rst.
    """
    try:
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").rpartition("::")[2].strip()
        events = Path(f"/sys/fs/cgroup{group}/memory.events").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", events, re.MULTILINE)
    return int(found[1]) if found else 0
