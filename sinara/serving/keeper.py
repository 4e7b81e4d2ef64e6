"""A process that starts one other and answers for it.

``python -m sinara.serving.keeper FOLDER… -- ARGV…``: its standard input is its lifeline. When that
ends, because whoever started it closed it or died in whatever way, the other process and all that
it started are ended, too, and the folders are removed. A file ``log`` in the first of them, which
the other process appends to, is kept short.

Standard library only, and little of it: it starts before each server does.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time

from sinara.kernels import posix

GRACE = 5.0  # seconds between the polite signal and the other one
LONGEST_LOG = 16 << 20  # bytes: a service may run for a year
_KEPT_LOG = 64 << 10
_LOOK = 1.0  # seconds between two looks at it


def keep(folders: list[str], argv: list[str]) -> int:
    """Run a command until it ends, or until standard input does; return its exit code."""
    starter = os.getppid()
    posix.prctl(posix.PR_SET_CHILD_SUBREAPER, 1)
    wake = posix.hand_over_signals()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        while child.poll() is None:
            ready, _, _ = select.select([sys.stdin.fileno(), wake], [], [], _LOOK)
            shorten(os.path.join(folders[0], "log"))  # noqa: PTH118 - pathlib is slow to import
            if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 4096):
                break
            if os.getppid() != starter:  # it died, and a fork of it holds the lifeline
                break
            if wake in ready and set(os.read(wake, 4096)) & set(posix.ENDING):
                break
    finally:
        end(child)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def end(child: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; those that left its session have become ours."""
    posix.signal_group(child.pid, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and (child.poll() is None or posix.descendants(os.getpid())):
        _reap(child.pid)
        time.sleep(0.02)
    until = time.monotonic() + GRACE
    while time.monotonic() < until and (left := posix.descendants(os.getpid())):
        for pid in left:
            posix.send_signal(pid, signal.SIGKILL)
        child.poll()
        _reap(child.pid)
        time.sleep(0.02)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE)


def shorten(log: str) -> None:
    """Keep the last bytes of a file that has become too long; whoever appends goes on with it."""
    with contextlib.suppress(OSError):
        if os.stat(log).st_size <= LONGEST_LOG:  # noqa: PTH116
            return
        with open(log, "r+b") as file:  # noqa: PTH123
            file.seek(-_KEPT_LOG, os.SEEK_END)
            last = file.read()
            file.truncate(0)
        with open(log, "ab") as file:  # noqa: PTH123
            file.write(last)


def _reap(but: int) -> None:
    """Take note of the end of orphans, which are this process's since it is their subreaper."""
    for pid in posix.children(os.getpid()):
        if pid != but:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


if __name__ == "__main__":
    _split = sys.argv.index("--")
    sys.exit(keep(sys.argv[1:_split], sys.argv[_split + 1 :]))
