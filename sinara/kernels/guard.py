"""The guard: a small process that stands between the driver and one kernel.

It is started as ``python -I -S guard.py FD``, uses the standard library only, and
outlives neither side::

    driver dies (end of file on FD) ──► everything below the guard is killed
    kernel ends, in whatever way    ──► so is everything that it left behind
    guard dies                      ──► the kernel gets SIGKILL (PR_SET_PDEATHSIG)

On Linux the guard is the *subreaper* of all that the kernel starts: a grandchild that
calls ``setsid`` or forks twice becomes the guard's own child, so "no child left" means
that nothing is left. Elsewhere the kernel's process group is killed.

FD is one end of a socket pair and carries JSON lines. The driver sends a start order
(see :func:`_start`) and then ``{"signal": 2}``, ``{"deadline": seconds or null}`` and
``{"kill": true}``; the guard answers ``{"started": pid}`` or ``{"failed": why}``, then
``{"exited": {...}}`` and, when nothing is left, ``{"gone": true}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

LOG_TAIL = 16_000  # bytes of the kernel's own stdout and stderr that are kept
SWEEP_SECONDS = 5.0
POLITE_SECONDS = 0.5
TICK = 0.5
HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Start what the driver orders, watch it, and leave nothing behind."""
    driver = socket.socket(fileno=int(sys.argv[1]))
    driver.set_inheritable(False)
    os.setsid()
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in HANDLED:
        signal.signal(number, _ignore)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    guard = Guard(driver, wake)
    order = guard.read_order()
    if order is None:
        return
    try:
        guard.run(order)
    finally:
        guard.clean(order["folders"])


def _ignore(number: int, frame: Any) -> None:
    """Let the signal arrive on the wake-up pipe only."""


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


class Guard:
    """One kernel's guard."""

    def __init__(self, driver: socket.socket, wake: int) -> None:
        self.driver = driver
        self.wake = wake
        self.buffer = b""
        self.driver_gone = False
        self.parent = os.getppid()
        self.pid = 0
        self.log = -1
        self.tail = b""
        self.deadline: float | None = None
        self.killed_by: str | None = None
        self.ended: tuple[int, int] | None = None  # (wait status, peak memory in bytes)

    def read_order(self) -> dict[str, Any] | None:
        """Return the start order, or ``None`` if the driver is gone before it came."""
        while b"\n" not in self.buffer:
            data = self.driver.recv(65536)
            if not data:
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order

    def run(self, order: dict[str, Any]) -> None:
        """Start the process, wait for its end, and kill whatever it left."""
        try:
            self.pid, self.log = _start(order)
        except OSError as error:
            self.say({"failed": f"{error.strerror or error}: {error.filename or order['argv'][0]}"})
            return
        self.say({"started": self.pid})
        self.carry_out()  # what came together with the start order
        while self.ended is None:
            self.wait()
        self.read_log()
        status, peak = self.ended
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        ended = {"code": code, "signal": number, "peak": peak, "by": self.killed_by}
        self.say({"exited": ended, "log": self.tail[-LOG_TAIL:].decode("utf-8", "replace")})
        self.say({"gone": self.sweep()})
        while not self.driver_gone and os.getppid() == self.parent:
            self.wait()  # the driver may still want to read what lies in the folders

    def wait(self) -> None:
        """Handle what happens next, for at most one tick."""
        watched = [self.wake] + ([] if self.driver_gone else [self.driver.fileno()])
        watched += [self.log] if self.log >= 0 else []
        seconds = TICK
        if self.deadline is not None:
            seconds = max(0.0, min(seconds, self.deadline - time.monotonic()))
        ready = select.select(watched, [], [], seconds)[0]
        if self.log in ready:
            self.read_log()
        if self.driver.fileno() in ready:
            self.obey()
        if self.wake in ready and set(os.read(self.wake, 4096)) - {signal.SIGCHLD}:
            self.kill("a signal to the guard")
        if os.getppid() != self.parent:
            self.kill("the death of the driver")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.deadline = None
            self.kill("the watchdog")
        self.reap()

    def obey(self) -> None:
        """Read what the driver asks for; an end of file means that it is dead."""
        try:
            data = self.driver.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.driver_gone = True
            self.kill("the death of the driver")
        self.buffer += data
        self.carry_out()

    def carry_out(self) -> None:
        """Do what the driver has asked for so far."""
        while b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            asked = json.loads(line)
            if "deadline" in asked:
                seconds = asked["deadline"]
                self.deadline = None if seconds is None else time.monotonic() + seconds
            elif "signal" in asked and self.ended is None:
                _signal_group(self.pid, asked["signal"])
            elif "kill" in asked:
                self.kill("the driver")

    def kill(self, cause: str) -> None:
        """Kill the kernel's process group; the first cause is the one that counts."""
        if self.ended is None:
            self.killed_by = self.killed_by or cause
            _signal_group(self.pid, signal.SIGKILL)

    def reap(self) -> bool:
        """Collect every child that ended; return True when no child is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.pid and self.ended is None:
                scale = 1 if sys.platform == "darwin" else 1024  # getrusage(2)
                self.ended = (status, usage.ru_maxrss * scale)

    def sweep(self) -> bool:
        """End all that the kernel started; return True when nothing is left.

        What it left behind when it ended by itself is asked first, by SIGTERM.
        """
        began = time.monotonic()
        polite = self.killed_by is None and not self.driver_gone
        asked: set[int] = set()
        while not self.reap():
            passed = time.monotonic() - began
            if passed > SWEEP_SECONDS:
                return False
            if polite and passed < POLITE_SECONDS:
                for pid in set(descendants(os.getpid())) - asked:
                    asked.add(pid)
                    _signal(pid, signal.SIGTERM)
            else:
                for pid in descendants(os.getpid()):
                    _signal(pid, signal.SIGKILL)
            time.sleep(0.005)
        _signal_group(self.pid, signal.SIGKILL, reaped=True)  # without /proc, that is all we can do
        return True

    def read_log(self) -> None:
        """Keep the tail of what the kernel's own file descriptors 1 and 2 get."""
        for _ in range(64):  # a child that floods the pipe must not keep the guard here
            if self.log < 0:
                return
            try:
                data = os.read(self.log, 65536)
            except BlockingIOError:
                return
            if not data:
                os.close(self.log)
                self.log = -1
            self.tail = (self.tail + data)[-LOG_TAIL:]

    def say(self, message: dict[str, Any]) -> None:
        """Tell the driver, if there still is one."""
        try:
            self.driver.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.driver_gone = True

    @staticmethod
    def clean(folders: list[str]) -> None:
        """Remove the kernel's private folders: sockets, connection file, IPython's own."""
        import shutil

        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _start(order: dict[str, Any]) -> tuple[int, int]:
    """Start ``argv`` in ``cwd`` with ``env``; return its pid and where its log comes from.

    ``stdio`` names the file descriptors that become 1 and 2; without it both go to a
    pipe of which the guard keeps the tail, and then the second value is its other end.
    """
    log, log_write = os.pipe() if order["stdio"] is None else (-1, -1)
    out, err = order["stdio"] or (log_write, log_write)
    os.set_inheritable(out, False)
    os.set_inheritable(err, False)
    trouble, trouble_write = os.pipe()
    guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(order, out, err, trouble_write, guard)
    for fd in {out, err, trouble_write}:
        os.close(fd)
    what = os.read(trouble, 4096)
    os.close(trouble)
    if what:
        os.waitpid(pid, 0)
        number, _, name = what.decode("utf-8", "replace").partition(" ")
        raise OSError(int(number), os.strerror(int(number)), name)
    if log >= 0:
        os.set_blocking(log, False)
    return pid, log


def _become(order: dict[str, Any], out: int, err: int, trouble: int, guard: int) -> None:
    """Turn this fork into the kernel; never returns."""
    where = order["argv"][0]
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        for number in (
            signal.SIGCHLD,
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGPIPE,
        ):
            signal.signal(number, signal.SIG_DFL)
        out, err = os.dup(out), os.dup(err)  # dup2 below must not close what it copies
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        where = order["cwd"]
        os.chdir(where)
        where = order["argv"][0]
        os.execvpe(where, order["argv"], order["env"])
    except OSError as error:
        os.write(trouble, f"{error.errno or 0} {where}".encode("utf-8", "replace"))
    os._exit(127)


def _signal_group(pid: int, number: int, *, reaped: bool = False) -> None:
    try:
        os.killpg(pid, number)
    except OSError:
        if not reaped:  # else the number may belong to somebody else by now
            _signal(pid, number)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):  # it is gone already, or belongs to somebody else
        os.kill(pid, number)


def descendants(root: int) -> list[int]:
    """Return the ids of all processes below ``root``, or nothing where there is no ``/proc``."""
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib takes as long to import as all of this
    except OSError:
        return []
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, ahead = [], [root]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


if __name__ == "__main__":
    main()
