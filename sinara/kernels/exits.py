"""How a process ended."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

NEVER_STARTED = "never started"  # as the cause of an end
LOG_TAIL = 16_000  # bytes of a process's own stdout and stderr that are kept


@dataclass(frozen=True)
class Exit:
    """How a process ended."""

    code: int | None = None
    signal: int | None = None
    peak_memory: int | None = None  # bytes
    killed_by: str | None = None  # "the watchdog", "the driver", ... or nobody that we know
    log: str = ""  # tail of what it wrote to its own stdout and stderr
    cpu_seconds: float | None = None  # processor time of it and of what it waited for
    out_of_memory: bool = False  # the system killed it, or what it started, for its own limit

    @property
    def text(self) -> str:
        """What to tell a person, without a verb: ``SIGKILL``, ``exit code 3``."""
        if self.signal is not None:
            return signal_name(self.signal)
        return "an unknown cause" if self.code is None else f"exit code {self.code}"


def signal_name(number: int) -> str:
    """Return ``SIGKILL`` for 9, and ``signal 99`` for a number without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def tail(file: Path) -> str:
    """Return the end of a log file, or nothing if it cannot be read."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - LOG_TAIL))
            return log.read().decode("utf-8", "replace")
    except OSError:
        return ""
