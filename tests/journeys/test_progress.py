"""Runs that are watched: real kernels, a real terminal, real progress bars."""

from __future__ import annotations

import json
import os
import re
import signal
import termios
from pathlib import Path

import pytest

from tests.console.screens import Terminal, start
from tests.steps import cell, notebook, run_script, sinara, write_step

TICKS = """\
import time
from tqdm import tqdm
for i in tqdm(range(40), desc="epoch", mininterval=0):
    time.sleep(0.02)
print("trained")"""
NESTED = """\
for i in tqdm(range(3), desc="outer", mininterval=0):
    for j in tqdm(range(20), desc="inner", leave=False, mininterval=0):
        time.sleep(0.005)"""
WAIT = "import time\nprint('waiting', flush=True)\ntime.sleep(60)"


def evidence(root: Path) -> list[Path]:
    """The record folders of all runs, oldest first."""
    return sorted((root / "sinara_data" / "user" / "pipe" / "zone" / "a" / "_runs").iterdir())


def events(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def bars(tmp_path):
    made = {"a.ipynb": notebook(cell(TICKS), cell(NESTED)), "b.ipynb": notebook(cell("1"))}
    return write_step(tmp_path / "pipe-a", made)


@pytest.mark.slow
def test_progress_bars_fill_neither_the_lines_nor_the_log(bars, tmp_path):
    done = run_script(bars)

    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "it/s" in line]
    assert [line.split("| ", 1)[1][:12] for line in lines[:1]] == ["epoch: 100%|"]
    assert len(lines) <= 4
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr
    ticks = [e for e in events(evidence(tmp_path)[0]) if "it/s" in e.get("text", "")]
    assert 2 <= len(ticks) < 25  # tqdm drew itself a hundred times
    log = sinara(bars, "run", "log").stdout
    assert re.search(r"a\.ipynb \[cell 5\] +\d+\.\d s \| epoch: 100%.*40/40", log)
    assert "a.ipynb [cell 5] done after" in log
    assert log.count("epoch:") == 1


@pytest.mark.slow
def test_the_log_says_what_was_usual_and_the_next_run_is_told(bars, tmp_path):
    first = run_script(bars)
    second = run_script(bars)

    assert "usually" not in first.stderr
    assert re.search(r"  a\.ipynb started, usually \d+\.\d s", second.stderr)
    (before, after) = map(events, evidence(tmp_path))
    starts = [e for e in after if e["kind"] == "substep_start"]
    assert [(e["substep"], e["number"], e["of"]) for e in starts] == [
        ("a.ipynb", 1, 2),
        ("b.ipynb", 2, 2),
    ]
    record = json.loads((evidence(tmp_path)[0] / "record.json").read_text())
    assert [e["usual"] for e in starts] == [s["seconds"] for s in record["substeps"]]
    cells = [e for e in after if e["kind"] == "cell_start" and e["substep"] == "a.ipynb"]
    assert [e["of"] for e in cells] == [6] * len(cells)
    usual = {e["cell"]: e["usual"] for e in cells}
    assert usual == {c["index"]: round(c["seconds"], 3) for c in record["substeps"][0]["cells"]}
    assert cells[-1]["left"] == cells[-1]["usual"]
    assert not any("usual" in e or "left" in e for e in before)


@pytest.mark.slow
def test_on_a_terminal_the_run_is_drawn_and_its_end_is_plain_lines(bars):
    terminal = Terminal()
    process = start(terminal, bars, "step.dev.py")
    seen: list[str] = []
    while terminal.read(0.1):
        seen.append(terminal.text)

    assert process.wait() == 0
    drawn = "\n".join(seen)
    assert "▸ a.ipynb 1/2" in drawn
    assert "starting the kernel" in drawn
    assert re.search(r"\[cell 5 of 6\]  0:0\d\n  epoch: +\d+%", drawn)
    plain = terminal.everything.split("\n")
    ended = [line.split(" after")[0] for line in plain if " after " in line]
    assert ended == ["✓ a.ipynb succeeded", "✓ b.ipynb succeeded", "run succeeded"]
    assert "▸" not in terminal.everything
    assert terminal.everything.count("epoch") == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["key", "term", "kill"])
def test_a_terminal_is_in_order_however_a_run_is_stopped(tmp_path, how):
    step = write_step(tmp_path / "pipe-a", {"a.ipynb": notebook(cell(WAIT))})
    terminal = Terminal()
    before = termios.tcgetattr(terminal.outer)
    process = start(terminal, step, "step.dev.py")
    terminal.until(lambda: "waiting" in terminal.text and "[cell 5 of 5]" in terminal.text)

    if how == "key":
        os.write(terminal.outer, b"\x03")
    else:
        process.send_signal(signal.SIGTERM if how == "term" else signal.SIGKILL)
    while terminal.read(0.1):
        pass

    assert process.wait() == (-signal.SIGKILL if how == "kill" else 130)
    assert not terminal.screen.cursor.hidden
    assert terminal.screen.cursor.x == 0
    if how != "kill":
        assert "▸" not in terminal.everything
        assert "✗ a.ipynb cancelled after" in terminal.text
        assert "report " in terminal.text
    assert termios.tcgetattr(terminal.outer) == before


@pytest.mark.slow
def test_a_terminal_that_is_closed_stops_the_run_in_order(tmp_path):
    step = write_step(tmp_path / "pipe-a", {"a.ipynb": notebook(cell(WAIT))})
    terminal = Terminal()
    process = start(terminal, step, "step.dev.py")
    terminal.until(lambda: "waiting" in terminal.text)

    terminal.close()  # SIGHUP, and EIO for whoever writes

    assert process.wait(30) == 130
    (folder,) = evidence(tmp_path)
    assert json.loads((folder / "record.json").read_text())["status"] == "cancelled"


@pytest.mark.slow
def test_in_the_background_of_a_terminal_nothing_is_drawn(tmp_path):
    step = write_step(tmp_path / "pipe-a", {"a.ipynb": notebook(cell(WAIT.replace("60", "2")))})
    shell = "import subprocess, sys; p = [sys.executable, 'step.dev.py']\n"
    shell += "sys.exit(subprocess.run(p, process_group=0).returncode)"
    terminal = Terminal()
    process = start(terminal, step, "-c", shell)
    while terminal.read(0.1):
        assert "▸" not in terminal.text

    assert process.wait() == 0
    assert "| waiting" in terminal.text


@pytest.mark.slow
def test_a_silent_minute_is_no_silence_for_who_reads_a_pipe(tmp_path):
    step = write_step(
        tmp_path / "pipe-a", {"a.ipynb": notebook(cell("import time; time.sleep(8)"))}
    )
    script = (step / "step.dev.py").read_text()
    (step / "step.dev.py").write_text(
        "import sinara.console.talk as talk\ntalk.FIRST_SILENCE, talk.NEXT_SILENCE = 2, 3\n"
        + script
    )

    done = run_script(step)

    still = [line for line in done.stderr.splitlines() if "still running" in line]
    assert still
    assert all("a.ipynb" in line for line in still)
