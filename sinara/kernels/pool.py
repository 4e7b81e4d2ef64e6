"""The driver's end of :mod:`sinara.kernels.supervisor`: one supervisor, shared by all threads.

It is started when the first kernel is asked for (or a little ahead, by :func:`warm_up`),
and ended with the process, or by :func:`end_all`. One that dies is replaced by a new one at the
next start of a kernel.
"""

from __future__ import annotations

import array
import atexit
import fcntl
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from sinara.errors import KernelDiedError
from sinara.kernels.exits import tail
from sinara.kernels.guard import LOCK
from sinara.kernels.inside import SOCKET_PATH_LIMIT
from sinara.kernels.posix import receive
from sinara.kernels.supervisor import Plan
from sinara.streams import hold_streams

MARK = "SINARA_SUPERVISOR_ID"  # in the environment of the supervisor and of all that it forks
END_SECONDS = 8.0
LONGEST_SOCKET = len("/sinara-k-12345678/k-12345678/s-6")
PREFIX = "sinara-k-"
CODE = (
    "import sys, importlib.util as util; sys.path[:1] = filter(None, sys.path[:1]); "
    "util.find_spec('sinara') or sys.path.append({root!r}); del util; "
    "from sinara.kernels.supervisor import main; main()"
)

# What libraries read when they are loaded, or the interpreter when it starts: a kernel with
# other values than the supervisor's cannot be forked from it.
AT_START = (
    "PYTHON", "LD_", "DYLD_", "LC_", "LANG", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MKL_",
    "BLIS_", "VECLIB_", "NUMEXPR_", "ARROW_", "MALLOC_", "GLIBC_TUNABLES", "NPY_", "VIRTUAL_ENV",
    "CONDA_PREFIX", "PANDAS_",
)  # fmt: skip


class Pool:
    """One supervisor, and the kernels that wait under it."""

    def __init__(self, *, warm: bool, preload: Sequence[str] = ()) -> None:
        self.warm = warm
        self.preload = tuple(preload)
        self.cold: str | None = None if warm else "the settings say so"
        self.refused: dict[str, str] = {}  # module: why it was not imported ahead
        self.mark = os.urandom(8).hex()
        self.environ = dict(os.environ)
        self._lock = threading.RLock()
        self.fresh = False  # whether all imports are done
        self._spares: deque[tuple[bool, socket.socket]] = deque()  # (after all imports, socket)
        self._pending = 0
        self._settled: dict[int, bool] = {}
        self._buffer = b""
        self._handed: deque[int] = deque()
        self._ended = False
        hold_streams()  # our descriptors must not be those of stdin, stdout and stderr
        self.base, self._lock_file = _make_base()
        self._control, theirs = socket.socketpair()
        plan = Plan(os.getpid(), str(self.base), self._lock_file, warm, list(self.preload))
        self._log = self.base / "supervisor.log"
        argv = [sys.executable, "-c", _code(), str(theirs.fileno()), json.dumps(asdict(plan))]
        env = {k: v for k, v in self.environ.items() if k != "JPY_PARENT_PID"}
        try:
            with theirs, self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is the driver's to handle
                    pass_fds=(theirs.fileno(), self._lock_file),
                    env={**env, MARK: self.mark},
                )
        except OSError:
            self._control.close()
            self._let_go_of_base()
            raise

    def _let_go_of_base(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock_file)

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the supervisor can be asked for something."""
        self.drain()
        return not self._ended

    @property
    def last_words(self) -> str:
        """What the supervisor wrote when it could not go on."""
        return tail(self._log)

    def fileno(self) -> int:
        """The descriptor on which the supervisor speaks; to wait for, not to read."""
        return self._control.fileno()

    def misfit(self, env: Mapping[str, str]) -> str | None:
        """Return why a kernel with this environment cannot be forked; ``None`` if it can."""
        if self.cold:
            return self.cold
        names = {name for name in (*env, *self.environ) if name.startswith(AT_START)}
        for name in sorted(names):
            if env.get(name) != self.environ.get(name):
                return f"{name} differs from the value that this process was started with"
        return None

    def guard(self) -> socket.socket:
        """Return a socket to a new guard; at its end of file if there is no supervisor."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            self._send(b'{"guard": true}\n', [theirs.fileno()])
        return ours

    def want(self, number: int) -> None:
        """Note that so many more (or fewer) kernels are waited for."""
        with self._lock:
            self._pending += number
            self._say({"spares": max(1, self._pending), "need": self._pending})

    def expect(self, number: int | None) -> None:
        """Say how many kernels will still be asked for; ``None``: nobody knows."""
        with self._lock:
            self._say({"expect": number})

    def take(self, seconds: float) -> socket.socket | None:
        """Return a socket to a guard with a warm kernel, waiting no longer than this for it."""
        end = time.monotonic() + seconds
        while True:
            with self._lock:
                self.drain()
                if self._spares:
                    fresh, spare = self._spares.popleft()
                    if fresh == self.fresh:
                        self._say({"took": 1})
                    return spare
                if self.cold or self._ended:
                    return None
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._listen(min(left, 0.5))

    def settle(self, guard: int, seconds: float) -> bool:
        """Have everything killed that a dead guard left; True if nothing of it is left."""
        with self._lock:
            self._say({"settle": guard})
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.alive:
            with self._lock:
                if guard in self._settled:
                    return self._settled.pop(guard)
            self._listen(0.05)
        return False

    def drain(self) -> None:
        """Take in what the supervisor has said so far; never waits."""
        with self._lock:
            while not self._ended:
                try:
                    data, handed = receive(self._control, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    return
                self._handed.extend(handed)
                self._ended = not data
                self._buffer += data
                while b"\n" in self._buffer:
                    line, _, self._buffer = self._buffer.partition(b"\n")
                    self._hear(json.loads(line))

    def close(self) -> None:
        """End the supervisor and everything below it, and wait for that."""
        with self._lock:
            self._ended = True
            for _, spare in self._spares:
                spare.close()
            self._spares.clear()
            self._control.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._let_go_of_base()

    def forget(self) -> None:
        """In a fork of this process: let go of what belongs to the parent."""
        self._control.close()
        for _, spare in self._spares:
            spare.close()
        os.close(self._lock_file)
        self._process.returncode = 0  # it is not our child: nobody here may wait for it

    def _hear(self, said: dict[str, object]) -> None:
        if "spare" in said:
            while self._spares and self._spares[0][0] != self.fresh:
                self._spares.popleft()[1].close()  # there is a better one now
            self._spares.append((self.fresh, socket.socket(fileno=self._handed.popleft())))
        elif "fresh" in said:
            self.fresh = True
        elif "refused" in said:
            self.refused[str(said["refused"])] = str(said["why"])
        elif "cold" in said:
            self.cold = str(said["cold"])
        elif "settled" in said:
            self._settled[int(str(said["settled"]))] = bool(said["gone"])

    def _say(self, message: dict[str, object]) -> None:
        self._send(json.dumps(message).encode() + b"\n")

    def _send(self, data: bytes, handed: Sequence[int] = ()) -> None:
        """Send without ever waiting: a supervisor that does not listen is of no use."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", handed))]
        try:
            self._control.sendmsg([data], rights if handed else [], socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._process.kill()
        except OSError:  # it is gone, which is noticed when we listen
            pass

    def _listen(self, seconds: float) -> None:
        """Wait for a word of the supervisor, but no longer than this."""
        if self._control.fileno() >= 0:
            poll = select.poll()
            poll.register(self._control, select.POLLIN)
            poll.poll(seconds * 1000)


_lock = threading.Lock()
_pools: dict[tuple[bool, tuple[str, ...]], Pool] = {}


def pool(*, warm: bool = True, preload: Sequence[str] = ()) -> Pool:
    """Return the supervisor of this process, started now if there is none that lives.

    Args:
        warm: Whether it imports ahead what kernels need.
        preload: Further modules to import ahead.

    Raises:
        KernelDiedError: If it cannot be started.
    """
    key = (warm and sys.platform == "linux", tuple(preload) if warm else ())
    with _lock:
        found = _pools.get(key)
        if found is None or not found.alive:
            if found is not None:
                found.close()
            try:
                found = _pools[key] = Pool(warm=key[0], preload=key[1])
            except OSError as error:
                _pools.pop(key, None)
                where = error.filename or sys.executable
                raise KernelDiedError(
                    f"No kernel can be started: {error.strerror}: {where}. "
                    "Is there room in the folder for temporary files, and for one more process?"
                ) from error
        return found


def any_pool() -> Pool:
    """Return a supervisor for what need not be warm: one that is there, or a small new one."""
    with _lock:
        living = [one for one in _pools.values() if one.alive and (one.fresh or not one.warm)]
    return living[0] if living else pool(warm=False)


def warm_up(*, warm: bool = True, preload: Sequence[str] = (), expect: int | None = None) -> None:
    """Have the supervisor begin its imports, because a kernel will be asked for soon.

    Args:
        warm: As for :func:`pool`.
        preload: As for :func:`pool`.
        expect: How many kernels will be asked for; ``None``: nobody knows.
    """
    with suppress(KernelDiedError):  # told when a kernel is needed
        pool(warm=warm, preload=preload).expect(expect)


def end_all() -> None:
    """End every supervisor of this process, and all kernels with them."""
    with _lock:
        for one in _pools.values():
            one.close()
        _pools.clear()


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()
    for one in _pools.values():
        one.forget()
    _pools.clear()


atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _code() -> str:
    import sinara

    return CODE.format(root=str(Path(sinara.__file__).parent.parent))


def _make_base() -> tuple[Path, int]:
    """Make the folder in which kernels have theirs; its path is short enough for sockets.

    Returns:
        The folder, and the descriptor of its lock: whoever has it open keeps the folder.
    """
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) + LONGEST_SOCKET > SOCKET_PATH_LIMIT:
        parent = "/tmp"
    _remove_abandoned(Path(parent))
    base = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    lock = os.open(base / "new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (base / "new").rename(base / LOCK)
    return base, lock


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of drivers and supervisors that were killed together."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # one that is being made, or somebody else's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # somebody lives
            continue
        finally:
            os.close(lock)
