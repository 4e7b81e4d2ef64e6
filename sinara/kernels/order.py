"""What a guard is told to start. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Order:
    """What to start, and how.

    Attributes:
        argv: The program and its arguments; ``None``: the kernel that was prepared ahead.
        env: Its whole environment.
        cwd: Its working directory.
        folders: Folders that are removed when all is over.
        umask: Its umask; ``None``: as it is.
        memory: Bytes that it may use; ``None`` is no limit.
        cpu_seconds: Processor time that it may use; ``None`` is no limit.
        key: What signs the messages of a kernel that was prepared ahead.
    """

    argv: list[str] | None
    env: dict[str, str]
    cwd: str
    folders: list[str] = field(default_factory=list)
    umask: int | None = None
    memory: int | None = None
    cpu_seconds: float | None = None
    key: str = ""
