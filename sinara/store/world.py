"""Clock, randomness and processes: all that a test has to replace to own the world."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    """One process, told apart from every other one that ever had its number."""

    host: str
    boot: str  # changes with every boot of the machine
    pid: int
    started: str  # "<start time in ticks>.<pid namespace>"

    def as_dict(self) -> dict[str, Any]:
        """Return the process as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Any) -> Process:
        """Return the process of :meth:`as_dict`; what is missing matches nothing."""
        given = value if isinstance(value, dict) else {}
        pid = given.get("pid", 0)
        return cls(
            host=str(given.get("host", "")),
            boot=str(given.get("boot", "")),
            pid=pid if isinstance(pid, int) else 0,
            started=str(given.get("started", "")),
        )


def this_process() -> Process:
    """Return the process that calls, also after a fork."""
    return _process(os.getpid())


@functools.lru_cache(maxsize=4)
def _process(pid: int) -> Process:
    return Process(socket.gethostname(), boot_id(), pid, process_started(pid) or "")


@functools.lru_cache(maxsize=1)
def boot_id() -> str:
    """Return what tells this boot of this machine from any other, or an empty string."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _output("sysctl", "-n", "kern.bootsessionuuid")


def process_started(pid: int) -> str | None:
    """Return when a process of this machine started, in a form of its own; None if it is gone.

    Source:
        proc(5): field 22 of ``/proc/<pid>/stat`` is the start time in ticks since boot;
        the fields are counted after the name, which stands in brackets and may hold any.
    """
    if not Path("/proc/self/stat").exists():
        return _output("ps", "-o", "lstart=", "-p", str(pid)) or None
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):  # a zombie holds nothing and does nothing
        return None
    return f"{fields[19].decode()}.{_pid_namespace()}"


@functools.lru_cache(maxsize=1)
def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def is_alive(process: Process, here: Process) -> bool | None:
    """Return whether ``process`` lives, as seen from ``here``; None if that cannot be told."""
    return _judge(
        process.pid,
        process.started,
        same_boot=process.boot == here.boot,
        same_host=process.host == here.host,
    )


def _judge(pid: int, started: str, *, same_boot: bool, same_host: bool) -> bool | None:
    if not same_boot:
        return False if same_host else None  # the machine was restarted, or it is another one
    if started.rpartition(".")[2] != _pid_namespace() and "." in started:
        return None  # another container of this machine: its process numbers mean nothing here
    return process_started(pid) == started


def name_tag(process: Process) -> str:
    """Return ``process`` as part of a file name, for :func:`tag_is_alive`."""
    started = process.started.replace(" ", "_")
    return f"{process.pid}.{started}.{_short(process.boot)}.{_short(process.host)}"


def tag_is_alive(tag: str, here: Process) -> bool | None:
    """Return whether the process of a :func:`name_tag` lives; None if that cannot be told."""
    pid, _, rest = tag.partition(".")
    started, _, host = rest.rpartition(".")
    started, _, boot = started.rpartition(".")
    if not pid.isdigit():
        return None
    return _judge(
        int(pid),
        started.replace("_", " "),
        same_boot=boot == _short(here.boot),
        same_host=host == _short(here.host),
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class World:
    """Everything that a store takes from outside of its folder."""

    clock: Callable[[], datetime] = _now
    entropy: Callable[[int], bytes] = os.urandom
    process: Callable[[], Process] = this_process
    alive: Callable[[Process, Process], bool | None] = is_alive
    sleep: Callable[[float], None] = time.sleep
    cache: Path | None = None  # where digests that were checked are remembered; None: nowhere

    def nonce(self) -> str:
        """Return 32 hex digits that nobody else has."""
        return self.entropy(16).hex()

    def stamp(self) -> str:
        """Return now as ISO 8601 in UTC."""
        return self.clock().astimezone(UTC).isoformat(timespec="microseconds")
