"""Kernels that die, hang or are told to end, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import nbformat
import pytest

from sinara.execute import execute_notebook
from tests.kernels.kernel_runs import eventually, notebook, papermill_statuses, statuses, texts

GIL_HELD = "import ctypes; ctypes.PyDLL(None).sleep(60)"
SWALLOWS = (
    "import time\nend = time.time() + 60\n"
    "while time.time() < end:\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        print('no')"
)
STOPPED = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
SLEEP = "import time; time.sleep(60)"
BUSY = "while True: pass"
GRANDCHILDREN = """\
import os, subprocess, sys
sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, sleeper)
    os._exit(0)
os.wait()
print("started")
"""


@pytest.mark.parametrize(
    ("way", "number", "code"),
    [("os.kill(os.getpid(), 9)", signal.SIGKILL, None), ("os._exit(0)", None, 0), ("os._exit(7)", None, 7),
     ("import ctypes; ctypes.string_at(0)", signal.SIGSEGV, None), ("os.abort()", signal.SIGABRT, None)],
    ids=["SIGKILL", "exit 0", "exit 7", "segmentation fault", "abort"],
)  # fmt: skip
def test_a_dead_kernel_is_said_to_be_dead(run, marked, way, number, code):
    done = run("import os", f"print('before', flush=True)\n{way}", "print('never')")

    assert done.status == "failed"
    assert statuses(done) == ["done", "failed", "not run"]
    assert papermill_statuses(done) == ["completed", "failed", "pending"]
    assert done.notebook.metadata.papermill.exception is True
    failure = done.failure
    assert (failure.kind, failure.cell, failure.signal, failure.exit_code) == (
        "kernel died",
        1,
        number,
        code,
    )
    assert failure.peak_memory > 10_000_000
    assert "in Cell In [2]" in failure.message
    assert (f"killed by {number.name}" if number else f"exit code {code}") in failure.message
    assert failure.message in texts(done, 1)
    assert marked() == []
    assert run.leftovers == []


def test_the_death_is_told_as_the_end_of_its_cell(run):
    run("import time, os", "print(time.time())\nos.kill(os.getpid(), 9)")
    told = [event for event in run.events if event.kind == "cell_end"][-1]

    assert told.status == "failed"


def test_a_kernel_that_dies_between_two_cells_is_noticed(run):
    done = run(
        "import threading, os, time",
        "threading.Timer(0.3, os._exit, (4,)).start()",
        *["time.sleep(0.2)"] * 5,
    )

    assert (done.failure.kind, done.failure.exit_code) == ("kernel died", 4)
    assert "not run" in statuses(done)


def test_a_kernel_that_cannot_start_is_said_to_be_so_with_its_last_words(run):
    env = {**run.env, "PYTHONHOME": "/nonexistent"}
    done = run("1", env=env)

    assert (done.status, done.failure.kind, statuses(done)) == (
        "failed",
        "kernel died",
        ["not run"],
    )
    assert "died while it started" in done.failure.message
    assert papermill_statuses(done) == ["pending"]
    assert any("encodings" in line for line in done.failure.traceback)


@pytest.mark.parametrize(
    "cell", [SLEEP, BUSY, GIL_HELD, SWALLOWS], ids=["sleep", "busy", "GIL", "swallows"]
)
@pytest.mark.parametrize("name", ["cell_timeout", "run_timeout"])
def test_a_limit_ends_whatever_hangs(run, marked, cell, name):
    seconds = 2.5 if name == "run_timeout" else 0.7
    done = run("print('first')", cell, "print('never')", **{name: seconds})

    assert done.status == "failed"
    assert statuses(done) == ["done", "failed", "not run"]
    assert (done.failure.kind, done.failure.cell) == ("timeout", 1)
    assert f"of {seconds:g} s is over in Cell In [2]" in done.failure.message
    assert ("cell limit" if name == "cell_timeout" else "run limit") in done.failure.message
    assert marked() == []


def test_a_kernel_that_is_stopped_is_told_and_ended(run, marked):
    done = run("print('first')", STOPPED, "print('never')")

    assert statuses(done) == ["done", "failed", "not run"]
    assert (done.failure.kind, done.failure.signal) == ("kernel died", signal.SIGSTOP)
    assert "stopped answering in Cell In [2]" in done.failure.message
    assert marked() == []


def test_a_kernel_that_was_stopped_and_goes_on_is_left_alone(run):
    done = run(
        "import os, signal, subprocess\n"
        "subprocess.Popen(['sh', '-c', f'sleep 0.2; kill -CONT {os.getpid()}'])\n"
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "import time; time.sleep(2)",
    )

    assert done.status == "succeeded"


def test_the_guard_ends_a_cell_at_its_limit_when_the_driver_is_stuck(run, marked, monkeypatch):
    monkeypatch.setattr("sinara.kernels.watch.WATCHDOG_SECONDS", 0.5)
    alive = []

    def stuck(event):
        if event.kind == "stream":
            time.sleep(2.5)
            alive.extend(marked())

    done = run(
        "print('now', flush=True)\nimport time; time.sleep(60)", cell_timeout=0.5, on_event=stuck
    )

    assert alive == []
    assert done.failure.kind == "timeout"


def test_a_cell_limit_is_for_each_cell_alone(run):
    done = run(*["import time; time.sleep(0.5)"] * 3, cell_timeout=1.2)

    assert done.status == "succeeded"


def test_a_kernel_that_takes_too_long_to_start_is_ended(run, tmp_path, marked):
    (tmp_path / "share" / "kernels" / "slow").mkdir(parents=True)
    (tmp_path / "share" / "kernels" / "slow" / "kernel.json").write_text(
        '{"argv": ["/bin/sleep", "60", "{connection_file}"], "language": "none"}'
    )
    os.environ["JUPYTER_PATH"] = str(tmp_path / "share")
    try:
        done = run("1", kernel_name="slow", start_timeout=0.5)
    finally:
        del os.environ["JUPYTER_PATH"]

    assert done.failure.kind == "timeout" or "died while it started" in done.failure.message
    assert marked() == []


@pytest.mark.parametrize(
    "ending", ["pass", "1/0", "os.kill(os.getpid(), 9)", "import time; time.sleep(60)"]
)
def test_nothing_that_a_notebook_starts_outlives_it(run, marked, ending):
    done = run(GRANDCHILDREN, ending, cell_timeout=1.5)

    assert texts(done, 0) == "started\n"
    assert marked() == []


def test_what_a_notebook_starts_is_asked_before_it_is_killed_and_atexit_work_is_done(run, tmp_path):
    child = (
        "import signal, sys, time, pathlib\n"
        f"signal.signal(signal.SIGTERM, lambda *a: (pathlib.Path({str(tmp_path)!r}, 'asked').touch(), sys.exit()))\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    run(
        f"import atexit, subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=-1)\n"
        f"child.stdout.readline()\natexit.register(lambda: open({str(tmp_path / 'bye')!r}, 'w').close())"
    )

    assert (tmp_path / "asked").exists()
    assert (tmp_path / "bye").exists()


def test_a_grandchild_that_ignores_signals_is_gone_too(run, marked):
    code = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(60)"
    run(
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {code!r}], start_new_session=True)"
    )

    assert marked() == []


DRIVER = """\
import os, sys
from pathlib import Path
import nbformat
from sinara.execute import ExecuteOptions, execute_notebook
folder = Path(sys.argv[1])
nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sys.argv[2:]])
options = ExecuteOptions(runtime_folder=folder / "rt", cwd=folder, env=dict(os.environ))
done = execute_notebook(nb, folder / "out.ipynb", options)
print(done.status, done.failure.kind, done.failure.signal, done.failure.message, sep="|")
"""


@pytest.fixture
def driver(run, tmp_path):
    """Start a process that executes cells, and wait until the first cell has run."""
    started = []

    def start(*cells: str) -> subprocess.Popen[str]:
        flag = tmp_path / "flag"
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), GRANDCHILDREN, f"open({str(flag)!r}, 'w').close()", *cells],
            env=run.env, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        assert eventually(flag.exists, 30)
        time.sleep(0.3)  # the next cell has begun
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "cell", [SLEEP, BUSY, GIL_HELD, STOPPED], ids=["sleep", "busy", "GIL", "stopped"]
)
def test_when_the_driver_is_killed_nothing_is_left(run, driver, marked, cell):
    process = driver(cell)
    assert len(marked()) >= 4

    process.kill()

    assert eventually(lambda: marked() == [], 2.0)
    assert eventually(lambda: run.leftovers == [], 2.0)
    nbformat.read(run.output, as_version=4)


def test_when_the_guard_is_killed_nothing_is_left(run, driver, marked):
    process = driver(SLEEP)
    kernel = next(found for found in marked() if found.name() == "sinara-kernel")

    kernel.parent().kill()

    out, _ = process.communicate(timeout=20)
    assert out.startswith("failed|kernel died|")
    assert marked() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_driver_ends_the_run_and_keeps_what_there_is(run, driver, marked, number):
    process = driver(SLEEP, "print('never')")

    process.send_signal(number)

    out, _ = process.communicate(timeout=20)
    assert out.startswith(
        f"cancelled|interrupted|{int(number)}|Stopped by {number.name} in Cell In [3]"
    )
    assert marked() == []
    kept = nbformat.read(run.output, as_version=4)
    assert [cell.metadata.sinara.status for cell in kept.cells] == [
        "done",
        "done",
        "failed",
        "not run",
    ]
    assert "started" in kept.cells[0].outputs[0].text


@pytest.mark.parametrize("cell", [GIL_HELD, SWALLOWS])
def test_a_signal_ends_what_does_not_listen_in_bounded_time(driver, marked, cell):
    process = driver(cell)
    began = time.monotonic()

    process.terminate()

    out, _ = process.communicate(timeout=20)
    assert out.startswith("cancelled")
    assert time.monotonic() - began < 12
    assert marked() == []


def test_a_second_signal_hurries(driver, marked):
    process = driver(SWALLOWS)

    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)

    began = time.monotonic()
    process.communicate(timeout=20)
    assert time.monotonic() - began < 4
    assert marked() == []


def test_handlers_are_as_before_after_a_run(run):
    def mine(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGTERM, mine)
    try:
        run("1")
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_driver_under_nohup_goes_on(run, tmp_path):
    script = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + DRIVER.replace(
        "done.failure.", "done."
    )
    script = script.replace(", done.kind, done.signal, done.message", "")
    cell = "import os, signal\nos.kill(int(os.environ['DRIVER']), signal.SIGHUP)"
    env = {**run.env, "DRIVER": "0"}
    process = subprocess.run(
        [sys.executable, "-c", script.replace("env=dict(os.environ)", "env={**os.environ, 'DRIVER': str(os.getpid())}"),
         str(tmp_path), cell], env=env, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert process.stdout.startswith("succeeded")


def test_many_notebooks_run_at_once(run, marked, tmp_path):
    answers = {}

    def one(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        options = run.options(runtime_folder=tmp_path / "rt", cwd=folder, on_event=None)
        answers[number] = execute_notebook(
            notebook(f"print({number})"), folder / "out.ipynb", options
        )

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {number: texts(done, 0) for number, done in answers.items()} == {
        n: f"{n}\n" for n in range(16)
    }
    assert marked() == []


def test_a_driver_that_runs_many_notebooks_leaks_nothing(run):
    import psutil

    own = psutil.Process()
    run("1")
    before = own.num_fds(), own.num_threads(), len(own.children())

    for _ in range(3):
        run("1")
        run("import os; os._exit(1)")

    assert (own.num_fds(), own.num_threads(), len(own.children())) == before
    assert run.leftovers == []
