"""The engine as plain papermill uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tests.kernels.kernel_runs import eventually, notebook


@pytest.fixture
def papermill(run, tmp_path):
    """Run ``papermill --engine sinara`` on some cells; return the process and what it wrote."""

    def start(
        *cells: str, options: tuple[str, ...] = (), **metadata: object
    ) -> subprocess.CompletedProcess[str]:
        nbformat.write(notebook(*cells, **metadata), tmp_path / "in.ipynb")
        command = [
            sys.executable,
            "-m",
            "papermill",
            "--engine",
            "sinara",
            "--no-progress-bar",
            *options,
        ]
        return subprocess.run(
            [*command, str(tmp_path / "in.ipynb"), str(run.output)],
            env=run.env,
            capture_output=True,
            text=True,
        )

    return start


def written(run):
    nb = nbformat.read(run.output, as_version=4)
    nbformat.validate(nb)
    return nb, [cell.metadata.papermill.status for cell in nb.cells if "papermill" in cell.metadata]


def test_it_runs_as_papermills_engine(run, papermill):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    ended = papermill(
        "a = 1", "print('hello', a)", "# md end", options=("-p", "a", "5"), kernelspec=kernel
    )

    nb, statuses = written(run)
    assert ended.returncode == 0, ended.stderr
    assert statuses == ["completed"] * 4
    assert nb.metadata.papermill.exception is None
    assert nb.metadata.papermill.duration > 0
    assert "hello" in "".join(
        output.text for cell in nb.cells for output in cell.get("outputs", [])
    )


def test_a_failed_cell_is_raised_by_papermill_as_ever(run, papermill):
    ended = papermill("1", "1/0", "2")

    _, statuses = written(run)
    assert ended.returncode == 1
    assert "PapermillExecutionError" in ended.stderr
    assert statuses == ["completed", "failed", "pending"]


def test_a_dead_kernel_has_papermills_exit_code_and_true_statuses(run, papermill):
    ended = papermill("1", "import os; os.kill(os.getpid(), 9)", "2")

    nb, statuses = written(run)
    assert ended.returncode == 138
    assert "killed by SIGKILL" in ended.stderr
    assert statuses == ["completed", "failed", "pending"]
    assert nb.metadata.papermill.exception is True


def test_papermills_options_have_their_effect(run, papermill):
    ended = papermill(
        "import time\nprint('said')",
        "time.sleep(60)",
        options=("--execution-timeout", "1", "--log-output"),
    )

    assert ended.returncode != 0
    assert "The cell limit of 1 s is over" in ended.stderr
    assert "said" in ended.stderr


def test_an_exit_ends_the_notebook_as_in_papermill_but_the_rest_is_not_completed(run, papermill):
    ended = papermill("import sys; sys.exit(0)", "2")

    _, statuses = written(run)
    assert ended.returncode == 0
    assert statuses == ["failed", "pending"]


def test_no_kernel_is_left_when_papermill_is_terminated(run, tmp_path, marked):
    flag = tmp_path / "flag"
    env = {**run.env, "TMPDIR": str(tmp_path)}
    nbformat.write(
        notebook(f"open({str(flag)!r}, 'w').close()", "import time; time.sleep(60)"),
        tmp_path / "in.ipynb",
    )
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--engine",
        "sinara",
        str(tmp_path / "in.ipynb"),
        str(run.output),
    ]
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, start_new_session=True)
    assert eventually(flag.exists, 30)
    time.sleep(0.2)

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 128 + signal.SIGTERM
    assert marked() == []
    assert written(run)[1] == ["completed", "failed"]
    assert [path for path in Path(tmp_path).iterdir() if path.name.startswith("sinara-")] == []


def test_a_notebook_without_a_kernel_name_gets_python3(run, papermill, tmp_path):
    assert papermill("1").returncode == 0
    assert "kernelspec" not in json.loads((tmp_path / "in.ipynb").read_text())["metadata"]


@pytest.mark.parametrize(
    "first", ["papermill", "papermill.engines", "sinara.kernels.engine", "sinara.execute"]
)
def test_the_engine_is_registered_whatever_is_imported_first(run, first):
    code = (
        f"import {first}\nfrom sinara.kernels.engine import SinaraEngine\n"
        "from papermill.engines import Engine, papermill_engines\n"
        "assert papermill_engines.get_engine('sinara') is SinaraEngine and issubclass(SinaraEngine, Engine)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], env=run.env, capture_output=True, text=True
    )

    assert ended.returncode == 0, ended.stderr


def test_importing_the_api_is_light(run):
    code = "import sys, sinara.execute\nprint(*sorted({'papermill', 'nbformat', 'zmq', 'nbclient'} & sys.modules.keys()))"

    ended = subprocess.run(
        [sys.executable, "-c", code], env=run.env, capture_output=True, text=True, check=True
    )

    assert ended.stdout.split() == []
    assert os.environ.get("PYTHONSAFEPATH") is None
