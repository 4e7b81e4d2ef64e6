"""Start a process and see to its end: what only POSIX can do, behind one seam.

``start`` gives a :class:`Process`: :class:`~sinara.kernels.guarded.GuardedProcess` on
POSIX, and elsewhere :class:`~sinara.kernels.plain.PlainProcess`, which can start, signal
and kill one process, but answers for nothing that the process starts itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sinara.kernels.exits import Exit
from sinara.kernels.options import Limits

IS_POSIX = os.name == "posix"
NO_LIMITS = Limits()


class Process(Protocol):
    """A started process, as the rest of the package sees it."""

    pid: int
    place: Mapping[str, str] | None  # the "folder" of a kernel that was prepared ahead
    told: str  # why it was not started warm
    stopped: tuple[int, float] | None  # the signal that stopped it, and time.monotonic() then

    @property
    def refused(self) -> Mapping[str, str]:
        """Modules that were not imported ahead, and why."""

    @property
    def is_warm(self) -> bool:
        """Whether it is, or will be, a kernel that was prepared ahead."""

    def fileno(self) -> int | None:
        """A descriptor that is readable when there is news, if there is one."""

    def poll(self) -> Exit | None:
        """How it ended, or ``None`` while it runs; never waits."""

    def send_signal(self, number: int) -> None:
        """Send a signal to the process and its group."""

    def set_deadline(self, seconds: float | None) -> None:
        """Have it killed from outside in so many seconds, unless told otherwise before."""

    def kill(self) -> None:
        """Kill it and all that it started; does not wait."""

    def wait(self, seconds: float) -> Exit | None:
        """Wait for its end, but no longer than this."""

    def close(self) -> bool:
        """Kill what is left and forget it; True if nothing is left."""


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    folders: Sequence[Path] = (),
    stdio: tuple[int, int] | None = None,
    limits: Limits = NO_LIMITS,
) -> Process:
    """Start ``argv`` under a guard, or plainly where there can be none.

    Args:
        argv: The program and its arguments.
        env: The whole environment; nothing is added but the mark of this process.
        cwd: The working directory.
        folders: Private folders that are removed when all is over, also if we are dead by then.
        stdio: Descriptors for stdout and stderr; without them a tail is kept for ``Exit.log``.
        limits: Memory and processor time that it may use.

    Returns:
        The process; one that could not be started has ended, and ``Exit.log`` says why.
    """
    if IS_POSIX:
        from sinara.kernels.guarded import GuardedProcess
        from sinara.kernels.order import Order
        from sinara.kernels.pool import any_pool

        order = Order(
            list(argv),
            dict(env),
            str(cwd),
            [str(folder) for folder in folders],
            current_umask(),
            limits.memory,
            limits.cpu_seconds,
        )
        return GuardedProcess(lambda _: order, supervisor=any_pool(), stdio=stdio or ())
    from sinara.kernels.plain import PlainProcess

    return PlainProcess(argv, env=env, cwd=cwd, folders=folders, stdio=stdio)


def current_umask() -> int | None:
    """Return the umask of this process; ``None`` where it cannot be read without changing it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"^Umask:\s*([0-7]+)$", status, re.MULTILINE)
    return int(found[1], 8) if found else None
