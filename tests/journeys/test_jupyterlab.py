"""By hand in JupyterLab: notebooks of two steps, run cell by cell in a real browser."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.report.conftest import chromium  # noqa: F401 - a fixture
from tests.steps import sinara

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# Cells of the template, by their place in it.
PARAMETERS, INTERFACE, READ, WORK, WRITE = 1, 3, 4, 5, 6
START = 90  # s, that a server or a page may take on a busy machine


class Notebook:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Any, url: str, path: str) -> None:
        self._page = page
        page.set_default_timeout(START * 1000)
        page.goto(f"{url}/lab/tree/{path}?token=t&reset")
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        self._wait()

    def run(self, cell: int) -> str:
        """Run one cell as Shift-Enter does, and return what it shows."""
        self._on("n.activeCellIndex = a[0]; n.deselectAll()", cell)
        self._page.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:run-cell').then(() => null)"
        )
        self._wait()
        shown = self._on("return n.widgets[a[0]].model.outputs.toJSON()", cell)
        return "".join(_text(output) for output in shown)

    def run_all(self) -> list[str]:
        """Run the cells one by one, and return what each shows."""
        return [self.run(cell) for cell in range(self._on("return n.widgets.length"))]

    def change(self, cell: int, source: str) -> None:
        """Write another source into a cell."""
        self._on("n.widgets[a[0]].model.sharedModel.setSource(a[1])", cell, source)

    def restart(self) -> None:
        """Restart the kernel."""
        self._page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
        )
        self._wait()

    def _on(self, body: str, *arguments: Any) -> Any:
        notebook = "const n = window.jupyterapp.shell.currentWidget.content;"
        return self._page.evaluate(f"a => {{ {notebook} {body} }}", list(arguments))

    def _wait(self) -> None:
        # The indicator in the toolbar says "idle" before there is a kernel; this one does not.
        self._page.wait_for_function(
            "() => /Idle/.test(document.querySelector('#jp-main-statusbar')?.innerText || '')"
        )


def _text(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab server of our own: its address and the folder that it shows."""
    pytest.importorskip("jupyterlab", reason="needs: pip install 'sinara[lab]'")
    root, home = tmp_path_factory.mktemp("steps"), tmp_path_factory.mktemp("home")
    (home / "overrides.json").write_text(
        '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}'
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    foreign = ("SINARA_", "DSML_", "JUPYTER_", "XDG_", "IPYTHON")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    command = [
        *(sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"),
        f"--ServerApp.port={url.rpartition(':')[2]}",
        *("--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        *("--IdentityProvider.token=t", f"--ServerApp.root_dir={root}"),
        *("--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True"),
        f"--LabApp.app_settings_dir={home}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**environ, "HOME": str(home)}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(f"{url}/api/status?token=t", process, home / "log")
        yield url, root
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server; with jupytext installed one may leave a thread that never ends."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text(errors='replace')}")


@pytest.fixture
def pipeline(server: tuple[str, Path], request: pytest.FixtureRequest) -> Path:
    """A folder with two steps from the template; the second one reads the first."""
    folder = server[1] / request.node.name
    folder.mkdir()
    for step in ("load", "report"):
        made = sinara(folder, "step", "new", step, "--pipeline", "shop", "--no-git")
        assert made.returncode == 0, made.stderr
    path = folder / "shop-report" / "do_step.ipynb"
    notebook = nbformat.read(path, as_version=4)
    declared = notebook.cells[INTERFACE]
    declared.source = declared.source.replace('"dataset"', '"means"').replace(
        '# {STEP_NAME: "data_load", ENTITY_NAME: "raw"}',
        '{STEP_NAME: "load", ENTITY_NAME: "dataset"}',
    )
    notebook.cells[READ].source = 'dataset = substep.read("dataset")\nlen(dataset)'
    notebook.cells[WORK].source = 'means = dataset.groupby("group").mean().reset_index()'
    notebook.cells[WRITE].source = 'url = substep.write("means", means)'
    notebook.cells[-1].source = "means"
    nbformat.write(notebook, path)
    return folder


@pytest.fixture
def opened(server: tuple[str, Path], pipeline: Path, chromium: Any) -> Iterator[Any]:  # noqa: F811
    """A function that opens the notebook of a step."""
    context = chromium.new_context(viewport={"width": 1300, "height": 1400})

    def open_notebook(step: str) -> Notebook:
        path = f"{pipeline.name}/shop-{step}/do_step.ipynb"
        return Notebook(context.new_page(), server[0], path)

    yield open_notebook
    context.close()


def published(pipeline: Path) -> dict[str, tuple[int, bool]]:
    """Entity -> its rows, and whether it was published by hand, as the command line tells it."""
    told = sinara(pipeline, "entity", "list", "--json")
    return {
        entity["entity"].rpartition(".")[2]: (entity["rows"], entity["interactive"])
        for entity in json.loads(told.stdout)["entities"]
    }


def test_the_next_notebook_reads_what_was_written_by_hand(pipeline, opened):
    load = opened("load")
    shown = load.run_all()

    assert shown[WRITE].startswith("Published run-")
    assert shown[WRITE].endswith(": dataset (100 rows)\n")
    assert [text for text in shown if "Error" in text] == []

    report = opened("report")
    shown = report.run_all()

    assert shown[READ] == "100"
    assert "(interactive)" in shown[INTERFACE]
    assert shown[WRITE].endswith(": means (3 rows)\n")
    assert published(pipeline) == {"dataset": (100, True), "means": (3, True)}

    load.change(PARAMETERS, 'substep_params = {"rows": 40, "seed": 7}')
    for cell in (PARAMETERS, READ, WORK, WRITE):
        load.run(cell)
    shown_again = report.run(READ)  # the cell that reads, and no other

    assert "Published again: user.shop.zone.load.dataset is now read from" in shown_again
    assert shown_again.endswith("40")


def test_a_failed_cell_publishes_nothing_and_a_restarted_kernel_goes_on(pipeline, opened):
    load = opened("load")
    first = load.run_all()
    load.change(WORK, "dataset.head(3).to_parquet(outputs.dataset)\n1 / 0")

    failed = load.run(WORK)

    assert "ZeroDivisionError" in failed
    assert "Not published: dataset changed in a cell that failed." in failed
    assert published(pipeline) == {"dataset": (100, True)}

    load.change(WORK, "dataset = pd.DataFrame({'group': ['a'], 'value': [1.0]})")
    load.restart()
    again = load.run_all()

    draft = [line for line in first[INTERFACE].splitlines() if line.startswith("RUN ID")]
    assert draft == [line for line in again[INTERFACE].splitlines() if line.startswith("RUN ID")]
    assert again[WRITE].endswith(": dataset (1 row)\n")
    assert published(pipeline) == {"dataset": (1, True)}


def test_a_warm_kernel_does_the_same_and_restarts(pipeline, opened):
    path = pipeline / "shop-load" / "do_step.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = {
        "name": "sinara",
        "language": "python",
        "display_name": "Python 3 (sinara, warm)",
    }
    nbformat.write(notebook, path)
    load = opened("load")

    shown = load.run_all()
    load.change(WORK, "open('/proc/self/comm').read().strip()")
    name = load.run(WORK)
    load.restart()
    again = load.run(WORK)

    assert shown[WRITE].endswith(": dataset (100 rows)\n")
    assert [text for text in shown if "Error" in text] == []
    assert (name, again) == ("'sinara-kernel'", "'sinara-kernel'")
