"""A disk that dies, or lies, at its k-th operation."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, TypeVar

from sinara.store.disk import Disk

T = TypeVar("T")
KILLED = 137
KINDS = (
    "kill",
    "short",
    "done then kill",
    "ENOSPC",
    "EDQUOT",
    "EIO",
    "EROFS",
    "full",
    "done then EIO",
)


class FaultDisk(Disk):
    """Counts its operations and fails at number ``at``.

    Args:
        at: The operation, from 1; 0 never fails.
        kind: One of ``KINDS``: "full" goes on to fail at all that needs room.
    """

    def __init__(self, at: int = 0, kind: str = "kill") -> None:
        super().__init__(threads=1)
        self.at = at
        self.kind = kind
        self.count = 0

    def point(self, op: str, path: str, call: Callable[..., T], *args: Any) -> T:
        self.count += 1
        if self.kind == "full" and 0 < self.at < self.count and op in ("create", "write", "mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if self.count == self.at:
            self._fail(op, path, call, *args)
        return super().point(op, path, call, *args)

    def _fail(self, op: str, path: str, call: Callable[..., Any], *args: Any) -> None:
        if self.kind == "short":
            if op == "write":
                os.write(args[0], args[1][: len(args[1]) // 2])
            os._exit(KILLED)
        if self.kind.startswith("done then"):
            super().point(op, path, call, *args)
        if self.kind in ("kill", "done then kill"):
            os._exit(KILLED)
        number = getattr(errno, {"full": "ENOSPC"}.get(self.kind, self.kind.split()[-1]))
        raise OSError(number, os.strerror(number), path)


class HookDisk(Disk):
    """Calls ``hook`` just before its operation number ``at``: somebody else acts in between."""

    def __init__(self, at: int, hook: Callable[[], None]) -> None:
        super().__init__(threads=1)
        self.at = at
        self.hook = hook
        self.count = 0

    def point(self, op: str, path: str, call: Callable[..., T], *args: Any) -> T:
        self.count += 1
        if self.count == self.at:
            self.hook()
        return super().point(op, path, call, *args)
