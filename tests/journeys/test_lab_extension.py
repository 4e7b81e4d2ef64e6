"""The extension in JupyterLab, in a real browser: the oldest JupyterLab that we name and the newest."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sinara.manifest import chain
from sinara.scaffold import create_pipeline
from tests.journeys.test_jupyterlab import START, _wait_for, end
from tests.report.conftest import chromium  # noqa: F401 - a fixture

OLDEST = Path(__file__).parents[2] / ".venv-oldest-lab" / "bin" / "python"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["newest", "oldest"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A JupyterLab of our own with the extension: its address and the folder that it shows."""
    pytest.importorskip("jupyterlab", reason="needs: pip install 'sinara[lab]'")
    python = sys.executable
    if request.param == "oldest":
        python = os.environ.get("OLDEST_LAB", str(OLDEST))
        if not Path(python).exists():
            pytest.skip("needs .venv-oldest-lab: bash tools/test.sh makes it")
    root, home = tmp_path_factory.mktemp("steps"), tmp_path_factory.mktemp("home")
    (home / "overrides.json").write_text(
        '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}'
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    foreign = ("SINARA_", "DSML_", "JUPYTER_", "XDG_", "IPYTHON")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    command = [
        *(python, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--ServerApp.port={url.rpartition(':')[2]}"),
        *("--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=t"),
        *(f"--ServerApp.root_dir={root}", "--LabApp.extension_manager=readonly"),
        *("--LabApp.expose_app_in_browser=True", f"--LabApp.app_settings_dir={home}"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**environ, "HOME": str(home)}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(f"{url}/api/status?token=t", process, home / "log")
        yield url, root
    finally:
        end(process)


@pytest.fixture
def page(
    server: tuple[str, Path],
    chromium: Any,  # noqa: F811
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Any, Path]]:
    """The notebook of a step, open in JupyterLab, and the folder of its pipeline."""
    folder = server[1] / f"p{abs(hash(request.node.name))}"
    create_pipeline(chain("shop", ["load", "train"]), folder, None)
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(START * 1000)
    opened.goto(f"{server[0]}/lab/tree/{folder.name}/shop-load/load.ipynb?token=t&reset")
    opened.wait_for_selector("#jupyterlab-splash", state="detached")
    opened.wait_for_selector("text=▶ Run step")
    yield opened, folder
    context.close()


def badges(opened: Any) -> list[str]:
    return opened.locator(".sinara-badge").all_text_contents()


def press_run(opened: Any) -> None:
    opened.get_by_text("▶ Run step").click()


def test_tags_are_badges_that_follow_them(page):
    opened, _ = page
    opened.wait_for_selector(".sinara-badge")
    assert badges(opened)[:2] == ["parameters", "interface"]

    opened.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
    opened.evaluate(
        "() => window.jupyterapp.commands.execute('sinara:tag-interface').then(() => null)"
    )
    opened.wait_for_function("() => document.querySelectorAll('.sinara-badge').length >= 3")
    assert badges(opened).count("interface") == 2

    opened.evaluate(
        "() => window.jupyterapp.commands.execute('sinara:tag-interface').then(() => null)"
    )
    opened.wait_for_function(
        "() => Array.from(document.querySelectorAll('.sinara-badge')).filter(b => b.textContent === 'interface').length === 1"
    )


def test_a_parameter_is_changed_the_step_is_run_and_the_report_read(page):
    opened, folder = page
    opened.evaluate(
        '() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.setSource(\'substep_params = {"rows": 50, "seed": 7}  # looked at\')'
    )

    press_run(opened)
    opened.wait_for_selector(".sinara-run progress")
    opened.wait_for_selector(".sinara-report")

    said = opened.locator(".sinara-run").inner_text()
    assert "Run succeeded: shop-load" in said
    assert "not those in the notebook: rows in load.ipynb" in said
    saved = nbformat.read(folder / "shop-load/load.ipynb", 4)
    assert "looked at" in saved.cells[1].source  # what was changed was saved before it ran
    opened.locator(".sinara-report").click()
    report = opened.frame_locator(".sinara-page iframe")
    report.get_by_text("user.shop.zone.load.dataset").wait_for()
    assert (
        len(list((folder / "sinara_data/user/shop/zone/load").glob("run-*/dataset/_SUCCESS"))) == 1
    )


def test_a_failing_step_says_where_and_the_notebook_goes_there(page):
    opened, _ = page
    opened.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[5].model.sharedModel.setSource('1 / 0  # <img src=x onerror=alert(1)>')"
    )

    press_run(opened)
    opened.wait_for_selector(".sinara-report")

    told = opened.locator(".sinara-run").inner_text()
    assert "Run failed: shop-load" in told
    assert "division by zero" in told
    assert (
        opened.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == 5
    )


def test_a_run_is_stopped_and_a_second_one_refused_meanwhile(page):
    opened, folder = page
    opened.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[5].model.sharedModel.setSource('import time; time.sleep(300)')"
    )
    press_run(opened)
    opened.wait_for_selector(".sinara-run progress")

    opened.wait_for_function(
        "() => /cell 6 of/.test(document.querySelector('.sinara-run').innerText)"
    )
    opened.locator(".sinara-stop").click()
    opened.wait_for_selector(".sinara-report")

    assert "Run cancelled" in opened.locator(".sinara-run").inner_text()
    (record,) = (folder / "sinara_data/user/shop/zone/load/_runs").glob("*/record.json")
    assert json.loads(record.read_text())["status"] == "cancelled"


def test_the_graph_opens_in_a_tab(page):
    opened, _ = page

    opened.locator("jp-button, button").filter(has_text="Graph").first.click()

    graph = opened.frame_locator(".sinara-page iframe")
    graph.locator(".boxes > g", has_text="train.ipynb").first.wait_for()
    graph.locator(".boxes > g", has_text="train.ipynb").first.click()
    graph.get_by_text("substep of train").wait_for()
