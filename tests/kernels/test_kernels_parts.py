"""The parts between driver and kernel, one by one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.kernels import processes, signals
from sinara.kernels.exits import Exit, signal_name
from sinara.kernels.failures import cell_line, out_of_memory_kills, plain
from sinara.kernels.plain import PlainProcess
from sinara.kernels.posix import descendants
from sinara.kernels.wire import DELIMITER, Wire
from tests.kernels.kernel_runs import eventually, statuses, texts

PYTHON = sys.executable


def frames(parts):
    return [memoryview(part) for part in parts]


def test_a_message_arrives_as_it_was_sent():
    wire = Wire("key")
    identity, parts = wire.request("stream", {"name": "stdout", "text": "é\ud800"})
    message = Wire("key").read(frames([b"who", *parts]))

    assert (message.kind, message.content["text"]) == ("stream", "é\ud800")
    assert json.loads(parts[2])["msg_id"] == identity


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_noise_is_no_message(parts):
    assert Wire("key").read(frames(parts)) is None
    assert Wire("").read(frames([DELIMITER, *parts])) is None or len(parts) >= 5


def test_a_message_with_a_wrong_signature_is_not_read():
    _, parts = Wire("other key").request("stream", {})

    assert Wire("key").read(frames(parts)) is None


@pytest.mark.parametrize("text", ["x" * 500, "é✓" * 200, '\\n"' * 200, "\U0001f600" * 200])
@pytest.mark.parametrize("limit", range(60, 76))
def test_a_stream_that_is_too_long_keeps_its_beginning(text, limit):
    content = json.dumps({"name": "stderr", "text": text}).encode()
    wire = Wire("key", limit=limit)
    _, parts = wire.request("stream", {})
    parts[5] = content
    parts[1] = wire._sign(parts[2:6])

    message = wire.read(frames(parts))

    assert message.content["name"] == "stderr"
    assert text.startswith(message.content["text"])
    assert len(message.content["text"]) > 1
    assert message.dropped > 0


def test_anything_else_that_is_too_long_is_left_out():
    wire = Wire("key", limit=50)
    _, parts = wire.request("display_data", {"data": {"text/plain": "x" * 500}})

    message = wire.read(frames(parts))

    assert (message.kind, message.content) == ("display_data", {})
    assert message.dropped > 500


@pytest.fixture(params=[processes.start, PlainProcess], ids=["guarded", "plain"])
def start(request, tmp_path):
    """A function that starts Python code with and without a guard."""
    started = []

    def begin(code, **more):
        given = {"env": dict(os.environ), "cwd": tmp_path, **more}
        started.append(request.param([PYTHON, "-c", code], **given))
        return started[-1]

    yield begin
    for process in started:
        process.close()


def test_a_process_says_how_it_ended_and_what_it_said(start):
    process = start("import sys; print('said'); sys.exit(3)")

    how = process.wait(20)

    assert (how.code, how.signal, how.killed_by) == (3, None, None)
    assert how.log == "said\n"
    assert process.poll() is how


def test_only_the_end_of_a_long_log_is_kept(start):
    how = start("print('x' * 500_000); print('end')").wait(20)

    assert len(how.log) <= 16_000
    assert how.log.endswith("end\n")


def test_a_signal_arrives(start):
    process = start("import time; print('up', flush=True); time.sleep(60)")
    time.sleep(0.5)

    process.send_signal(signal.SIGTERM)

    assert process.wait(20).signal == signal.SIGTERM


def test_a_deadline_kills_from_outside_unless_it_is_taken_back(start):
    late, early = start("import time; time.sleep(60)"), start("import time; time.sleep(60)")
    late.set_deadline(0.2)
    early.set_deadline(0.2)
    early.set_deadline(None)

    how = late.wait(20)

    assert (how.signal, how.killed_by) == (signal.SIGKILL, "the watchdog")
    assert early.wait(0.3) is None


def test_a_process_is_killed_when_it_is_closed_and_its_folders_are_gone(start, tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    process = start("import time; time.sleep(60)", folders=[folder])
    assert process.wait(0.2) is None

    assert process.close()
    assert process.close()

    assert process.poll().killed_by == "the driver"
    assert not folder.exists()


def test_a_program_that_is_not_there_has_never_started(start, tmp_path):
    process = start("pass", cwd=tmp_path / "no such folder")

    how = process.wait(20)

    assert how.killed_by == "never started"
    assert "no such folder" in how.log


def test_output_goes_where_it_is_told_to(start):
    reading, writing = os.pipe()
    process = start(
        "import sys; print('out'); print('err', file=sys.stderr)", stdio=(writing, writing)
    )
    os.close(writing)

    process.wait(20)

    with os.fdopen(reading) as pipe:
        assert sorted(pipe.read().split()) == ["err", "out"]


def test_a_guard_told_to_end_kills_what_it_guards(tmp_path):
    process = processes.start([PYTHON, "-c", "import time; time.sleep(60)"], env={}, cwd=tmp_path)
    assert process.wait(0.5) is None

    psutil.Process(process.pid).parent().terminate()

    how = process.wait(5)
    assert process.close()
    assert (how.code, how.signal, how.killed_by) == (None, 9, "a signal to its guard")


def test_a_supervisor_that_never_gets_an_order_ends_with_its_driver():
    code = "from sinara.kernels.pool import pool\nprint(pool(warm=False).pid, flush=True)\nimport os; os._exit(0)"
    pid = int(
        subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout
    )

    assert eventually(
        lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text(), 5
    )


def test_descendants_are_found_at_any_depth():
    child = subprocess.Popen(["sh", "-c", "sleep 30 & sleep 30"])
    try:
        assert eventually(lambda: len(set(descendants(os.getpid())) - {child.pid}) >= 2, 5)
        assert child.pid in descendants(os.getpid())
    finally:
        for pid in descendants(child.pid):
            os.kill(pid, signal.SIGKILL)
        child.kill()
        child.wait()


def test_a_notebook_runs_where_there_is_no_posix(run, monkeypatch):
    monkeypatch.setattr(processes, "IS_POSIX", False)

    done = run("print('plain')", "import os; os._exit(3)", "1")

    assert texts(done, 0) == "plain\n"
    assert statuses(done) == ["done", "failed", "not run"]
    assert done.failure.exit_code == 3
    assert run.leftovers == []


def test_a_limit_ends_a_kernel_where_there_is_no_posix(run, monkeypatch):
    monkeypatch.setattr(processes, "IS_POSIX", False)

    done = run("import ctypes; ctypes.PyDLL(None).sleep(60)", cell_timeout=0.5)

    assert done.failure.kind == "timeout"


def test_signals_are_noted_and_not_raised():
    before = signal.getsignal(signal.SIGINT)

    with signals.caught() as seen:
        os.kill(os.getpid(), signal.SIGINT)
        assert (seen.first, seen.urgent) == (signal.SIGINT, False)
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen.urgent
        assert os.read(seen.wake, 10) == b"!!"
        seen.acted_on = True

    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_came_too_late_is_passed_on():
    with pytest.raises(KeyboardInterrupt), signals.caught():
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_without_a_name_has_a_number():
    assert signal_name(9) == "SIGKILL"
    assert signal_name(50) == "signal 50"
    assert Exit().text == "an unknown cause"


@pytest.mark.parametrize(
    ("text", "count", "line"),
    [
        ("Cell In[3], line 2\n      1 x\n----> 2 1/0", 3, 2),
        ("Cell In [3], line 12", 3, 12),
        ("File f.py:4\nCell In[1], line 9\nCell In[3], line 7\nCell In[1], line 2", 3, 7),
        ("Cell In[1], line 9", 2, None),
        ("nothing", None, None),
    ],
)
def test_the_line_of_an_error_is_found_in_its_traceback(text, count, line):
    assert cell_line(tuple(text.split("\n")), count) == line


def test_escapes_are_taken_out():
    assert plain("\x1b[0;31mE\x1b[0m \x1b[1mx\x1b[22m") == "E x"


def test_memory_kills_are_counted_or_zero():
    assert out_of_memory_kills() >= 0
