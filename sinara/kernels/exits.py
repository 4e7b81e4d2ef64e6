"""How a process ended."""

from __future__ import annotations

import signal
from dataclasses import dataclass

NEVER_STARTED = "never started"  # as the cause of an end


@dataclass(frozen=True)
class Exit:
    """How a process ended."""

    code: int | None = None
    signal: int | None = None
    peak_memory: int | None = None  # bytes
    killed_by: str | None = None  # "the watchdog", "the driver", ... or nobody that we know
    log: str = ""  # tail of what it wrote to its own stdout and stderr
    cpu_seconds: float | None = None  # processor time of it and of what it waited for

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
