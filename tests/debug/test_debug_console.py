"""``sinara run debug`` in a terminal and without one: the failed substep as it was."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sinara.names import StepName
from sinara.postmortem import read
from sinara.runner.inputs import step_store
from sinara.settings import load_settings
from tests.debug.conftest import FAILS, TOKEN, make_pipeline
from tests.steps import run_script, sinara, write_step

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WAIT = 60  # s, for a line on a busy machine


def console(failed, source: str, *arguments: str, **variables: str):
    """Run the console with ``source`` on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "sinara", "run", "debug", *arguments],
        cwd=failed.step,
        env={**os.environ, **variables},
        input=source,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.shown = ""
        self.pid, self._end = pty.fork()
        if self.pid == 0:  # pragma: no cover - the child
            os.chdir(folder)
            env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **variables}
            os.execve(sys.executable, [sys.executable, "-m", "sinara", *arguments], env)

    def wait_for(self, text: str) -> str:
        """Read on until ``text`` is shown, and return what was shown up to then."""
        end = time.monotonic() + WAIT
        while text not in self.shown:
            ready, _, _ = select.select([self._end], [], [], 1)
            if ready:
                self.shown += self._read()
            assert time.monotonic() < end, f"{text!r} never came:\n{self.shown}"
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def leave(self) -> int:
        """Press Ctrl-D at the prompt and return the exit code."""
        self.type("\x04")
        return self.wait()

    def wait(self) -> int:
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            if select.select([self._end], [], [], 0.1)[0]:
                self._read()
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        pytest.fail("it does not end")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            self.wait()
        os.close(self._end)

    def _read(self) -> str:
        try:
            text = os.read(self._end, 65536).decode(errors="replace")
            return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
        except OSError:  # the other end is closed
            return ""


@pytest.fixture
def terminal(failed, unchanged):
    """A function that runs a command in a terminal."""
    opened = []

    def open_terminal(*arguments: str, **variables: str) -> Terminal:
        opened.append(Terminal(failed.step, *arguments, **variables))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_parameters_inputs_folder_and_modules_are_restored(failed, unchanged):
    source = (
        "import json\n"
        "print(json.dumps([os.getcwd(), twice(4), step_params['rate'], len(both), "
        "step_params['hub'].reveal(), substep.inputs(step_name='load').raw, __name__]))"
    )

    done = console(failed, source)

    assert done.returncode == 0, done.stderr
    cwd, twice, rate, rows, token, raw, name = json.loads(done.stdout)
    assert (cwd, twice, rate, token, name) == (str(failed.step), 8, 0.5, TOKEN, "__main__")
    assert failed.pinned in raw
    assert rows == 8  # of the pinned run and of prep, which read it; the newer run has 9


def test_what_it_writes_is_not_published_and_the_failed_cell_can_be_run(failed, unchanged):
    written = console(failed, "both.x = 0\nprint(substep.write('model', both))")
    again = console(failed, "%failed")

    assert written.returncode == 0, written.stderr
    assert str(failed.folder) not in written.stdout
    assert again.returncode == 1
    assert "ZeroDivisionError" in again.stdout


def test_without_replay_nothing_is_run_before(failed, unchanged):
    assert console(failed, "assert 'both' not in globals()", "--no-replay").returncode == 0


def test_another_substep_can_be_looked_into(failed, unchanged):
    done = console(failed, "print(len(substep.read('raw')))", "--substep", "prep")

    assert (done.returncode, done.stdout.strip()) == (0, "4")


def test_a_notebook_that_was_changed_since_is_told_and_runs_as_it_ran(failed, unchanged, request):
    path = failed.step / "train.ipynb"
    whole = path.read_text()
    request.addfinalizer(lambda: path.write_text(whole))
    path.write_text(whole.replace("pd.concat", "pd.not_there"))

    done = console(failed, "print(len(both))")
    path.write_text(whole)

    assert done.stdout.strip() == "8"
    assert "train.ipynb was changed since: this is train.ipynb as it ran." in done.stderr


def test_at_a_terminal_enter_runs_the_failed_cell(terminal):
    session = terminal("run", "debug")
    shown = session.wait_for("In [8]: ")
    session.wait_for("0])")  # the end of the next input
    session.type("\r")
    session.wait_for("reached\r\n")
    session.wait_for("ZeroDivisionError: division by zero")
    session.wait_for("In [9]: ")
    session.type("both.shape, 40 + 2\r")
    session.wait_for("42)")
    session.wait_for("In [10]: ")

    assert session.leave() == 0
    assert "replay 7/7" in shown
    assert "Traceback of the run:" in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "part" in shown
    assert TOKEN[::-1] not in shown


def test_ctrl_c_stops_the_replay_and_gives_the_prompt(terminal):
    session = terminal("run", "debug", SLOW="1")
    session.wait_for("asleep")
    session.type("\x03")
    session.wait_for("The replay was stopped here")
    session.wait_for("SLOW")  # the next input
    session.wait_for("sleep(600)")
    session.type("\x03")  # clears it
    session.type("40 + 2\r")
    session.wait_for("Out[")
    session.wait_for("In [")

    assert session.leave() == 0


def test_a_session_that_is_told_to_end_leaves_nothing(terminal):
    session = terminal("run", "debug")
    session.wait_for("In [8]: ")
    os.kill(session.pid, signal.SIGTERM)

    assert session.wait() == 130


def test_no_secret_is_in_any_file(failed):
    whole = b"".join(p.read_bytes() for p in failed.folder.rglob("*") if p.is_file())

    assert TOKEN.encode() not in whole
    assert TOKEN[::-1].encode() not in whole


def test_the_variables_can_be_read_in_file_page_and_terminal(failed):
    evidence = next((failed.folder / "sinara_data/user/pipe/zone/train/_runs").iterdir())
    kept = read((evidence / "reports_train_ipynb/failure.json").read_bytes())
    page = (evidence / "reports_train_ipynb/report.html").read_text()
    log = sinara(failed.step, "run", "log", "last", "--locals")

    assert [v.note for v in kept.frames[0].variables if v.name == "api_token"] == ["masked"]
    assert "Variables at the failure" in page
    assert "shape" not in log.stdout
    assert "both" in log.stdout
    assert "8 x 1" in log.stdout
    assert "ZeroDivisionError" in log.stdout


def one_line(failed, *arguments: str, **variables: str) -> str:
    done = console(failed, "", *arguments, **variables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_what_cannot_be_debugged_is_one_line(failed, unchanged):
    assert "No run 'run-none'" in one_line(failed, "run-none")
    assert "Did you mean 'train.ipynb'?" in one_line(failed, "--substep", "trian.ipynb")
    assert "HUB_TOKEN is not set" in one_line(failed, HUB_TOKEN="").replace(
        "is empty", "is not set"
    )
    succeeded = one_line(failed, failed.pinned, "--step", "load")
    assert "nothing failed" in succeeded
    assert "--substep load.ipynb" in succeeded
    assert "No run failed" in one_line(failed, "--step", "load")


def test_a_step_that_is_gone_and_a_run_that_is_replaced_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_TOKEN", TOKEN)
    failed = make_pipeline(tmp_path)
    moved = failed.step.rename(tmp_path / "elsewhere")

    gone = sinara(tmp_path / "pipe-load", "run", "debug", failed.run_id, "--step", "train")

    assert gone.returncode == 2
    assert "is not here" in gone.stderr

    moved.rename(failed.step)
    store = step_store(load_settings(failed.step), StepName("user", "pipe", "zone", "train"))
    shutil.rmtree(Path(store.url, failed.run_id))
    replaced = one_line(failed, failed.run_id)

    assert "user.pipe.zone.train.clean was written by an earlier substep" in replaced
    assert FAILS not in replaced


def test_a_module_is_run_with_its_parameters(tmp_path):
    source = (
        "from sinara.substep import get_substep_params\n"
        "n = get_substep_params()['n']\nprint(n, __name__)\nn / 0\n"
    )
    params = {"do it.py": {"n": 'it\'s "n"'}}
    step = write_step(tmp_path / "pipe-mod", {"do it.py": source}, substep_params=params)
    run_script(step)

    done = subprocess.run(
        [sys.executable, "-m", "sinara", "run", "debug"],
        cwd=step, input="%failed\n", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == 'it\'s "n" __main__'
    assert "TypeError" in done.stdout
