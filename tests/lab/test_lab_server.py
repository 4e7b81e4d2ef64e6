"""What the extension answers, in a real Jupyter server: authenticated, inside its root, harmless."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.steps import cell, notebook, write_step

pytest.importorskip("jupyter_server", reason="needs: pip install 'sinara[lab]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Server:
    """A Jupyter server without JupyterLab, behind a base URL."""

    def __init__(self, url: str, root: Path) -> None:
        self.url, self.root = url, root

    def ask(
        self, path: str, method: str = "GET", body: Any = None, token: str | None = "t"
    ) -> tuple[int, bytes, dict[str, str]]:
        request = urllib.request.Request(f"{self.url}/sinara/{path}", method=method)
        if token:
            request.add_header("Authorization", f"token {token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), dict(error.headers)

    def run(self, path: str) -> dict[str, Any]:
        """Start a run and wait until it is over."""
        status, told, _ = self.ask("api/run", "POST", {"path": path})
        assert status == 201, told
        return self.wait(json.loads(told)["id"])

    def wait(self, id_: str) -> dict[str, Any]:
        for _ in range(600):
            state = json.loads(self.ask(f"api/run/{id_}")[1])
            if state["state"] != "running":
                return state
            time.sleep(0.1)
        raise AssertionError(state)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    foreign = ("SINARA_", "DSML_", "JUPYTER_", "XDG_", "IPYTHON")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    command = [
        *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.base_url=/behind/"),
        *("--IdentityProvider.token=t", f"--ServerApp.root_dir={root}"),
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**environ, "HOME": str(home)}, stdout=log, stderr=subprocess.STDOUT
        )
    made = Server(f"http://127.0.0.1:{port}/behind", root)
    try:
        for _ in range(600):
            assert process.poll() is None, (home / "log").read_text()
            try:
                if made.ask("api/step?path=")[0] == 200:
                    break
            except OSError:
                time.sleep(0.1)
        yield made
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def pipeline(server: Server, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A pipeline below the server's root: a step that works, one that fails, one that takes long."""
    folder = server.root / request.node.name[:40].replace("[", "_")
    folder.mkdir()
    write = cell("import pandas as pd\npd.DataFrame({'x': [1]}).to_parquet(substep.outputs().raw)")
    for name, work in (
        ("good", write),
        ("bad", cell("1 / 0")),
        ("long", cell("import time\ntime.sleep(600)")),
    ):
        book = notebook(work, outputs=[{"ENTITY_NAME": "raw"}])
        write_step(
            folder / f"p-{name}", {"a.ipynb": book}, pipeline="p", step_params={"step_name": name}
        )
    yield folder
    shutil.rmtree(folder)


def test_a_step_is_run_and_its_report_is_shown_without_an_origin(server, pipeline):
    state = server.run(f"{pipeline.name}/p-good/a.ipynb")

    assert (state["state"], state["step"]) == ("succeeded", "p-good")
    status, page, headers = server.ask(state["report"])
    assert status == 200
    assert b"succeeded" in page
    assert headers["Content-Security-Policy"].startswith("sandbox allow-scripts")
    assert headers["X-Content-Type-Options"] == "nosniff"
    beside = state["report"].replace("index.html", "reports_a_ipynb/report.html")
    assert server.ask(beside)[0] == 200
    assert server.ask(state["report"].replace("index.html", "record.json"))[2][
        "Content-Type"
    ].startswith("text/plain")


def test_a_failure_is_told_with_the_cell_as_the_notebook_counts_it(server, pipeline):
    book = nbformat.read(pipeline / "p-bad/a.ipynb", 4)
    params = json.loads((pipeline / "p-bad/params/step_params.json").read_text())
    params["substeps_params"][0]["substep_params"] = {"rows": 1}
    book.cells[0].source = 'substep_params = {"rows": 2}'
    nbformat.write(book, pipeline / "p-bad/a.ipynb")
    (pipeline / "p-bad/params/step_params.json").write_text(json.dumps(params))

    state = server.run(f"{pipeline.name}/p-bad/a.ipynb")

    assert state["state"] == "failed"
    assert state["failure"] == {"substep": "a.ipynb", "cell": 3}
    assert "division by zero" in state["message"]
    assert server.ask(state["report"])[0] == 200


def test_a_step_that_cannot_start_says_why(server, pipeline):
    (pipeline / "p-good/params/step_params.json").write_text("{")

    state = server.run(f"{pipeline.name}/p-good/a.ipynb")

    assert state["state"] == "refused"
    assert "no JSON" in state["message"]


def test_one_run_at_a_time_and_it_can_be_stopped(server, pipeline):
    path = f"{pipeline.name}/p-long/a.ipynb"
    id_ = json.loads(server.ask("api/run", "POST", {"path": path})[1])["id"]
    for _ in range(300):
        if json.loads(server.ask(f"api/run/{id_}")[1])["cell"] == 3:
            break
        time.sleep(0.1)

    status, told, _ = server.ask("api/run", "POST", {"path": path})
    assert status == 409
    assert b"is running already" in told

    assert server.ask(f"api/run/{id_}", "DELETE")[0] == 204
    state = server.wait(id_)
    assert state["state"] == "cancelled"
    assert server.ask(state["report"])[0] == 200


def test_nobody_without_the_token_gets_anything(server, pipeline):
    state = server.run(f"{pipeline.name}/p-good/a.ipynb")

    for path in ("api/step?path=", f"api/run/{state['id']}", "graph?path=", state["report"]):
        status, told, _ = server.ask(path, token=None)
        assert status in (401, 403) or b"Password or token" in told, path
        assert b"succeeded" not in told
    assert (
        server.ask("api/run", "POST", {"path": f"{pipeline.name}/p-good/a.ipynb"}, token=None)[0]
        == 403
    )


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "%2e%2e/x",
        "missing.ipynb",
        "a\0b",
        "out/step/a.ipynb",
        "x" * 5000,
    ],
)
def test_nothing_outside_of_the_root_is_run_or_drawn(server, tmp_path, path):
    outside = write_step(tmp_path / "step", {"a.ipynb": notebook()}, pipeline="p")
    link = server.root / "out"
    link.symlink_to(outside.parent)
    try:
        assert server.ask("api/run", "POST", {"path": path})[0] in (400, 404, 409)
        quoted = urllib.request.quote(path)
        assert server.ask(f"graph?path={quoted}")[0] == 404
        assert json.loads(server.ask(f"api/step?path={quoted}")[1]) == {"step": ""}
    finally:
        link.unlink()


@pytest.mark.parametrize(
    "name",
    [
        "../../../../../etc/passwd",
        "%2e%2e/%2e%2e/x",
        "..%2frecord.json",
        "_none",
        "a.ipynb/../../x",
    ],
)
def test_a_report_address_leads_to_nothing_else(server, pipeline, name):
    state = server.run(f"{pipeline.name}/p-good/a.ipynb")

    assert server.ask(state["report"].replace("index.html", name))[0] in (400, 404)
    assert server.ask(f"report/{'0' * 32}/index.html")[0] == 404


def test_the_graph_links_reports_through_the_server(server, pipeline):
    server.run(f"{pipeline.name}/p-good/a.ipynb")

    status, page, headers = server.ask(f"graph?path={pipeline.name}/p-good/a.ipynb")

    assert status == 200
    assert b"/behind/sinara/report/" in page
    assert b"file://" not in page
    assert headers["Content-Security-Policy"].startswith("sandbox")


def test_a_folder_without_steps_has_no_graph_but_a_word(server):
    (server.root / "empty").mkdir(exist_ok=True)

    status, told, _ = server.ask("graph?path=empty")

    assert status == 404
    assert b"there is no step in this folder" in told
