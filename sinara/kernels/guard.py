"""The guard: a small process that stands between the driver and one kernel.

The supervisor forks it; it uses the standard library only, and outlives nobody::

    driver dies (end of file on the socket) ──► everything below the guard is killed
    supervisor dies (PR_SET_PDEATHSIG) ───────► likewise, and the driver is told
    kernel ends, in whatever way ─────────────► so does everything that it left behind
    guard dies ───────► the kernel gets SIGKILL (PR_SET_PDEATHSIG); what it had started
                        falls to the supervisor, the next subreaper, which kills it

On Linux the guard is the *subreaper* of all that the kernel starts: a grandchild that
calls ``setsid`` or forks twice becomes the guard's own child, so "no child left" means
that nothing is left. Elsewhere the kernel's process group is killed.

The socket carries JSON lines. The driver sends one start order ``{"start": {...}}``, see
:class:`~sinara.kernels.order.Order`, and then ``{"signal": 2}``, ``{"kill": true}``,
``{"deadline": seconds or null}`` and at last ``{"leave": true}``. The guard answers
``{"ready": {...}}`` when a kernel that was prepared ahead waits, ``{"started": pid}`` or
``{"failed": why}``, ``{"stopped": signal or 0}``, then ``{"exited": {...}}`` and, when nothing
is left, ``{"gone": true}``; it leaves when the driver says so or closes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import time
from typing import Any, Protocol

from sinara.kernels import groups
from sinara.kernels.exits import LOG_TAIL
from sinara.kernels.order import Order
from sinara.kernels.posix import (
    ENDING,
    become_child,
    descendants,
    fork,
    hand_over_signals,
    receive,
    send_signal,
    signal_group,
)

SWEEP_SECONDS = 5.0
POLITE_SECONDS = 0.5
TICK = 0.5
DYING_SECONDS = 0.5
LOCK = "lock"  # in the supervisor's folder: locked while the driver or the supervisor lives


class Prepared(Protocol):
    """A kernel that is forked before anybody has ordered it."""

    folder: str  # its private folder
    says: dict[str, str]  # what the driver has to know to talk to it

    def live(self, channel: socket.socket) -> None:
        """In the forked process: be the kernel. Says ``ready``, waits for the order, runs it."""


class Guard:
    """One kernel's guard; it runs in a process of its own.

    Args:
        driver: The socket to the driver.
        supervisor: The process id of whoever forked this process.
        base: The supervisor's folder; removed here only if nobody else is left to do it.
    """

    def __init__(self, driver: socket.socket, supervisor: int, base: str) -> None:
        self.driver = driver
        self.supervisor = supervisor
        self.base = base
        self.wake = hand_over_signals()
        self.buffer = b""
        self.handed: list[int] = []  # file descriptors that came with an order: stdout and stderr
        self.driver_gone = False
        self.leaving = False
        self.pid = 0
        self.channel: socket.socket | None = None  # to a kernel that was prepared ahead
        self.folders: list[str] = []
        self.group: groups.Group | None = None
        self.joined = False  # whether the kernel is in that group
        self.log = -1
        self.tail = b""
        self.deadline: float | None = None
        self.killed_by: str | None = None
        self.ended: tuple[int, int, float] | None = None  # wait status, peak memory, seconds
        self.done = False  # nothing was started, or all that was is over

    def serve(self, prepared: Prepared | None = None) -> None:
        """Start what the driver orders, watch it, and leave nothing behind."""
        try:
            if prepared is not None:
                self.prepare(prepared)
            while self.ended is None and not self.done:
                self.wait()
            if self.ended is not None:
                self.conclude()
            while not self.driver_gone and not self.leaving:
                self.wait()  # the driver may still want to read what lies in the folders
        finally:
            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)
            if self.group is not None:
                self.group.remove()
            if (self.driver_gone or os.getppid() != self.supervisor) and self.is_last():
                shutil.rmtree(self.base, ignore_errors=True)

    def is_last(self) -> bool:
        """Return whether neither driver nor supervisor lives.

        Who was killed keeps its files and children until its memory is given back, which can take
        longer than a guard needs to end: it is waited for.
        """
        try:
            lock = os.open(f"{self.base}/{LOCK}", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            deadline = time.monotonic() + DYING_SECONDS
            while not _locked(lock):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            return True
        finally:
            os.close(lock)

    def prepare(self, prepared: Prepared) -> None:
        """Fork the kernel now; it boots, says that it is ready, and waits for its order."""
        self.folders = [prepared.folder]
        self.channel, theirs = socket.socketpair()
        self.log, log_write = _log_pipe()
        guard = os.getpid()
        self.pid = fork()
        if self.pid == 0:
            become_child(guard, log_write, log_write, keep=(theirs.fileno(),))
            prepared.live(theirs)
            os._exit(1)  # it never returns
        theirs.close()
        os.close(log_write)
        self.says = prepared.says

    def start(self, order: Order) -> None:
        """Carry out the start order."""
        self.folders += order.folders
        self.group = groups.make(memory=order.memory)
        if order.argv is None:
            self._hand_over(order)
            return
        try:
            self.pid, self.log = _start(order, self.handed, self.group)
        except OSError as error:
            self._fail(f"{error.strerror or error}: {error.filename or order.argv[0]}")
            return
        finally:
            self.close_handed()
        self._started()

    def _hand_over(self, order: Order) -> None:
        """Give the order to the kernel that waits for it."""
        if self.ended is not None or self.channel is None:
            return  # it died while it waited; that is told in a moment
        if self.group is not None:
            self.joined = self.group.add(self.pid)
        message = json.dumps({**vars(order), "grouped": self._limited()}).encode() + b"\n"
        with contextlib.suppress(OSError):  # it is dead, and reaped with the next tick
            self.channel.sendall(message)

    def _limited(self) -> bool:
        return self.group is not None and self.joined and self.group.limits_memory

    def _started(self) -> None:
        group = None if self.group is None else self.group.path
        self.say({"started": self.pid, "group": group})

    def _fail(self, why: str) -> None:
        self.say({"failed": why})
        self.done = True

    def conclude(self) -> None:
        """Tell how the kernel ended, and end what it left."""
        assert self.ended is not None
        self.read_log()
        status, peak, seconds = self.ended
        ended = {
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "peak": peak,
            "by": self.killed_by,
            "cpu": seconds,
            "out_of_memory": self.group is not None and self.group.out_of_memory(),
        }
        self.say({"exited": ended, "log": self.tail[-LOG_TAIL:].decode("utf-8", "replace")})
        self.say({"gone": self.sweep()})

    def wait(self) -> None:
        """Handle what happens next, for at most one tick."""
        watched = [self.wake] + ([] if self.driver_gone else [self.driver.fileno()])
        watched += [self.log] if self.log >= 0 else []
        watched += [self.channel.fileno()] if self.channel is not None else []
        seconds = TICK
        if self.deadline is not None:
            seconds = max(0.0, min(seconds, self.deadline - time.monotonic()))
        ready = select.select(watched, [], [], seconds)[0]
        if self.log in ready:
            self.read_log()
        if self.channel is not None and self.channel.fileno() in ready:
            self.hear()
        if not self.driver_gone and self.driver.fileno() in ready:
            self.obey()
        signals = set(os.read(self.wake, 4096)) if self.wake in ready else set()
        if signals & ENDING and os.getppid() == self.supervisor:
            time.sleep(0.02)  # a signal for the supervisor's death can be ahead of the death
        if os.getppid() != self.supervisor:
            self.leaving = True
            self.kill("the death of its supervisor")
        elif signals & ENDING:
            self.leaving = True
            ended = signal.SIGHUP in signals  # see Supervisor.end
            self.kill("the end of its supervisor" if ended else "a signal to its guard")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.deadline = None
            self.kill("the watchdog")
        self.reap()

    def hear(self) -> None:
        """Take in what the prepared kernel says: that it is ready, and how its start went."""
        assert self.channel is not None
        try:
            data = self.channel.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.channel.close()
            self.channel = None
            return
        for line in data.splitlines():
            said = json.loads(line)
            if "ready" in said:
                self.say({"ready": self.says})
            elif "failed" in said:
                self._fail(said["failed"])
                self.kill("its guard")
            else:
                self._started()

    def obey(self) -> None:
        """Read what the driver asks for; an end of file means that it is dead."""
        data, handed = receive(self.driver)
        self.handed += handed
        if not data:
            self.driver_gone = True
            self.kill("the death of the driver")
        self.buffer += data
        while b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self.carry_out(json.loads(line))

    def carry_out(self, asked: dict[str, Any]) -> None:
        """Do one thing that the driver has asked for."""
        if "start" in asked:
            self.start(Order(**asked["start"]))
        elif "deadline" in asked:
            seconds = asked["deadline"]
            self.deadline = None if seconds is None else time.monotonic() + seconds
        elif "signal" in asked and self.ended is None and self.pid:
            signal_group(self.pid, asked["signal"])
        elif "kill" in asked:
            self.kill("the driver")
        elif "leave" in asked:
            self.leaving = True

    def kill(self, cause: str) -> None:
        """Kill the kernel's process group; the first cause is the one that counts."""
        if not self.pid:
            self.done = True
        elif self.ended is None:
            self.killed_by = self.killed_by or cause
            signal_group(self.pid, signal.SIGKILL)

    def reap(self) -> bool:
        """Collect every child that ended; return True when no child is left."""
        while True:
            try:
                options = os.WNOHANG | os.WUNTRACED | os.WCONTINUED
                pid, status, usage = os.wait4(-1, options)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid != self.pid or self.ended is not None:
                continue
            if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                stopped = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
                self.say({"stopped": int(stopped)})
                continue
            seconds = usage.ru_utime + usage.ru_stime
            self.ended = (status, usage.ru_maxrss * _MEMORY_UNIT, seconds)

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
                    send_signal(pid, signal.SIGTERM)
            else:
                if self.group is not None:
                    self.group.kill()
                for pid in descendants(os.getpid()):
                    send_signal(pid, signal.SIGKILL)
            time.sleep(0.005)
        signal_group(self.pid, signal.SIGKILL, reaped=True)  # without /proc that is all we can do
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

    def close_handed(self) -> None:
        """Close the descriptors that the driver handed over; the kernel has copies."""
        for fd in self.handed:
            os.close(fd)
        self.handed = []

    def say(self, message: dict[str, Any]) -> None:
        """Tell the driver, if there still is one."""
        try:
            self.driver.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.driver_gone = True


_MEMORY_UNIT = 1 if os.uname().sysname == "Darwin" else 1024  # of ru_maxrss: getrusage(2)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _log_pipe() -> tuple[int, int]:
    log, log_write = os.pipe()
    os.set_blocking(log, False)
    return log, log_write


def _start(order: Order, handed: list[int], group: groups.Group | None) -> tuple[int, int]:
    """Start ``argv`` in ``cwd`` with ``env``; return its pid and where its log comes from.

    ``handed`` are the file descriptors that become 1 and 2; without them both go to a
    pipe of which the guard keeps the tail, and then the second value is its other end.
    """
    log, log_write = (-1, -1) if handed else _log_pipe()
    out, err = handed or (log_write, log_write)
    trouble, trouble_write = os.pipe()
    guard = os.getpid()
    pid = fork()
    if pid == 0:
        become_child(guard, out, err, keep=(trouble_write,))
        _become(order, trouble_write, group)
    os.close(trouble_write)
    if log_write >= 0:
        os.close(log_write)
    what = os.read(trouble, 4096)
    os.close(trouble)
    if what:
        os.waitpid(pid, 0)
        number, _, name = what.decode("utf-8", "replace").partition(" ")
        raise OSError(int(number), os.strerror(int(number)), name)
    return pid, log


def _become(order: Order, trouble: int, group: groups.Group | None) -> None:
    """Turn this fork into the ordered program; never returns."""
    assert order.argv is not None
    where = order.argv[0]
    try:
        joined = group is not None and group.add(os.getpid())
        grouped = joined and group is not None and group.limits_memory
        apply_limits(order, grouped=grouped, fresh=True)
        if order.umask is not None:
            os.umask(order.umask)
        where = order.cwd
        os.chdir(where)
        where = order.argv[0]
        os.set_inheritable(trouble, False)
        os.execvpe(where, order.argv, order.env)
    except OSError as error:
        os.write(trouble, f"{error.errno or 0} {where}".encode("utf-8", "replace"))
    os._exit(127)


def apply_limits(order: Order, *, grouped: bool, fresh: bool = False) -> None:
    """Limit this process, and what it will start, where its control group does not.

    Args:
        order: What it may use.
        grouped: Whether its control group limits the memory.
        fresh: Whether it becomes another program, and so gives back what it has.
    """
    memory = None if grouped else order.memory
    if memory is not None or order.cpu_seconds is not None:
        from sinara.kernels import rlimits

        rlimits.apply(memory, order.cpu_seconds, fresh=fresh)
