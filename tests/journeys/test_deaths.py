"""Launchers and kernels that die: nothing half-written is readable, nothing is left, the next run is fine."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from sinara.names import StepName
from sinara.store import open_store
from tests.steps import cell, notebook, run_script, sinara, write_step

SEED = int(os.environ.get("SINARA_SEED", random.SystemRandom().randrange(2**32)))
MARK = "a-run-of-the-tests"
SLOW = """\
import pandas as pd, time
for part in range(8):
    import os
    os.makedirs(substep.outputs().raw, exist_ok=True)
    pd.DataFrame({"x": range(1000)}).to_parquet(f"{substep.outputs().raw}/part-{part}.parquet")
    time.sleep(0.05)"""


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """A step that writes one entity in eight parts, slowly."""
    made = notebook(cell(SLOW), outputs=[{"ENTITY_NAME": "raw"}])
    return write_step(tmp_path / "pipe-load", {"load.ipynb": made})


def start(step: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "step.dev.py"],
        cwd=step,
        env={**os.environ, "A_MARK": MARK + str(step)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def left_over(step: Path) -> list[psutil.Process]:
    """Processes that carry the mark of the launcher in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("A_MARK") == MARK + str(step) and process.status() != "zombie":
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until_gone(step: Path, seconds: float = 10) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while (left := left_over(step)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def published(tmp_path: Path) -> dict[str, bytes]:
    """Every published file of the step, with its bytes."""
    store = open_store(str(tmp_path / "sinara_data" / "user")).step(
        StepName("user", "pipe", "zone", "load")
    )
    files = {}
    for commit in store.commits():
        for entity in commit.entities:
            folder = Path(store.entity_url(commit.run_id, entity))
            files |= {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return files


def test_a_launcher_killed_at_any_moment_leaves_nothing_half_done(step, tmp_path):
    sys.stdout.write(f"seed {SEED}\n")  # shown when it fails; SINARA_SEED replays it
    chance = random.Random(SEED)
    assert run_script(step).returncode == 0
    before = published(tmp_path)

    for _ in range(5):
        launcher = start(step)
        time.sleep(chance.uniform(0.1, 4.5))
        os.kill(launcher.pid, signal.SIGKILL)
        launcher.wait()
        assert wait_until_gone(step) == []

    assert run_script(step).returncode == 0
    after = published(tmp_path)
    assert {path: after[path] for path in before} == before
    records = json.loads(sinara(step, "run", "list", "--json").stdout)["runs"]
    assert "running" not in {record["status"] for record in records}
    for record in records:
        run = Path(record["url"])
        if record["status"] == "succeeded":
            assert len(pd.read_parquet(run / "raw")) == 8000
        else:  # kept to be resumed if it was killed between its last cell and its publication
            assert not list(run.rglob("_SUCCESS"))
            assert not run.exists() or record["substeps"][0]["status"] == "succeeded"
    assert sinara(step, "run", "verify").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_in_order(step, tmp_path, number):
    launcher = start(step)
    deadline = time.monotonic() + 60
    log = tmp_path / "sinara_data/user/pipe/zone/load/_runs"
    while time.monotonic() < deadline and not any(
        "cell_start" in p.read_text() for p in log.glob("*/log.jsonl")
    ):
        time.sleep(0.05)

    os.kill(launcher.pid, number)
    code = launcher.wait(timeout=60)

    assert code == 130
    assert wait_until_gone(step) == []
    (record,) = [json.loads(path.read_text()) for path in log.glob("*/record.json")]
    assert (record["status"], record["published"], record["exit_code"]) == ("cancelled", False, 130)
    assert (log / record["run_id"] / "index.html").is_file()
    assert (log / record["run_id"] / "reports_load_ipynb" / "report.ipynb").is_file()


def test_a_kernel_killed_by_its_own_cell_is_told_truly(step, tmp_path):
    import nbformat

    made = notebook(
        cell("x = 1"),
        cell("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        cell("x = 2"),
    )
    nbformat.write(made, step / "load.ipynb")

    done = run_script(step)

    assert done.returncode == 1
    assert "SIGKILL" in done.stderr
    (path,) = (tmp_path / "sinara_data/user/pipe/zone/load/_runs").glob("*/record.json")
    cells = json.loads(path.read_text())["substeps"][0]["cells"]
    assert [c["status"] for c in cells][-3:] == ["done", "failed", "not run"]


def test_four_runs_of_one_checkout_at_once_all_publish(step, tmp_path):
    launchers = [start(step) for _ in range(4)]

    assert [launcher.wait(timeout=180) for launcher in launchers] == [0] * 4
    store = open_store(str(tmp_path / "sinara_data" / "user")).step(
        StepName("user", "pipe", "zone", "load")
    )
    assert len(list(store.commits())) == 4
    assert store.verify() == ()
