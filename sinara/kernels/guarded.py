"""A process under a guard: the driver's end of :mod:`sinara.kernels.guard`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sinara.kernels import groups
from sinara.kernels.exits import NEVER_STARTED, Exit
from sinara.kernels.order import Order
from sinara.kernels.pool import MARK as POOL_MARK
from sinara.kernels.pool import Pool, pool

GONE_SECONDS = 7.0  # the guard's own sweep takes at most five
ORDER_SECONDS = 30.0  # a large environment does not fit into the socket: the guard has to read
LEAVE_SECONDS = 1.0  # it only removes folders then
MARK = "SINARA_KERNEL_ID"
SPARES_TRIED = 3
PATIENCE_SECONDS = 15.0  # for a warm kernel; an ordinary one would be there by then


class GuardedProcess:
    """One process; its methods are those of :class:`sinara.kernels.processes.Process`.

    Args:
        ordinary: Gives the order to start a new program, which may have files in the folder that
            it is given; called when that is what is done.
        warm: The order for a kernel that was prepared ahead, tried first if it is given.
        supervisor: Whose guard it will be under.
        stdio: Descriptors for an ordinary program's stdout and stderr; without them a tail
            is kept for ``Exit.log``.
        told: Why no warm kernel is tried.

    Attributes:
        place: Where a warm kernel is (``folder``), once it says so.
        told: Why it was not started warm.
        stopped: Which signal has stopped it, and since when (``time.monotonic()``).
    """

    def __init__(
        self,
        ordinary: Callable[[Path], Order],
        *,
        supervisor: Pool,
        warm: Order | None = None,
        stdio: Sequence[int] = (),
        told: str = "",
    ) -> None:
        self.pid = 0
        self.place: Mapping[str, str] | None = None
        self.told = told
        self.stopped: tuple[int, float] | None = None
        self._mark = os.urandom(8).hex()
        self._ordinary = ordinary
        self._warm = warm
        self._pool = supervisor
        self._stdio = tuple(stdio)
        self._socket: socket.socket | None = None
        self._unsent: list[dict[str, Any]] = []
        self._deadline: dict[str, Any] = {"deadline": None}
        self._tried = 0
        self._group: str | None = None
        self._folders: list[str] = []
        self._exit: Exit | None = None
        self._gone: bool | None = None
        self._closed = False
        self._buffer = b""
        self._began = time.monotonic()
        if warm is None:
            self._start_ordinary()
        else:
            supervisor.want(1)
            self._obtain(0)

    @property
    def is_warm(self) -> bool:
        """Whether it is, or will be, a kernel that was prepared ahead."""
        return self._warm is not None

    @property
    def refused(self) -> Mapping[str, str]:
        """Modules that were not imported ahead, and why."""
        return self._pool.refused

    def fileno(self) -> int | None:
        """The socket on which there will be news."""
        if self._gone is not None or self._closed:
            return None
        if self._socket is None:
            return self._pool.fileno() if self._pool.alive else None
        return self._socket.fileno()

    def poll(self) -> Exit | None:
        """How it ended, or ``None`` while it runs."""
        if self._exit is None and not self._closed:
            self._listen(0)
        return self._exit

    def wait(self, seconds: float) -> Exit | None:
        """Wait for its end, but no longer than this."""
        end = time.monotonic() + seconds
        while self._exit is None and not self._closed and time.monotonic() < end:
            self._listen(end - time.monotonic())
        return self._exit

    def send_signal(self, number: int) -> None:
        """Send a signal to its process group."""
        self._say({"signal": int(number)})

    def set_deadline(self, seconds: float | None) -> None:
        """Have the guard kill it in so many seconds."""
        self._deadline = {"deadline": seconds}
        self._say(self._deadline)

    def kill(self) -> None:
        """Have the guard kill it and all that it started."""
        self._say({"kill": True})

    def close(self) -> bool:
        """Wait until the guard is done, and see to the rest if it cannot."""
        if self._closed:
            return bool(self._gone)
        if self._socket is None:
            self._pool.want(-1)
            self._exit = self._exit or Exit(killed_by=NEVER_STARTED)
            self._gone = True
        else:
            self._warm = None  # nothing is tried again from here on
            self.kill()
            end = time.monotonic() + GONE_SECONDS
            while self._gone is None and time.monotonic() < end:
                self._listen(end - time.monotonic())
            self._leave(self._socket)
        self._closed = True
        self._gone = self._gone or not self._kill_rest()
        return self._gone

    def _leave(self, guard: socket.socket) -> None:
        """Let the guard remove its folders, and wait for that."""
        self._say({"leave": True})
        with suppress(OSError):
            guard.settimeout(LEAVE_SECONDS)
            while guard.recv(65536):
                pass
        guard.close()

    def _listen(self, seconds: float) -> None:
        """Take in what the guard says, waiting no longer than this for its first word."""
        if self._socket is None:
            self._obtain(seconds)
            return
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
        if not data and self._gone is None and self._socket is not None:
            self._guard_is_dead()

    def _obtain(self, seconds: float) -> None:
        """Get a guard with a warm kernel, or do without."""
        taken = self._pool.take(seconds)
        if taken is not None:
            self._pool.want(-1)
            self._socket = taken
            assert self._warm is not None
            self._send_order(replace(self._warm, env={**self._warm.env, MARK: self._mark}))
        elif self._pool.cold or not self._pool.alive:
            self._fall_back(self._pool.cold or f"the supervisor died: {self._pool.last_words}")
        elif time.monotonic() - self._began > PATIENCE_SECONDS:
            self._fall_back(f"none was ready after {PATIENCE_SECONDS:g} s")

    def _fall_back(self, why: str) -> None:
        """Start the ordinary program instead."""
        self._pool.want(-1)
        self.told = why.strip().splitlines()[-1] if why.strip() else "the supervisor died"
        self._warm = None
        self._pool = pool(warm=False)
        self._start_ordinary()

    def _start_ordinary(self) -> None:
        self._socket = self._pool.guard()
        order = self._ordinary(self._pool.base)
        env = {**order.env, MARK: self._mark}
        self._folders = order.folders
        self._send_order(replace(order, env=env), self._stdio)

    def _send_order(self, order: Order, handed: Sequence[int] = ()) -> None:
        assert self._socket is not None
        data = json.dumps({"start": asdict(order)}).encode() + b"\n"
        self._socket.settimeout(ORDER_SECONDS)
        try:
            if handed:
                sent = socket.send_fds(self._socket, [data], handed)
                data = data[sent:]
            self._socket.sendall(data)
        except OSError:  # half an order is none: the guard leaves, and that is noticed
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        unsent, self._unsent = self._unsent, []
        for order_ in unsent:
            self._say(order_)

    def _take(self, said: dict[str, Any]) -> None:
        if "ready" in said:
            self.place = said["ready"]
        elif "started" in said:
            self.pid, self._group = said["started"], said["group"]
        elif "failed" in said:
            self._gone = True
            self._exit = Exit(killed_by=NEVER_STARTED, log=said["failed"])
        elif "stopped" in said:
            number = said["stopped"]
            self.stopped = (number, time.monotonic()) if number else None
        elif "exited" in said:
            if not self.pid and self._try_another():
                return
            how = said["exited"]
            self._exit = self._exit or Exit(
                code=how["code"],
                signal=how["signal"],
                peak_memory=how["peak"],
                killed_by=how["by"],
                log=said["log"],
                cpu_seconds=how["cpu"],
                out_of_memory=how["out_of_memory"],
            )
        elif "gone" in said:
            self._gone = said["gone"]

    def _guard_is_dead(self) -> None:
        if not self.pid and self._try_another():
            return
        self._gone = not self._kill_rest()
        cause = "the death of its guard" if self._pool.alive else "the death of its supervisor"
        if not self.pid and not self._pool.alive:
            self._exit = self._exit or Exit(killed_by=NEVER_STARTED, log=self._pool.last_words)
        self._exit = self._exit or Exit(killed_by=cause)

    def _try_another(self) -> bool:
        """Take another warm kernel if this one died before it began; False if it was none."""
        if self._warm is None:
            return False
        assert self._socket is not None
        self._socket.close()
        self._socket, self.place, self._buffer, self.stopped = None, None, b"", None
        self._unsent = [self._deadline]
        self._tried += 1
        self._pool.want(1)
        if self._tried >= SPARES_TRIED:
            self._fall_back(f"{self._tried} of them died before they could be used")
        return True

    def _say(self, order: dict[str, Any]) -> None:
        if self._socket is None:
            self._unsent.append(order)
            return
        with suppress(OSError):  # a guard that is gone is noticed when we listen
            self._socket.settimeout(2.0)
            self._socket.sendall(json.dumps(order).encode() + b"\n")

    def _kill_rest(self) -> list[int]:
        """Kill what a guard could not; return what still lives.

        The supervisor gets what a dead guard leaves. Where it died, too, what the kernel
        started is found by its control group and by the environment that it inherited.
        """
        if self._group is not None:
            groups.kill(self._group)
        settled = self._pool.settle(self.pid, 2.0) if self._pool.alive else False
        marks = [f"{MARK}={self._mark}".encode()]
        if not settled and not self._pool.alive:
            marks.append(f"{POOL_MARK}={self._pool.mark}".encode())
        left = _kill_marked(marks)
        if self._group is not None:
            groups.remove(self._group)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        return left


def _kill_marked(marks: Sequence[bytes]) -> list[int]:
    """Kill every process whose environment has one of ``marks``; return what lives. Linux only."""
    end = time.monotonic() + 1.0
    while left := [pid for pid in _own_processes() if _has(pid, marks)]:
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
    if not proc.is_dir():
        return []
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]


def _has(pid: int, marks: Sequence[bytes]) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(mark in environ for mark in marks)
