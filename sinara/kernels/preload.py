"""Import ahead what kernels will need, and make sure that the process may be forked then.

A module is imported alone, and what it leaves behind besides Python objects is looked at:
threads, open files, connections, child processes. A forked kernel would get a copy of
their memory without the thread, or share the file with all others. So whatever leaves one is
refused by its name; only the threads of a few libraries are known to come through a fork.
Standard library only.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sinara.kernels.posix import children, open_descriptors

# What makes an IPython kernel, and what its start would import besides.
KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.displayhook",
    "ipykernel.iostream",
    "ipykernel.debugger",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "tornado.gen",
    "tornado.platform.asyncio",
    "tornado.queues",
    "faulthandler",
    "multiprocessing.util",
    "sqlite3",
    "sinara.substep",
)
DATA = ("numpy", "pyarrow", "pyarrow.parquet", "pandas")  # in this order: each is judged alone

# Libraries whose own threads come through a fork, and why.
FORK_SAFE_THREADS = {
    "numpy": "OpenBLAS ends its threads before a fork and starts them again when they are needed",
    "pyarrow": "Arrow starts its pools anew after a fork, and so does its allocator jemalloc",
}


@dataclass(frozen=True)
class Leftovers:
    """What a process has besides memory."""

    threads: int
    files: frozenset[str]
    children: int

    @classmethod
    def now(cls) -> Leftovers:
        """Look at this process."""
        return cls(_threads(), _files(), len(children(os.getpid())))


def preload(module: str) -> str | None:
    """Import ``module``; return why it must not be imported ahead, or ``None`` if it may.

    Args:
        module: The name of a module; one that is not installed is passed over.

    Returns:
        The reason as half a sentence. The process is not fit to be forked any more then.
    """
    if module in sys.modules:
        return None
    before = Leftovers.now()
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            return None
        return f"it cannot be imported: {error}"
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        return f"it cannot be imported: {type(error).__name__}: {error}"
    return _unfit(module, before, Leftovers.now())


def _unfit(module: str, before: Leftovers, after: Leftovers) -> str | None:
    extra = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if extra:
        return f"it leaves a thread running ({extra[0].name})"
    if after.threads > before.threads and module.partition(".")[0] not in FORK_SAFE_THREADS:
        number = after.threads - before.threads
        return f"it leaves {number} thread{'s' if number > 1 else ''} of its own running"
    opened = sorted(after.files - before.files)
    if opened:
        return f"it leaves {opened[0]} open"
    if after.children > before.children:
        return "it leaves a child process running"
    return None


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        return threading.active_count()


def _files() -> frozenset[str]:
    """Return what is open, as a person would name it."""
    found = []
    for fd in open_descriptors():
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
        except OSError:  # the descriptor that the listing itself used
            continue
        kind = target.partition(":[")[0]
        names = {"socket": "a connection", "pipe": "a pipe", "anon_inode": "a watch of the system"}
        found.append(f"{names.get(kind, target)} (descriptor {fd})")
    return frozenset(found)


def changes(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Return what imports have added to the environment."""
    return {key: value for key, value in after.items() if before.get(key) != value}


def modules(extra: Sequence[str]) -> tuple[str, ...]:
    """Return everything to import besides :data:`KERNEL`, in order."""
    return (*DATA, *(name for name in extra if name not in DATA))
