"""What a notebook can do, and what is said about it afterwards."""

from __future__ import annotations

import asyncio
import json
import signal
import threading

import nbformat
import pytest

from sinara.execute import execute_notebook, start_ahead
from tests.kernels.kernel_runs import notebook, papermill_statuses, statuses, texts


def test_a_notebook_runs_to_its_end(run):
    done = run("# md title", "x = 20\nprint('hello')", "x + 1", "")

    assert (done.status, done.failure, done.kernel_name) == ("succeeded", None, "python3")
    assert statuses(done) == ["done", "done", "done"]
    assert papermill_statuses(done) == ["completed"] * 4
    assert texts(done, 1) == "hello\n"
    assert done.notebook.cells[2].outputs[0].data["text/plain"] == "21"
    assert [cell.execution_count for cell in done.notebook.cells[1:]] == [1, 2, None]
    assert done.notebook.metadata.language_info.name == "python"
    assert done.notebook.cells[1].metadata["execution"].keys() == {
        "iopub.status.busy", "iopub.execute_input", "shell.execute_reply", "iopub.status.idle",
    }  # fmt: skip


def test_what_is_returned_is_what_is_written(run):
    done = run("print('é' * 3)", "1/0")

    written = nbformat.read(run.output, as_version=4)
    nbformat.validate(written)
    assert written == nbformat.from_dict(json.loads(json.dumps(done.notebook)))


def test_the_notebook_given_is_not_changed(run):
    given = notebook("print(1)")
    before = json.dumps(given)

    execute_notebook(given, run.output, run.options())

    assert json.dumps(given) == before


def test_events_come_in_order_with_their_cell(run):
    run("print('a')", "import sys; print('b', file=sys.stderr)")

    told = [
        (event.kind, event.cell, event.stream, event.text, event.status) for event in run.events
    ]
    assert told == [
        ("kernel", None, None, "python3, warm", "started"),
        ("cell_start", 0, None, "", None),
        ("stream", 0, "stdout", "a\n", None),
        ("cell_end", 0, None, "", "done"),
        ("cell_start", 1, None, "", None),
        ("stream", 1, "stderr", "b\n", None),
        ("cell_end", 1, None, "", "done"),
        ("end", None, None, "", "succeeded"),
    ]


def test_a_failed_cell_is_named_with_its_line_and_cause(run):
    done = run("ok = 1", "def f():\n    raise ValueError('no\\nway')\n\nf()", "after = 1")

    assert done.status == "failed"
    assert statuses(done) == ["done", "failed", "not run"]
    assert papermill_statuses(done) == ["completed", "failed", "pending"]
    assert done.notebook.metadata.papermill.exception is True
    failure = done.failure
    assert (failure.kind, failure.cell, failure.line, failure.ename) == ("cell", 1, 4, "ValueError")
    assert failure.message == "Cell In [2], line 4: ValueError: no"
    assert failure.traceback
    assert not any("\x1b" in line for line in failure.traceback)
    assert done.notebook.cells[1].metadata.sinara == {
        "status": "failed",
        "cause": failure.message,
        "seconds": pytest.approx(done.cells[1].seconds, abs=1e-5),
    }
    assert done.notebook.cells[2].metadata.sinara["status"] == "not run"


def test_a_syntax_error_has_its_line(run):
    done = run("a = 1\nb = = 2")

    assert (done.failure.ename, done.failure.line) == ("SyntaxError", 2)


def test_a_cell_that_says_so_may_raise(run):
    done = run("1/0", "print('on')", tags={0: ["raises-exception"]})

    assert statuses(done) == ["done", "done"]
    assert done.notebook.cells[0].outputs[0].ename == "ZeroDivisionError"


def test_a_cell_tagged_to_be_skipped_does_not_run(run):
    done = run("print('no')", "print('yes')", tags={0: ["skip-execution"]})

    assert statuses(done) == ["not run", "done"]
    assert done.notebook.cells[0].outputs == []


def test_stop_execution_stops_without_a_failure(run):
    done = run("class StopExecution(Exception): pass", "raise StopExecution", "print('no')")

    assert (done.status, done.failure) == ("stopped", None)
    assert statuses(done) == ["done", "done", "not run"]
    assert papermill_statuses(done) == ["completed", "completed", "pending"]


@pytest.mark.parametrize(
    ("way", "code"),
    [("exit()", 0), ("quit()", 0), ("import sys; sys.exit()", 0), ("raise SystemExit(0)", 0),
     ("import sys; sys.exit(3)", 3), ("import sys; sys.exit('why')", 1)],
)  # fmt: skip
def test_an_exit_before_the_last_cell_is_a_failure(run, way, code):
    done = run(way, "print('never')")

    assert (done.status, done.failure.kind, done.failure.exit_code) == (
        "failed",
        "early exit",
        code,
    )
    assert statuses(done) == ["failed", "not run"]
    assert papermill_statuses(done) == ["failed", "pending"]


@pytest.mark.parametrize("way", ["exit()", "import sys; sys.exit(0)"])
def test_an_exit_in_the_last_cell_is_its_end(run, way):
    done = run("x = 1", way, "   ", "# md end")

    assert done.status == "succeeded"
    assert statuses(done) == ["done", "done", "done"]


def test_an_exit_with_a_code_fails_in_the_last_cell_too(run):
    assert run("import sys; sys.exit(2)").failure.exit_code == 2


@pytest.mark.parametrize(
    "ask",
    [
        "input('? ')",
        "import getpass; getpass.getpass()",
        "breakpoint()",
        "import pdb; pdb.set_trace()",
    ],
)
def test_a_question_fails_at_once_because_nobody_can_answer(run, ask):
    done = run(ask, "print('never')", run_timeout=30)

    assert done.failure.kind == "cell"
    assert done.failure.ename == "StdinNotImplementedError"
    assert "asks for input" in done.failure.message


def test_the_debug_magic_does_not_hang(run):
    done = run("1/0", "%debug", tags={0: ["raises-exception"]}, run_timeout=30)

    assert done.failure.kind == "cell"


def test_a_failing_command_fails_the_cell_where_that_is_wanted(run):
    done = run("!true", "!echo hello\n!exit 3", "print('never')", strict_shell=True)

    assert statuses(done) == ["done", "failed", "not run"]
    assert done.failure.ename == "CalledProcessError"
    assert texts(done, 1).splitlines() == ["hello"]
    assert [cell.execution_count for cell in done.notebook.cells[:2]] == [1, 2]


def test_a_failing_command_passes_where_it_is_not(run):
    done = run("!exit 3", "print(_exit_code)")

    assert texts(done, 1) == "3\n"


def test_strict_shell_leaves_no_name_behind(run):
    done = run("print([name for name in dir() if 'sinara' in name.lower()])", strict_shell=True)

    assert texts(done, 0) == "[]\n"


def test_top_level_await_works_and_a_second_loop_is_refused(run):
    done = run(
        "import asyncio\nawait asyncio.sleep(0.01)\nprint('slept')", "asyncio.run(asyncio.sleep(0))"
    )

    assert texts(done, 0) == "slept\n"
    assert done.failure.ename == "RuntimeError"


def test_it_runs_inside_a_running_loop(run):
    async def inside():
        return run("print('in a loop')")

    assert texts(asyncio.run(inside()), 0) == "in a loop\n"


def test_it_runs_in_a_thread_and_touches_no_signal_handler_there(run):
    answers = []
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    thread = threading.Thread(target=lambda: answers.append(run("print('thread')")))

    thread.start()
    thread.join()

    assert texts(answers[0], 0) == "thread\n"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_late_output_of_a_thread_is_kept(run):
    start = "import threading, time\nthreading.Timer(0.3, lambda: print('late')).start()"
    done = run(start, "time.sleep(0.8)\nprint('second')")

    assert sorted(run.streamed().split()) == ["late", "second"]
    assert sorted((texts(done, 0) + texts(done, 1)).split()) == ["late", "second"]


def test_a_cell_can_fork_spawn_and_pool(run):
    done = run(
        "import multiprocessing, math",
        "for kind in ('fork', 'spawn'):\n"
        "    with multiprocessing.get_context(kind).Pool(2) as pool:\n"
        "        print(pool.map(math.factorial, [3, 4]))",
        "import os\npid = os.fork()\nif pid == 0:\n    os._exit(0)\nprint(os.waitpid(pid, 0)[1])",
        run_timeout=60,
    )

    assert texts(done, 1) == "[6, 24]\n[6, 24]\n"
    assert texts(done, 2) == "0\n"


def test_atexit_work_of_the_notebook_is_done(run, tmp_path):
    run(f"import atexit\natexit.register(lambda: open(r'{tmp_path}/bye', 'w').write('x'))")

    assert (tmp_path / "bye").read_text() == "x"


def test_a_kernel_started_ahead_is_used_and_gone_afterwards(run, marked):
    given = notebook("import os\nprint(os.getpid())")
    kernel = start_ahead(run.options(), given.metadata)

    done = execute_notebook(given, run.output, run.options(), kernel=kernel)

    assert int(texts(done, 0)) > 0
    assert marked() == []


def test_a_kernel_started_ahead_in_vain_can_be_closed(run, marked):
    kernel = start_ahead(run.options())

    assert kernel.close()
    assert kernel.close()
    assert marked() == []
    assert run.leftovers == []


def test_an_output_that_cannot_be_written_raises_and_leaves_no_kernel(run, marked, tmp_path):
    with pytest.raises(OSError, match="No such file"):
        execute_notebook(notebook("1"), tmp_path / "no" / "out.ipynb", run.options())

    assert marked() == []
