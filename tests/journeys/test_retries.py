"""Substeps that fail and are tried again: real steps, real kernels."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.steps import cell, notebook, run_script, sinara, write_step

pytestmark = pytest.mark.slow
COUNT = """\
import os, signal
from pathlib import Path
tries = Path("tries")
number = len(tries.read_text()) + 1 if tries.exists() else 1
tries.write_text("x" * number)
"""
WRITE = """\
url = Path(substep.outputs().raw)
was_empty = not url.exists()
url.mkdir(exist_ok=True)
(url / f"part-{number}.csv").write_text(str(number))
substep.add_metric(f"try_{number}", was_empty)
"""
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
RAW = {"outputs": [{"ENTITY_NAME": "raw"}]}
RETRIES = "[substeps.'load.ipynb']\nretries = 2\nretry_wait = 0\n"


def load(tmp_path: Path, *cells: str, settings: str = RETRIES, **more) -> Path:
    """A step of one notebook, with settings beside it."""
    made = notebook(*(cell(source) for source in cells), **RAW)
    step = write_step(tmp_path / "pipe-load", {"load.ipynb": made}, **more)
    (step / "sinara.toml").write_text(settings)
    return step


def evidence(tmp_path: Path) -> Path:
    """The folder of the only run's evidence."""
    (folder,) = (tmp_path / "sinara_data/user/pipe/zone/load/_runs").iterdir()
    return folder


def record_of(tmp_path: Path) -> dict:
    return json.loads((evidence(tmp_path) / "record.json").read_text())


def log_of(tmp_path: Path) -> list[dict]:
    lines = (evidence(tmp_path) / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_kernel_that_dies_once_is_tried_again_and_only_the_second_try_is_published(tmp_path):
    step = load(tmp_path, COUNT + WRITE, f"if number == 1: {DIE}")

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    record = record_of(tmp_path)
    (substep,) = record["substeps"]
    first, second = substep["attempts"]
    assert (record["status"], record["published"]) == ("succeeded", True)
    assert (first["status"], first["failure"]["kind"], first["failure"]["signal"]) == (
        "failed",
        "kernel died",
        9,
    )
    assert (second["number"], second["status"]) == (2, "succeeded")
    assert first["peak_memory"] > 0
    run = Path(record["url"])
    assert sorted(path.name for path in (run / "raw").iterdir()) == ["_SUCCESS", "part-2.csv"]
    assert substep["metrics"] == {"try_2": True}


def test_what_a_failed_attempt_did_is_kept_told_and_shown(tmp_path):
    step = load(
        tmp_path,
        COUNT
        + WRITE
        + f"print('try', number, flush=True)\nimport time; time.sleep(0.5)\nif number == 1: {DIE}",
    )

    done = run_script(step)

    told = "load.ipynb: attempt 1 failed: The process died in Cell In [5]: killed by SIGKILL"
    assert told in done.stderr
    assert "; attempt 2 of 3 in 0 s" in done.stderr
    (event,) = [event for event in log_of(tmp_path) if event["kind"] == "retry"]
    assert (event["substep"], event["attempt"], event["status"]) == ("load.ipynb", 1, "kernel died")
    folder = evidence(tmp_path)
    for number, attempt in enumerate(record_of(tmp_path)["substeps"][0]["attempts"], start=1):
        assert f"try {number}" in (folder / attempt["notebook"]).read_text()
    assert "report.attempt-1.ipynb" in (folder / "reports_load_ipynb/report.html").read_text()
    assert "report.attempt-1.ipynb" in (folder / "index.html").read_text()
    shown = sinara(step, "run", "show").stdout
    assert "killed by SIGKILL" in shown
    assert len(json.loads(sinara(step, "run", "show", "--json").stdout)["run"]["substeps"]) == 1
    assert sinara(step, "run", "verify").returncode == 0


def test_a_kernel_that_always_dies_is_tried_as_often_as_allowed(tmp_path):
    step = load(tmp_path, COUNT + WRITE + DIE)

    done = sinara(step, "step", "run", "--json")

    assert done.returncode == 4
    record = json.loads(done.stdout)["run"]
    (substep,) = record["substeps"]
    assert [one["status"] for one in substep["attempts"]] == ["failed"] * 3
    assert [one["wait"] for one in substep["attempts"]] == [0, 0, None]
    assert (step / "tries").read_text() == "xxx"
    assert (record["status"], record["published"]) == ("failed", False)
    assert substep["notebook"].endswith("report.ipynb")
    assert ", 3 attempts" in done.stderr
    assert len(list((evidence(tmp_path) / "reports_load_ipynb").glob("*.ipynb"))) == 3


def test_a_cause_that_is_not_listed_is_not_tried_again(tmp_path):
    step = load(tmp_path, COUNT, "1 / 0")

    done = run_script(step)

    assert done.returncode == 1
    assert (step / "tries").read_text() == "x"
    (attempt,) = record_of(tmp_path)["substeps"][0]["attempts"]
    assert "its cause, 'cell', is not in the setting retry_on" in attempt["note"]
    assert "retry" not in {event["kind"] for event in log_of(tmp_path)}


def test_a_cell_that_fails_is_tried_again_if_it_is_listed(tmp_path):
    step = load(tmp_path, COUNT + WRITE + "assert number > 1")

    done = run_script(step, SINARA_RETRY_ON="cell")

    assert done.returncode == 0, done.stderr
    assert record_of(tmp_path)["substeps"][0]["attempts"][0]["failure"]["ename"] == "AssertionError"


def test_a_timeout_of_one_substep_is_tried_again(tmp_path):
    slow = COUNT + WRITE + "import time\nif number == 1: time.sleep(60)"
    step = load(tmp_path, slow, settings=RETRIES + "cell_timeout = 5\n")

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    first = record_of(tmp_path)["substeps"][0]["attempts"][0]
    assert first["failure"]["kind"] == "timeout"
    assert "The cell limit of 5 s" in first["failure"]["message"]


def test_a_module_is_tried_again_as_well(tmp_path):
    source = COUNT + DIE.join(["if number == 1: ", "\nprint('second')\n"])
    step = write_step(tmp_path / "pipe-load", {"load.py": source})
    (step / "sinara.toml").write_text("retries = 1\nretry_wait = 0\n")

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    assert len(record_of(tmp_path)["substeps"][0]["attempts"]) == 2


def test_processes_of_an_attempt_are_gone_before_the_next_one_begins(tmp_path):
    leave = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)\n"
        "with open('children', 'a') as file: file.write(f'{child.pid}\\n')\n"
    )
    look = "import psutil\nalive = [p for p in open('children') if psutil.pid_exists(int(p))]\n"
    step = load(
        tmp_path,
        COUNT + WRITE + f"if number == 1:\n    exec({leave!r})\n    {DIE}",
        look + "assert not alive",
    )

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    pids = [int(line) for line in (step / "children").read_text().split()]
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_what_an_earlier_substep_wrote_stays_and_its_work_is_not_done_again(tmp_path):
    first = notebook(
        cell("with open(f'{substep.outputs().base}/kept.csv', 'w') as file: file.write('1')"),
        outputs=[{"ENTITY_NAME": "base"}],
    )
    second = notebook(
        cell(COUNT + WRITE + f"if number == 1: {DIE}"),
        inputs=[{"STEP_NAME": "load", "ENTITY_NAME": "base"}],
        **RAW,
    )
    step = write_step(tmp_path / "pipe-load", {"first.ipynb": first, "second.ipynb": second})
    (step / "sinara.toml").write_text("retries = 1\nretry_wait = 0\n")

    done = run_script(step)

    assert done.returncode == 0, done.stderr
    record = record_of(tmp_path)
    assert [len(s["attempts"]) for s in record["substeps"]] == [1, 2]
    assert (Path(record["url"]) / "base" / "kept.csv").read_text() == "1"
    assert record["substeps"][1]["inputs"][0]["run_id"] == record["run_id"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_wait_ends_the_run_at_once(tmp_path, number):
    step = load(tmp_path, COUNT + WRITE + DIE, settings="retries = 2\nretry_wait = 600\n")
    launcher = subprocess.Popen(
        [sys.executable, "step.dev.py"],
        cwd=step,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    runs = tmp_path / "sinara_data/user/pipe/zone/load/_runs"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(
        '"retry"' in log.read_text() for log in runs.glob("*/log.jsonl")
    ):
        time.sleep(0.05)

    os.kill(launcher.pid, number)
    _, said = launcher.communicate(timeout=60)

    assert launcher.returncode == 130, said
    record = record_of(tmp_path)
    (substep,) = record["substeps"]
    assert (record["status"], record["published"]) == ("cancelled", False)
    assert (substep["status"], substep["failure"]["kind"]) == ("cancelled", "interrupted")
    (attempt,) = substep["attempts"]
    assert (attempt["failure"]["kind"], attempt["wait"]) == ("kernel died", None)
    assert (evidence(tmp_path) / attempt["notebook"]).is_file()
    assert (evidence(tmp_path) / substep["report"]).is_file()
    assert (step / "tries").read_text() == "x"


def test_a_launcher_killed_during_the_wait_leaves_the_first_attempt_in_the_record(tmp_path):
    step = load(tmp_path, COUNT + WRITE + DIE, settings="retries = 2\nretry_wait = 600\n")
    launcher = subprocess.Popen(
        [sys.executable, "step.dev.py"],
        cwd=step,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    runs = tmp_path / "sinara_data/user/pipe/zone/load/_runs"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(
        '"retry"' in log.read_text() for log in runs.glob("*/log.jsonl")
    ):
        time.sleep(0.05)

    launcher.kill()
    launcher.wait()
    recovered = sinara(step, "run", "recover")

    assert recovered.returncode == 0, recovered.stderr
    record = record_of(tmp_path)
    assert record["status"] == "lost"
    assert [one["number"] for one in record["substeps"][0]["attempts"]] == [1]


def test_a_memory_error_under_a_limit_of_the_substep_ends_with_the_code_of_a_dead_kernel(tmp_path):
    settings = "[substeps.'load/load.ipynb']\nmemory = '64 GB'\n"
    step = load(tmp_path, "raise MemoryError('no room')", settings=settings)

    done = sinara(step, "step", "run")

    assert done.returncode == 4
    (substep,) = record_of(tmp_path)["substeps"]
    assert (substep["failure"]["kind"], substep["attempts"]) == ("memory", [])
    assert "the memory limit is 64 GB, setting memory" in done.stderr


def test_a_secret_is_in_no_attempt(tmp_path):
    made = notebook(
        cell(COUNT + WRITE + "print(token.reveal())\nassert number > 1, token.reveal()"),
        **RAW,
    )
    made.cells[0] = cell("from sinara.secret import Secret\ntoken: Secret", "parameters")
    made.cells[2].source = made.cells[2].source.replace("substep_params)", "{})")
    step = write_step(
        tmp_path / "pipe-load",
        {"load.ipynb": made},
        substep_params={"load.ipynb": {"token": {"$env": "A_TOKEN"}}},
    )
    (step / "sinara.toml").write_text("retries = 1\nretry_wait = 0\nretry_on = ['cell']\n")

    done = run_script(step, A_TOKEN="hunter2-hunter2")

    assert done.returncode == 0, done.stderr
    (first, _) = record_of(tmp_path)["substeps"][0]["attempts"]
    assert "AssertionError" in first["failure"]["message"]
    for path in tmp_path.joinpath("sinara_data").rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in done.stdout + done.stderr
