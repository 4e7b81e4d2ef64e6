"""One control group for each kernel, where the system lets us make one.

It counts and limits the memory of the kernel with all that it starts, and kills all of
it at once, whoever is left to ask for that. Standard library only.

Source:
    Linux, admin-guide/cgroup-v2.rst: ``cgroup.procs``, ``cgroup.kill``, ``memory.max``,
    ``memory.events``, ``cgroup.subtree_control``.
"""

from __future__ import annotations

import contextlib
import os
import time

REMOVE_SECONDS = 0.2


class Group:
    """A control group, and whether it limits memory."""

    def __init__(self, path: str, *, limits_memory: bool) -> None:
        self.path = path
        self.limits_memory = limits_memory

    def add(self, pid: int) -> bool:
        """Put a process into the group; what it starts from then on is in it, too.

        Returns:
            Whether it is in the group.
        """
        try:
            _write(f"{self.path}/cgroup.procs", str(pid))
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill every process of the group at once."""
        kill(self.path)

    def out_of_memory(self) -> bool:
        """True if the system killed something in the group for the group's own limit."""
        try:
            with open(f"{self.path}/memory.events", encoding="ascii") as file:  # noqa: PTH123
                return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in file)
        except (OSError, IndexError):
            return False

    def remove(self) -> None:
        """Remove the group; its last process may be a moment from its end."""
        remove(self.path)


def make(*, memory: int | None = None) -> Group | None:
    """Make a group below our own, or return ``None`` where that is not to be had.

    Never beside our own: what limits us is to limit the kernels, too.

    Args:
        memory: Bytes that the group may use, swap not counted; ``None`` is no limit.
    """
    parent = _own_group()
    if parent is None:
        return None
    path = f"{parent}/sinara-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        os.mkdir(path)  # noqa: PTH102
    except OSError:
        return None
    return Group(path, limits_memory=memory is not None and _limit_memory(path, memory))


def _limit_memory(path: str, memory: int) -> bool:
    try:
        _write(f"{path}/memory.max", str(memory))
    except OSError:  # our group does not hand its memory controller on
        return False
    with contextlib.suppress(OSError):  # else the limit only moves the excess to the disk
        _write(f"{path}/memory.swap.max", "0")
    return True


def kill(path: str) -> None:
    """Kill every process of the group at ``path`` at once (Linux 5.14 or newer)."""
    with contextlib.suppress(OSError):
        _write(f"{path}/cgroup.kill", "1")


def remove(path: str) -> None:
    """Remove the group at ``path``."""
    end = time.monotonic() + REMOVE_SECONDS
    while True:
        try:
            os.rmdir(path)  # noqa: PTH106
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > end:
                return
            time.sleep(0.005)
        else:
            return


def _own_group() -> str | None:
    """Return the path of the group that this process is in, if a group can be made in it."""
    mounted = _mount_point()
    if mounted is None:
        return None
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:  # noqa: PTH123
            own = next(line[3:].strip() for line in file if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    path = f"{mounted}{own}".rstrip("/")
    usable = ".." not in own and os.access(f"{path}/cgroup.procs", os.W_OK)
    return path if usable else None


def _mount_point() -> str | None:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                front, _, back = line.partition(" - ")
                if back.split(" ", 1)[0] == "cgroup2":
                    return front.split(" ")[4]
    except (OSError, IndexError):
        return None
    return None


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)
