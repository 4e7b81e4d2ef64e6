"""What the supervisor, its guards and their kernels ask of the operating system.

Standard library only: the supervisor imports this before anything else.
"""

from __future__ import annotations

import array
import contextlib
import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterable
from typing import Any

HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}  # somebody wants this process to end
PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
IS_LINUX = sys.platform == "linux"

_libc: Any = None


def prctl(option: int, value: int | bytes) -> None:
    """Call ``prctl(2)`` where there is one."""
    global _libc
    if not IS_LINUX:
        return
    if _libc is None:
        import ctypes

        _libc = ctypes.CDLL(None, use_errno=True)
    _libc.prctl(option, value, 0, 0, 0)


def receive(channel: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """Return what has come, with the file descriptors that came along; both empty at the end.

    Raises:
        BlockingIOError: With ``MSG_DONTWAIT``, if nothing has come.
    """
    room = socket.CMSG_SPACE(16 * array.array("i").itemsize)
    flags |= getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    try:
        data, extra, _, _ = channel.recvmsg(1 << 16, room, flags)
    except (BlockingIOError, TimeoutError):
        raise
    except OSError:
        return b"", []
    handed = array.array("i")
    for level, kind, content in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            handed.frombytes(content[: len(content) - len(content) % handed.itemsize])
    return data, list(handed)


def set_name(name: str) -> None:
    """Set the name by which ``ps`` and ``top`` show this process; 15 characters at most."""
    prctl(PR_SET_NAME, name.encode()[:15])


def fork() -> int:
    """Fork this process, which is known to be fit for it.

    The threads that are left belong to the libraries named in
    :data:`sinara.kernels.preload.FORK_SAFE_THREADS`; Python warns of any thread.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def hand_over_signals() -> int:
    """Let signals arrive on a pipe only; return its reading end."""
    wake, wake_write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in HANDLED:
        signal.signal(number, _ignore)
    return wake


def _ignore(number: int, frame: Any) -> None:
    """Let the signal arrive on the wake-up pipe only."""


def become_child(parent: int, out: int, err: int, *, keep: Iterable[int]) -> None:
    """Make this fork a process of its own, that dies with ``parent``.

    Args:
        parent: The process id of whoever forked it.
        out: The file descriptor that becomes 1.
        err: The file descriptor that becomes 2.
        keep: Further descriptors to keep open; all others are closed.
    """
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 1)
    if os.getppid() != parent:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (*HANDLED, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    out, err = os.dup(out), os.dup(err)  # dup2 below must not close what it copies
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    close_all_but((0, 1, 2, *keep))


def close_all_but(keep: Iterable[int]) -> None:
    """Close every file descriptor that is not in ``keep``."""
    kept = set(keep)
    for fd in open_descriptors():
        if fd not in kept:
            with contextlib.suppress(OSError):
                os.close(fd)


def open_descriptors() -> list[int]:
    """Return the file descriptors of this process."""
    folder = "/proc/self/fd" if IS_LINUX else "/dev/fd"
    try:
        return sorted(int(name) for name in os.listdir(folder))  # noqa: PTH208 - no pathlib yet
    except OSError:
        return list(range(min(os.sysconf("SC_OPEN_MAX"), 65536)))


def signal_group(pid: int, number: int, *, reaped: bool = False) -> None:
    """Send a signal to a process group, or to its leader alone if that is all there is."""
    try:
        os.killpg(pid, number)
    except OSError:
        if not reaped:  # else the number may belong to somebody else by now
            send_signal(pid, number)


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone already, or belong to somebody else."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def children(root: int) -> list[int]:
    """Return the ids of the direct children of ``root``; nothing where there is no ``/proc``."""
    return _family().get(root, [])


def descendants(root: int) -> list[int]:
    """Return the ids of all processes below ``root``, or nothing where there is no ``/proc``."""
    family = _family()
    found, ahead = [], [root]
    while ahead:
        below = family.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def _family() -> dict[int, list[int]]:
    below: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib takes as long to import as all of this
    except OSError:
        return below
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        below.setdefault(parent, []).append(int(name))
    return below
