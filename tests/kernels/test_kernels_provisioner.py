"""Our kernels under Jupyter's own kernel manager, and so in JupyterLab and plain papermill."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.manager import start_new_kernel
from jupyter_core.utils import ensure_event_loop

from sinara.errors import KernelDiedError
from sinara.kernels.pool import end_all
from tests.kernels.kernel_runs import eventually

COMM = "print(open('/proc/self/comm').read().strip())"


# jupyter_client leaves the event loops of its blocking calls to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def no_loop_is_left() -> Iterator[None]:
    """Let those loops go now, and not in the middle of another test."""
    yield
    ensure_event_loop().close()
    gc.collect()


@pytest.fixture
def jupyter(tmp_path, monkeypatch):
    """A kernel that Jupyter's manager has started, and a function that runs code in it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    manager, client = start_new_kernel(kernel_name="sinara", cwd=str(tmp_path))

    def run(code: str) -> tuple[str, str]:
        said: list[str] = []

        def hook(message):
            content = message["content"]
            said.append(content.get("text") or content.get("ename") or "")

        reply = client.execute_interactive(code, output_hook=hook, timeout=30)
        return reply["content"]["status"], "".join(said)

    yield manager, client, run
    client.stop_channels()
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)
    end_all()


def test_a_kernel_of_jupyter_is_warm_and_private(jupyter, tmp_path):
    manager, _, run = jupyter

    assert run(COMM) == ("ok", "sinara-kernel\n")
    assert run("import os; print(os.getcwd())") == ("ok", f"{tmp_path}\n")
    assert manager.get_connection_info()["transport"] == "ipc"


def test_a_restart_keeps_the_clients_and_nothing_of_the_notebook(jupyter):
    manager, client, run = jupyter
    run("x = 1")

    manager.restart_kernel()
    client.wait_for_ready(timeout=30)

    assert run("print('x' in globals())") == ("ok", "False\n")
    assert run(COMM) == ("ok", "sinara-kernel\n")


def test_an_interrupt_reaches_the_cell(jupyter):
    manager, _, run = jupyter
    threading.Timer(1.0, manager.interrupt_kernel).start()

    assert run("import time; time.sleep(60)") == ("error", "KeyboardInterrupt")
    assert run("print('on')") == ("ok", "on\n")


def test_a_shutdown_takes_everything_with_it(jupyter, tmp_path):
    manager, client, run = jupyter
    pid = int(
        run(
            "import subprocess; p = subprocess.Popen(['sleep', '60'], start_new_session=True); print(p.pid)"
        )[1]
    )

    client.stop_channels()
    manager.shutdown_kernel()

    assert not manager.is_alive()
    assert eventually(lambda: not psutil.pid_exists(pid), 3)
    assert list(tmp_path.glob("sinara-j-*")) == []


def test_a_kernel_that_dies_is_noticed(jupyter):
    manager, client, _ = jupyter

    client.execute("import os; os.kill(os.getpid(), 9)")

    assert eventually(lambda: not manager.is_alive(), 5)


def test_a_kernel_that_cannot_start_says_why(tmp_path, monkeypatch):
    folder = tmp_path / "kernels" / "bad"
    folder.mkdir(parents=True)
    spec = {"argv": ["/no/such/program", "{connection_file}"], "display_name": "bad", "language": "none",
            "metadata": {"kernel_provisioner": {"provisioner_name": "sinara-provisioner"}}}  # fmt: skip
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    with pytest.raises(KernelDiedError, match="/no/such/program"):
        start_new_kernel(kernel_name="bad", startup_timeout=20)


def test_plain_papermill_runs_a_notebook_in_it(tmp_path):
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(COMM)]), tmp_path / "in.ipynb"
    )

    subprocess.run(
        [sys.executable, "-m", "papermill", "-k", "sinara", "--no-progress-bar", "in.ipynb", "out.ipynb"],
        cwd=tmp_path, check=True, capture_output=True, timeout=120,
    )  # fmt: skip

    done = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert done.cells[-1].outputs[0].text == "sinara-kernel\n"


def test_the_spec_that_is_installed_names_the_provisioner():
    from sinara import kernels
    from sinara.kernels.specs import PROVISIONER, find_kernel

    spec = json.loads((Path(kernels.__file__).parent / "kernel.json").read_text())

    assert spec["metadata"]["kernel_provisioner"]["provisioner_name"] == PROVISIONER
    assert find_kernel("sinara").is_own
