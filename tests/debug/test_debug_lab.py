"""``sinara run debug --lab``: the failed notebook in a real browser, in its surroundings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.report.conftest import chromium  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

IDLE = "() => /Idle/.test(document.querySelector('#jp-main-statusbar')?.innerText || '')"
RAN = "() => document.querySelector('.jp-Notebook').innerText.includes('outputs/pipe/zone/train')"
START = 120  # s, that a server or a page may take on a busy machine


@pytest.fixture
def lab(failed, unchanged) -> Iterator[subprocess.Popen[str]]:
    """The command, while JupyterLab runs; ended by Ctrl-C."""
    pytest.importorskip("jupyterlab", reason="needs: pip install 'sinara[lab]'")
    process = subprocess.Popen(
        [sys.executable, "-m", "sinara", "run", "debug", "--lab"],
        cwd=failed.step,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        text=True,
    )
    started = psutil.Process(process.pid)
    yield process
    children = started.children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(START) == 0
    process.stdout.close()
    assert [child for child in children if child.is_running()] == []


def test_the_notebook_opens_with_its_outputs_and_its_cells_work(lab, failed, chromium: Any):  # noqa: F811
    url = lab.stdout.readline().strip()
    # So tall that no cell is out of view: JupyterLab leaves those out.
    page = chromium.new_page(viewport={"width": 1300, "height": 2600})
    page.set_default_timeout(START * 1000)
    page.goto(url)
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_selector(".jp-RenderedMarkdown:has-text('A copy for debugging')")
    page.wait_for_function(IDLE)
    before = page.inner_text(".jp-Notebook")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(RAN)
    page.wait_for_function(IDLE)
    page.screenshot(path=os.environ.get("SCREENSHOT") or str(failed.folder / "lab.png"))
    shown = page.inner_text(".jp-Notebook")
    page.close()
    (failed.folder / "lab.png").unlink(missing_ok=True)

    assert f"as it ran in {failed.run_id}" in before
    assert failed.pinned in shown
    assert "outputs/pipe/zone/train" in shown
    assert "ModuleNotFoundError" not in shown
    assert url.startswith("http://127.0.0.1:")
