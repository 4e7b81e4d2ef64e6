"""Modules as substeps, and what both kinds of substep have in common."""

from __future__ import annotations

import json
import os
import sys
import textwrap

import nbformat
import pytest

from sinara.execute import execute_module, execute_notebook, start_ahead
from sinara.kernels import processes
from tests.kernels.kernel_runs import Runner, notebook


@pytest.fixture
def module(tmp_path):
    """A function that runs source code as a module substep."""
    runner = Runner(
        tmp_path,
        {key: value for key, value in __import__("os").environ.items() if "PYTEST" not in key},
    )

    def run(source: str, *argv: str, **more):
        path = tmp_path / "load_data.py"
        path.write_text(textwrap.dedent(source))
        return execute_module(path, argv, runner.output, runner.options(**more))

    run.runner = runner
    return run


def texts(done):
    return "".join(
        output.text for output in done.notebook.cells[1].outputs if output.output_type == "stream"
    )


def test_a_module_runs_as_main_with_its_arguments(module, tmp_path):
    (tmp_path / "beside.py").write_text("value = 7")
    done = module(
        "import sys, beside, os\nprint(__name__, sys.argv[1:], beside.value, os.getcwd())",
        "--x",
        "a b'\"; $(touch no)",
    )

    assert (done.status, done.failure) == ("succeeded", None)
    expected = ["--x", "a b'\"; $(touch no)"]
    assert texts(done) == f"__main__ {expected} 7 {tmp_path}\n"
    assert [cell.status for cell in done.cells] == ["done"]
    assert done.cells[0].index == 1
    assert list(module.runner.runtime.iterdir()) == []


def test_its_notebook_shows_the_source_and_what_it_printed(module):
    done = module("import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)")

    kept = nbformat.read(module.runner.output, as_version=4)
    nbformat.validate(kept)
    assert kept.cells[0].source == "# load_data.py"
    assert kept.cells[1].source.startswith("import sys")
    assert {output.name: output.text for output in kept.cells[1].outputs} == {
        "stdout": "out\n",
        "stderr": "err\n",
    }
    assert kept.cells[1].metadata.sinara.status == "done"
    assert done.notebook.cells[1].metadata.papermill.status == "completed"


def test_what_it_prints_is_passed_on_as_it_comes(module):
    module("print('first', flush=True)\nimport time; time.sleep(0.3)\nprint('second')")

    told = [(event.kind, event.text) for event in module.runner.events if event.kind != "cell_end"]
    assert told == [("cell_start", ""), ("stream", "first\n"), ("stream", "second\n"), ("end", "")]


def test_a_module_that_raises_is_a_failed_cell_with_its_line(module):
    done = module("def f():\n    raise ValueError('no way')\n\nf()\n")

    failure = done.failure
    assert (done.status, failure.kind, failure.cell, failure.line) == ("failed", "cell", 1, 4)
    assert (failure.ename, failure.evalue) == ("ValueError", "no way")
    assert failure.message == "load_data.py, line 4: ValueError: no way"
    assert failure.traceback[0] == "Traceback (most recent call last):"
    assert "runpy" not in "\n".join(failure.traceback)
    assert "ValueError: no way" in texts(done)
    assert done.notebook.cells[1].metadata.papermill.status == "failed"


def test_a_syntax_error_has_its_line(module):
    assert module("a = 1\nb = = 2").failure.line == 2


@pytest.mark.parametrize(("way", "code"), [("sys.exit(3)", 3), ("sys.exit('why')", 1)])
def test_an_exit_code_is_a_failure(module, way, code):
    done = module(f"import sys\n{way}")

    assert (done.status, done.failure.kind, done.failure.exit_code) == ("failed", "cell", code)


def test_exit_zero_is_success(module):
    assert module("import sys\nsys.exit()").status == "succeeded"


def test_stop_execution_stops_without_a_failure(module):
    done = module("class StopExecution(Exception): pass\nprint('before')\nraise StopExecution")

    assert (done.status, done.failure, texts(done)) == ("stopped", None, "before\n")


def test_a_killed_module_says_by_what(module):
    done = module("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")

    assert (done.failure.kind, done.failure.signal) == ("kernel died", 9)
    assert "killed by SIGKILL" in done.failure.message
    assert done.failure.peak_memory > 1_000_000


@pytest.mark.parametrize(
    "body",
    ["time.sleep(60)", "while True:\n  try: time.sleep(9)\n  except KeyboardInterrupt: pass"],
)
def test_a_limit_ends_a_module(module, body):
    done = module(f"import time\n{body}", run_timeout=1.0)

    assert (done.status, done.failure.kind) == ("failed", "timeout")
    assert "The run limit of 1 s is over" in done.failure.message


def test_nothing_that_a_module_starts_outlives_it(module, tmp_path):
    import psutil

    done = module(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        "print(child.pid)"
    )

    assert not psutil.pid_exists(int(texts(done)))


def test_a_module_has_limits_and_no_secrets(module):
    done = module(
        "import os, sys\nprint(os.environ['KEY'])\nprint('x' * 100_000)\nraise ValueError(os.environ['KEY'])",
        env={**module.runner.env, "KEY": "s3cret"},
        redact=("s3cret",),
        max_cell_output=10_000,
    )

    assert "s3cret" not in json.dumps(done.notebook) + repr(done.failure) + repr(
        module.runner.events
    )
    assert "output cut after 10 kB" in texts(done)
    assert done.failure.evalue == "****"


def test_a_progress_bar_of_a_module_keeps_its_last_state(module):
    done = module("for i in range(50): print(f'\\r{i}%', end='', flush=True)")

    assert texts(done) == "49%"


def test_strange_bytes_of_a_module_are_kept_as_well_as_can_be(module):
    done = module("import os\nos.write(1, b'\\xff\\xfe ok \\xc3')\nos.write(1, b'\\xa9\\n')")

    assert texts(done) == "\ufffd\ufffd ok é\n"


def test_a_module_can_use_multiprocessing(module):
    done = module(
        """
        import math, multiprocessing
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                print(pool.map(math.factorial, [3, 4]))
        """
    )

    assert texts(done) == "[6, 24]\n"


def test_a_module_gets_no_input(module):
    assert module("input('? ')").failure.ename == "EOFError"


def test_a_module_runs_in_our_own_interpreter(module):
    assert texts(module("import sys; print(sys.executable)")) == f"{sys.executable}\n"


def test_a_process_that_could_not_be_ended_is_told(tmp_path):
    runner = Runner(tmp_path, dict(os.environ))
    nb = notebook("x = 1")
    kernel = start_ahead(runner.options(), nb.metadata)
    close = kernel.close
    kernel.close = lambda: close() and False

    done = execute_notebook(nb, runner.output, runner.options(), kernel=kernel)

    assert (done.status, done.processes_left) == ("succeeded", True)
    assert done.warnings == ("Some processes of the notebook could not be ended.",)


def test_a_module_whose_processes_could_not_be_ended_is_told(module, monkeypatch):
    start = processes.start

    def stubborn(*args, **more):
        started = start(*args, **more)
        close = started.close
        started.close = lambda: close() and False
        return started

    monkeypatch.setattr(processes, "start", stubborn)

    assert module("x = 1").processes_left
