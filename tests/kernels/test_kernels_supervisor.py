"""Whoever dies, and however: nothing is left, and what is told is true."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import psutil
import pytest

from tests.kernels.kernel_runs import eventually

DRIVER = """\
import os, sys
from pathlib import Path
import nbformat
from sinara.execute import ExecuteOptions, execute_notebook
folder = Path(sys.argv[1])
nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sys.argv[3:]])
options = ExecuteOptions(runtime_folder=folder / "rt", cwd=folder, env=dict(os.environ), warm=sys.argv[2] == "warm")
done = execute_notebook(nb, folder / "out.ipynb", options)
print(done.status, done.failure and done.failure.kind, done.failure and done.failure.message, sep="|")
"""
ORPHANS = """\
import os, subprocess, sys
sleeper = [sys.executable, "-c", "import time; time.sleep(90)"]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, start_new_session=True)
subprocess.Popen(sleeper, start_new_session=True, env={})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, sleeper)
    os._exit(0)
os.wait()
if os.fork() == 0:
    os.setsid()
    import time
    time.sleep(90)
"""
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP]
STATES = {
    "idle": "import os; open('now', 'w').close()\nos.kill(os.getppid(), 0)",
    "in Python": "open('now', 'w').close()\nwhile True: pass",
    "in C with the GIL": "import ctypes; open('now', 'w').close(); ctypes.PyDLL(None).sleep(90)",
    "in a subprocess": "import subprocess; open('now', 'w').close(); subprocess.run(['sleep', '90'])",
    "in native threads": "import hashlib, threading\nall = [threading.Thread(target=lambda: hashlib.pbkdf2_hmac('sha256', b'x', b'y', 10**9)) for _ in range(3)]\nfor one in all: one.start()\nopen('now', 'w').close()\nfor one in all: one.join()",
    "during its end": "import atexit, time\natexit.register(lambda: (open('now', 'w').close(), time.sleep(90)))",
}  # fmt: skip


class Driver:
    """A process that executes notebooks, and everything below it."""

    def __init__(self, folder: Path, env: dict[str, str], how: str, *cells: str) -> None:
        self.folder = folder
        self.temporary = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))  # short, for sockets
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(folder), how, *cells],
            env={**env, "TMPDIR": str(self.temporary)}, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert eventually((folder / "now").exists, 60)
        self.below = [self.process.pid, *self._below()]

    def _below(self) -> list[int]:
        return [p.pid for p in psutil.Process(self.process.pid).children(recursive=True)]

    def one(self, name: str) -> int:
        """Return the process that ps shows by this name, the kernel's own if there are several."""
        named = [psutil.Process(pid) for pid in self.below if psutil.pid_exists(pid)]
        kernel = next(p for p in named if p.name() in {"sinara-kernel", "python"} and p.pid != self.process.pid and p.parent().name() == "sinara-guard")  # fmt: skip
        found = {"driver": self.process.pid, "kernel": kernel.pid, "guard": kernel.ppid()}
        return {**found, "supervisor": psutil.Process(found["guard"]).ppid()}[name]

    def left(self) -> list[str]:
        """Return what still lives of all that was below the driver, and what lies about."""
        alive = []
        for pid in self.below:
            try:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and pid != self.process.pid:
                    alive.append(f"{pid} {process.name()}")
            except psutil.Error:
                continue
        return alive

    def files(self) -> list[str]:
        """Return sockets, connection files and folders that are left."""
        places = [self.temporary, self.folder / "rt"]
        return [str(path) for place in places if place.exists() for path in place.rglob("*")]


@pytest.fixture
def driver(run, tmp_path) -> Iterator[Callable[..., Driver]]:
    """A function that starts a driver and waits until its last cell has begun."""
    started: list[Driver] = []

    def start(*cells: str, how: str = "warm") -> Driver:
        started.append(Driver(tmp_path, run.env, how, *cells))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()
        shutil.rmtree(one.temporary, ignore_errors=True)
        for pid in one.below:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("number", SIGNALS, ids=[number.name for number in SIGNALS])
def test_a_kernel_that_dies_takes_everything_with_it(driver, number, state):
    going = driver(ORPHANS, STATES[state], "import time; time.sleep(90)") if state == "idle" else driver(ORPHANS, STATES[state])  # fmt: skip
    kernel = going.one("kernel")

    os.kill(kernel, number)

    if number in {signal.SIGTERM, signal.SIGHUP}:  # may be dealt with, by Python or a library
        going.process.terminate()
    out, _ = going.process.communicate(timeout=40)
    assert eventually(lambda: going.left() == [], 2), going.left()
    assert eventually(lambda: going.files() == [], 10), going.files()
    if not out:  # the signal came when no notebook was under way any more
        assert number in {signal.SIGTERM, signal.SIGHUP}
        return
    status, kind, message = out.strip().split("|")
    if state == "during its end":
        assert status in {"succeeded", "cancelled"}
    elif number in {signal.SIGKILL, signal.SIGSEGV}:
        assert (status, kind) == ("failed", "kernel died")
        assert number.name in message
    else:
        assert status in {"failed", "cancelled"}
    cells = nbformat.read(going.folder / "out.ipynb", as_version=4).cells
    if state not in {"during its end", "idle"}:
        assert [cell.metadata.sinara.status for cell in cells] == ["done", "failed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "number"),
    [("warm", signal.SIGKILL), ("warm", signal.SIGTERM), ("cold", signal.SIGKILL)],
    ids=["warm SIGKILL", "warm SIGTERM", "cold SIGKILL"],
)
@pytest.mark.parametrize(
    "dead",
    ["driver", "supervisor", "guard", "driver supervisor", "driver guard", "driver kernel", "supervisor kernel", "guard kernel"],
)  # fmt: skip
def test_when_any_of_them_dies_all_are_gone(driver, dead, number, how):
    going = driver(ORPHANS, "open('now', 'w').close(); import time; time.sleep(90)", how=how)
    victims = [going.one(name) for name in dead.split()]

    for victim in victims:
        with contextlib.suppress(ProcessLookupError):  # it died with the one before
            os.kill(victim, number)

    if "driver" not in dead:
        out, _ = going.process.communicate(timeout=30)
        assert out.startswith("failed|kernel died|")
        assert (
            "of its supervisor" in out
            or "death of its" in out
            or "signal to its guard" in out
            or "SIGTERM" in out
            or "SIGKILL" in out
        )
    assert eventually(lambda: going.left() == [], 8 if number == signal.SIGTERM else 4), (
        going.left()
    )
    assert eventually(lambda: going.files() == [], 10), going.files()


def test_supervisor_and_guard_killed_at_once_leave_nothing_that_kept_its_environment(driver):
    orphans = ORPHANS.replace("subprocess.Popen(sleeper, start_new_session=True, env={})", "")
    going = driver(orphans, "open('now', 'w').close(); import time; time.sleep(90)")
    guard, supervisor = going.one("guard"), going.one("supervisor")

    os.kill(supervisor, signal.SIGSTOP)  # so that it cannot see to the guard's orphans
    os.kill(guard, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)

    out, _ = going.process.communicate(timeout=30)
    assert out.startswith("failed|kernel died|")
    assert eventually(lambda: going.left() == [], 4)


def test_what_driver_and_supervisor_left_when_both_were_killed_is_removed_by_the_next(driver, run):
    going = driver("open('now', 'w').close(); import time; time.sleep(90)")
    victims = [going.one(name) for name in ("driver", "supervisor", "guard")]
    for victim in victims:
        os.kill(victim, signal.SIGSTOP)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    assert going.files() != []

    env = {**run.env, "TMPDIR": str(going.temporary)}
    code = "from sinara.kernels.pool import pool; pool(warm=False)"
    subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=60)

    assert going.files() == []


def test_kernels_start_by_the_dozen(run, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from sinara.kernels.launch import start_ahead

    def one(number: int) -> bool:
        kernel = start_ahead(run.options())
        there = eventually(lambda: kernel.connection() is not None, 60)
        return there and kernel.process.is_warm and kernel.close()

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(one, range(48)))
