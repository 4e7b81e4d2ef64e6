"""What a page needs is imported beside the run, and never beside other imports."""

from __future__ import annotations

import os
import time

from sinara import report
from sinara.names import StepName
from sinara.runner import pages
from sinara.runner.evidence import Evidence
from sinara.store import open_store
from tests.report.pages import run as record
from tests.steps import cell, notebook, run_script, write_step

# Runs at the start of every Python below: tells which thread imports what executes notebooks.
WATCH = """\
import os, sys, threading
class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("papermill", "nbclient", "jupyter_client"):
            with open(os.environ["WATCHED"], "a") as file:
                file.write(f"{threading.current_thread().name} {name}\\n")
sys.meta_path.insert(0, Watch)
"""


def test_what_executes_a_notebook_is_imported_by_one_thread_only(tmp_path):
    # Modules of these packages import each other: a second thread may see a half of one.
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": notebook(cell("1"))})
    told = tmp_path / "told"

    path = os.pathsep.join([str(tmp_path / "watch"), os.environ.get("PYTHONPATH", "")])
    done = run_script(step, PYTHONPATH=path, WATCHED=str(told))

    assert done.returncode == 0, done.stderr
    imported = told.read_text().splitlines()
    assert any("papermill.engines" in line for line in imported)
    assert [line for line in imported if not line.startswith("MainThread ")] == []


def test_a_page_waits_for_the_imports_that_are_under_way(tmp_path, monkeypatch):
    order = []

    def slowly():
        time.sleep(0.2)
        order.append("imported")

    def build(*_, **__):
        order.append("built")
        return ""

    monkeypatch.setattr(pages, "_warming", [])
    monkeypatch.setattr(pages, "_BUSY", 0.01)
    monkeypatch.setattr(report, "warm", slowly)
    monkeypatch.setattr(report, "run_page", build)
    made = record()
    store = open_store(str(tmp_path)).step(StepName("user", "digits", "zone", "train"))

    pages.warm()
    time.sleep(0.1)
    pages.write_run_page(Evidence(store, made.run_id, tmp_path), made)

    assert order == ["imported", "built"]


def test_nothing_is_imported_beside_cells_that_are_done_at_once(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(pages, "_warming", [])
    monkeypatch.setattr(pages, "_BUSY", 60)
    monkeypatch.setattr(report, "warm", lambda: order.append("imported"))
    made = record()
    store = open_store(str(tmp_path)).step(StepName("user", "digits", "zone", "train"))

    pages.warm()
    pages.write_run_page(Evidence(store, made.run_id, tmp_path), made)

    assert order == []
