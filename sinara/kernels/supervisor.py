"""The supervisor: one process that makes the kernels of one driver, and sees to their end.

It imports ahead what kernels need, and then only forks::

    driver ◄──control──► supervisor ──fork──► guard ──fork──► kernel, warm or ordinary
       └───────────────a socket of its own──────┘

The driver says ``{"guard": true}`` and sends a socket with it: a guard is forked that
listens there for what to start. ``{"spares": n, "need": m}`` says how many warm kernels are
to wait, and how many somebody waits for; ``{"expect": n or null}`` how many will still be
asked for. Each is sent as ``{"spare": pid}`` with its socket, and ``{"took": 1}`` says that one of
them is used. ``{"settle": pid}`` asks whether everything below a dead guard is gone. The
supervisor says ``{"refused": module, "why": ...}`` for a module that must not be imported
ahead, ``{"fresh": true}`` when all imports are done (so that what has waited since before is
stale), and ``{"cold": why}`` if it can make no warm kernels at all.

It is the second subreaper: what a guard leaves behind when it is killed becomes the
supervisor's own child, and is killed at once. When the driver is gone, so is everything.
Standard library only, up to the preloaded modules.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sinara.kernels import preload
from sinara.kernels.guard import Guard
from sinara.kernels.posix import (
    ENDING,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    children,
    close_all_but,
    descendants,
    fork,
    hand_over_signals,
    prctl,
    receive,
    send_signal,
    set_name,
)

TICK = 0.5
END_SECONDS = 6.0  # a guard's own sweep takes at most five
PROBE_SECONDS = 60.0  # for a module of the settings to be imported


@dataclass
class Plan:
    """What the driver wants; it stays when the supervisor starts itself afresh.

    Attributes:
        driver: The driver's process id.
        base: Where the folders of kernels are made; removed at the end.
        lock: The descriptor that keeps the folder, as long as somebody has it open.
        warm: Whether there are to be warm kernels.
        preload: What the settings name to be imported ahead.
        refused: Modules that must not be imported ahead.
        guards: The guards that live.
        spares: How many warm kernels are to wait.
        need: How many somebody waits for at this moment.
        expect: How many kernels will still be asked for; ``None``: nobody knows.
        made: How many warm kernels were forked.
        waiting: How many of them were sent to the driver, and not taken yet.
    """

    driver: int
    base: str
    lock: int
    warm: bool
    preload: list[str]
    refused: list[str] = field(default_factory=list)
    guards: list[int] = field(default_factory=list)
    spares: int = 1
    need: int = 0
    expect: int | None = None
    made: int = 0
    waiting: int = 0


def main() -> None:
    """Serve the driver whose socket is named in the arguments, until it is gone."""
    descriptor, plan = sys.argv[1:3]
    control = socket.socket(fileno=int(descriptor))
    supervisor = Supervisor(control, Plan(**json.loads(plan)))
    try:
        supervisor.run()
    except DriverGone:
        pass
    except BaseException:  # a fault of ours: told where the driver finds it
        sys.__excepthook__(*sys.exc_info())
        supervisor.end(keep_log=True)
        os._exit(1)
    supervisor.end()
    os._exit(0)


class DriverGone(BaseException):
    """The driver closed its end while something was imported."""


@contextlib.contextmanager
def ended_by(control: socket.socket) -> Iterator[None]:
    """Break off what is done here, an import of a second perhaps, when the driver is gone."""

    def look(number: int, frame: object) -> None:
        del number, frame
        with contextlib.suppress(OSError):
            if not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise DriverGone

    if not hasattr(os, "O_ASYNC"):
        yield
        return
    before = signal.signal(signal.SIGIO, look)
    flags = fcntl.fcntl(control, fcntl.F_GETFL)
    fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(control, fcntl.F_SETFL, flags | os.O_ASYNC)
    try:
        look(0, None)
        yield
    finally:
        fcntl.fcntl(control, fcntl.F_SETFL, flags)
        signal.signal(signal.SIGIO, before)


class Supervisor:
    """Forks guards, and reaps what they leave."""

    def __init__(self, control: socket.socket, plan: Plan) -> None:
        self.control = control
        control.set_inheritable(False)
        control.setblocking(True)
        self.plan = plan
        self.wake = hand_over_signals()
        self.buffer = b""
        self.handed: list[int] = []
        self.over = False
        self.guards = set(plan.guards)
        self.added: dict[str, str] = {}  # by imports, to the environment
        self.environ = dict(os.environ)  # as it was before any import
        self.able = False  # whether warm kernels can be forked by now
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_DUMPABLE, 0)  # no notebook may look into this process, or write to it
        set_name("sinara-superv")

    def run(self) -> None:
        """Import step by step, and serve the driver in between and afterwards."""
        imports = self.imports() if self.plan.warm else iter(())
        while not self.over:
            imported = next(imports, "")
            self.serve(0 if imported else TICK)

    def imports(self) -> Iterator[str]:
        """Import one module after the other; give its name, or nothing while that can wait."""
        before = dict(os.environ)
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # as in sinara.kernels.boot
        for module in preload.KERNEL:
            self.load(module)
        self.able = True
        self.added = preload.changes(before, dict(os.environ))
        self.freeze()
        yield "ipykernel"
        for module in preload.modules(self.plan.preload):
            while not self.expects_more():
                yield ""  # nobody will need it
            if module in self.plan.preload and module not in self.plan.refused:
                yield from self.try_out(module)
            if module not in self.plan.refused:
                self.load(module)
            self.added = preload.changes(before, dict(os.environ))
            self.freeze()
            yield module
        self.plan.made -= self.plan.waiting
        self.plan.waiting = 0  # those that wait since before are replaced
        self.say({"fresh": True})

    def try_out(self, module: str) -> Iterator[str]:
        """Import a module of the settings in a process that may die of it, or hang."""
        reading, writing = os.pipe()
        pid = fork()
        if pid == 0:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.write(writing, (preload.preload(module) or "").encode()[:4000] + b"\n")
            os._exit(0)
        os.close(writing)
        self.guards.add(pid)  # one of ours
        end = time.monotonic() + PROBE_SECONDS
        while pid in self.guards and time.monotonic() < end:
            yield ""
        send_signal(pid, signal.SIGKILL)
        os.set_blocking(reading, False)
        try:
            said = os.read(reading, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            said = ""
        os.close(reading)
        late = f"it takes longer than {PROBE_SECONDS:g} s" if pid in self.guards else ""
        why = said.strip() if said.endswith("\n") else late or "the process that imports it dies"
        if why:
            self.plan.refused.append(module)
            self.say({"refused": module, "why": why})

    def load(self, module: str) -> None:
        """Import one module; start afresh without it if it is not fit to be imported ahead."""
        with ended_by(self.control):
            why = preload.preload(module)
        if why is None and module in self.plan.preload and module not in sys.modules:
            self.say({"refused": module, "why": "it is not installed here"})
        if why is None:
            return
        self.say({"refused": module, "why": why})
        self.plan.refused.append(module)
        if module in preload.KERNEL:
            self.say({"cold": f"{module}: {why}"})
            self.plan.warm = False
        self.start_afresh()

    def start_afresh(self) -> None:
        """Become a new supervisor, with the same driver and the same guards."""
        self.plan.guards = sorted(self.guards)
        kept = (self.control.fileno(), self.plan.lock)
        for descriptor in kept:
            os.set_inheritable(descriptor, True)
        signal.set_wakeup_fd(-1)
        argv = [*sys.orig_argv[:-2], str(self.control.fileno()), json.dumps(vars(self.plan))]
        close_all_but((0, 1, 2, *kept))
        os.execve(sys.executable, argv, self.environ)

    @staticmethod
    def freeze() -> None:
        """Keep the collector away from what all kernels share: it would copy the pages."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def serve(self, seconds: float) -> None:
        """Handle what happens next, for at most so many seconds."""
        self.refill()
        control = self.control.fileno()
        ready = select.select([control, self.wake], [], [], seconds)[0]
        if self.wake in ready:
            told = set(os.read(self.wake, 4096))
            self.over = self.over or bool(told & ENDING)
        if control in ready:
            self.obey()
        if os.getppid() != self.plan.driver:
            self.over = True
        self.reap()

    def obey(self) -> None:
        """Do what the driver asks for; an end of file means that it is gone."""
        data, handed = receive(self.control)
        self.handed += handed
        self.over = self.over or not data
        self.buffer += data
        while b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self.carry_out(json.loads(line))

    def carry_out(self, asked: dict[str, Any]) -> None:
        """Do one thing that the driver has asked for."""
        if "guard" in asked:
            driver = socket.socket(fileno=self.handed.pop(0))
            with contextlib.suppress(OSError):  # no more processes: the driver sees the end of it
                self.fork_guard(driver, warm=False)
            driver.close()
        elif "spares" in asked:
            self.plan.spares, self.plan.need = asked["spares"], asked["need"]
        elif "expect" in asked:
            expect = asked["expect"]
            self.plan.expect = (
                None if expect is None else self.plan.made - self.plan.waiting + expect
            )
        elif "took" in asked:
            self.plan.waiting = max(0, self.plan.waiting - 1)
        elif "settle" in asked:
            self.say({"settled": asked["settle"], "gone": self.settle()})

    def refill(self) -> None:
        """Fork warm kernels until enough of them wait."""
        while (
            self.able
            and not self.over
            and self.plan.waiting < self.plan.spares
            and (self.expects_more() or self.plan.waiting < self.plan.need)
        ):
            try:
                ours, theirs = socket.socketpair()
            except OSError:  # too many files are open; with the next tick, perhaps
                return
            try:
                pid = self.fork_guard(ours, warm=True)
            except OSError:  # too many processes
                theirs.close()
                return
            finally:
                ours.close()
            self.plan.made += 1
            self.plan.waiting += 1
            self.say({"spare": pid}, theirs)
            theirs.close()

    def expects_more(self) -> bool:
        """Whether more kernels may be asked for than were forked so far."""
        return self.plan.expect is None or self.plan.made < self.plan.expect

    def fork_guard(self, driver: socket.socket, *, warm: bool) -> int:
        """Fork a guard that serves ``driver``; with ``warm`` it has a kernel ready."""
        supervisor = os.getpid()
        pid = fork()
        if pid == 0:
            try:
                self.be_guard(driver, supervisor, warm=warm)
            except BaseException:  # there is nobody to catch it
                sys.__excepthook__(*sys.exc_info())
            os._exit(0)
        self.guards.add(pid)
        return pid

    def be_guard(self, driver: socket.socket, supervisor: int, *, warm: bool) -> None:
        """In the fork: be a guard until all is over."""
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_DUMPABLE, 0)
        set_name("sinara-guard")
        signal.set_wakeup_fd(-1)
        self.control.detach()
        close_all_but((0, 1, 2, driver.fileno()))
        prepared = None
        if warm:
            from sinara.kernels.warm import WarmKernel

            folder = f"{self.plan.base}/k-{os.getpid()}"
            prepared = WarmKernel(folder, dict(self.added))
        Guard(driver, supervisor, self.plan.base).serve(prepared)

    def reap(self) -> bool:
        """Collect every child that ended; kill what dead guards left; True if that is gone."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.guards.clear()
                return True
            if pid == 0:
                break
            self.guards.discard(pid)
            shutil.rmtree(f"{self.plan.base}/k-{pid}", ignore_errors=True)  # if it was killed
        orphans = [pid for pid in children(os.getpid()) if pid not in self.guards]
        for orphan in orphans:
            for pid in (*descendants(orphan), orphan):
                send_signal(pid, signal.SIGKILL)
        return not orphans

    def settle(self) -> bool:
        """Kill what dead guards left; True if nothing of it is left."""
        end = time.monotonic() + 2.0
        while not self.reap():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def end(self, *, keep_log: bool = False) -> None:
        """Wait for the guards to end what they guard; kill what takes too long."""
        with contextlib.suppress(OSError):
            self.control.close()
        end = time.monotonic() + END_SECONDS
        for guard in self.guards:
            send_signal(guard, signal.SIGHUP)
        while True:
            self.reap()
            if not self.guards and not children(os.getpid()):
                break
            if time.monotonic() > end:
                for pid in descendants(os.getpid()):
                    send_signal(pid, signal.SIGKILL)
                break
            select.select([self.wake], [], [], 0.02)
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake, 4096)
        if not keep_log:
            shutil.rmtree(self.plan.base, ignore_errors=True)

    def say(self, message: dict[str, Any], handed: socket.socket | None = None) -> None:
        """Tell the driver, if there still is one."""
        data = json.dumps(message).encode() + b"\n"
        try:
            if handed is None:
                self.control.sendall(data)
            else:
                socket.send_fds(self.control, [data], [handed.fileno()])
        except OSError:
            self.over = True
