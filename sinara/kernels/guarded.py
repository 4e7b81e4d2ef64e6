"""A process under a guard: the driver's end of :mod:`sinara.kernels.guard`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sinara.kernels.exits import NEVER_STARTED, Exit

GUARD = Path(__file__).with_name("guard.py")
GONE_SECONDS = 7.0  # the guard's own sweep takes at most five
MARK = "SINARA_KERNEL_ID"


class GuardedProcess:
    """One process; its methods are those of :class:`sinara.kernels.processes.Process`."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        folders: Sequence[Path] = (),
        stdio: tuple[int, int] | None = None,
    ) -> None:
        self.pid = 0
        self._mark = os.urandom(8).hex()
        self._exit: Exit | None = None
        self._gone: bool | None = None
        self._buffer = b""
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *(stdio or ())),
                env={"LC_ALL": "C.UTF-8"},
            )
        self._say(
            {
                "argv": list(argv),
                "env": {**env, MARK: self._mark},
                "cwd": str(cwd),
                "folders": [str(folder) for folder in folders],
                "stdio": stdio,
            }
        )

    def fileno(self) -> int | None:
        """The socket on which the guard speaks."""
        return self._socket.fileno() if self._gone is None else None

    def poll(self) -> Exit | None:
        """How it ended, or ``None`` while it runs."""
        if self._exit is None:
            self._listen(0)
        return self._exit

    def wait(self, seconds: float) -> Exit | None:
        """Wait for its end, but no longer than this."""
        end = time.monotonic() + seconds
        while self._exit is None and time.monotonic() < end:
            self._listen(end - time.monotonic())
        return self._exit

    def send_signal(self, number: int) -> None:
        """Send a signal to its process group."""
        self._say({"signal": int(number)})

    def set_deadline(self, seconds: float | None) -> None:
        """Have the guard kill it in so many seconds."""
        self._say({"deadline": seconds})

    def kill(self) -> None:
        """Have the guard kill it and all that it started."""
        self._say({"kill": True})

    def close(self) -> bool:
        """Wait until the guard is done, and see to the rest if it cannot."""
        if self._socket.fileno() < 0:
            return bool(self._gone)
        self.kill()
        end = time.monotonic() + GONE_SECONDS
        while self._gone is None and time.monotonic() < end:
            self._listen(end - time.monotonic())
        self._socket.close()
        try:
            self._guard.wait(timeout=1)  # it only removes folders now
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._gone = self._gone or not _kill_marked(self._mark)
        return self._gone

    def _listen(self, seconds: float) -> None:
        """Take in what the guard says, waiting no longer than this for its first word."""
        self._socket.settimeout(max(seconds, 0))
        try:
            data = self._socket.recv(65536)
        except (TimeoutError, BlockingIOError):
            return
        except OSError:
            data = b""
        self._buffer += data
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            self._take(json.loads(line))
        if not data and self._gone is None:  # the guard died before it could finish
            self._gone = not _kill_marked(self._mark)
            self._exit = self._exit or Exit(killed_by="the death of its guard")

    def _take(self, said: dict[str, Any]) -> None:
        if "started" in said:
            self.pid = said["started"]
        elif "failed" in said:
            self._gone = True
            self._exit = Exit(killed_by=NEVER_STARTED, log=said["failed"])
        elif "exited" in said:
            how = said["exited"]
            self._exit = Exit(how["code"], how["signal"], how["peak"], how["by"], said["log"])
        elif "gone" in said:
            self._gone = said["gone"]

    def _say(self, order: dict[str, Any]) -> None:
        self._socket.settimeout(2.0)
        with suppress(OSError):  # a guard that is gone is noticed when we listen
            self._socket.sendall(json.dumps(order).encode() + b"\n")


def _kill_marked(mark: str) -> list[int]:
    """Kill every process that carries the mark of one start; return what still lives.

    The last resort for a guard that was itself killed: its kernel dies with it, and what
    the kernel started is found by the environment that it inherited. Linux only.
    """
    wanted = f"{MARK}={mark}".encode()
    end = time.monotonic() + 1.0
    while left := [pid for pid in _own_processes() if _has(pid, wanted)]:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        if time.monotonic() > end:
            return left
        time.sleep(0.01)
    return []


def _own_processes() -> list[int]:
    proc = Path("/proc")
    return (
        [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]
        if proc.is_dir()
        else []
    )


def _has(pid: int, wanted: bytes) -> bool:
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
