"""Limit what this process, and each one that it starts, may use: memory and processor time.

Called in a child process before it does anything else. Only the standard library is used, and
nothing of sinara is imported. What the system cannot hold is not set, and the answer says so.

* **Memory**: ``RLIMIT_DATA`` on Linux, on top of what the process has already. An allocation above
  it fails, so Python raises ``MemoryError``. What counts is what a process *reserves* for writing
  (stacks of threads and buffers of libraries too), in each process apart. macOS takes the limit
  and does not hold it, so there it is not set.
* **Processor time**: ``RLIMIT_CPU``, on top of what was used already: SIGXCPU at the limit, rounded
  up to whole seconds, and SIGKILL some seconds later. Each process has its own clock.

Source:
    setrlimit(2), "RLIMIT_DATA" (since Linux 4.7 it counts private writable mappings, which is
    ``VmData`` in proc_pid_status(5)) and "RLIMIT_CPU".
"""

from __future__ import annotations

import math
import mmap
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

GRACE = 5  # s; between SIGXCPU and SIGKILL
START = 160_000_000  # bytes; what an IPython kernel reserves until it is up, stacks above all
_LARGEST = 2**62  # bytes
_LONGEST = 2**31  # s; Linux counts it in nanoseconds and takes what overflows for nothing left


def apply(memory: int | None, cpu_seconds: float | None, *, fresh: bool = False) -> tuple[str, ...]:
    """Limit this process from now on; its children inherit the limits.

    Args:
        memory: Bytes that it may reserve beyond what it has; ``None`` is no limit.
        cpu_seconds: Seconds of processor time that it may use beyond what it used; ``None`` is
            no limit.
        fresh: Whether the process is about to become another program, which has nothing yet;
            :data:`START` stands for what that one takes to start.

    Returns:
        Which of the limits hold: ``"memory"``, ``"cpu_seconds"``. Nothing is raised for one that
        the system does not have or refuses.
    """
    held = []
    if memory is not None and _limit_memory(memory, fresh=fresh):
        held.append("memory")
    if cpu_seconds is not None and _limit_cpu(cpu_seconds):
        held.append("cpu_seconds")
    return tuple(held)


def _limit_memory(memory: int, *, fresh: bool) -> bool:
    has = START if fresh else _data_bytes()
    if resource is None or has is None or not sys.platform.startswith("linux"):
        return False
    most = min(has + memory, _LARGEST)
    return _lower(resource.RLIMIT_DATA, most, most) and (fresh or _holds(memory))


def _limit_cpu(seconds: float) -> bool:
    if resource is None:
        return False
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = max(1, math.ceil(min(used.ru_utime + used.ru_stime + seconds, _LONGEST)))
    return _lower(resource.RLIMIT_CPU, soft, soft + GRACE)


def _lower(which: int, soft: int, hard: int) -> bool:
    """Set a limit, but raise none that is lower already: that one holds, then."""
    there = [_LARGEST if limit == resource.RLIM_INFINITY else limit
             for limit in resource.getrlimit(which)]  # fmt: skip
    try:
        resource.setrlimit(which, (min(soft, *there), min(hard, there[1])))
    except (OSError, ValueError):
        return False
    return True


def _data_bytes() -> int | None:
    """Return how much memory this process has reserved for data; ``None`` if nothing tells."""
    try:
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - pathlib is slow to import
            for line in status:
                if line.startswith(b"VmData:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _holds(memory: int) -> bool:
    """Try to reserve more, touching none of it: some systems take a limit and forget it."""
    size = memory + mmap.PAGESIZE
    if size > sys.maxsize:
        return True  # more than a process can address; that holds by itself
    try:
        mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, ValueError, OverflowError):
        return True
    return False
