"""Making a pipeline, killed for real before any of the things it does: running it again finishes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

# Python tells what is about to happen; the process kills itself before the n-th such thing.
DRIVER = """
import os, signal, sys, threading
from pathlib import Path
from sinara.hosting import open_host
from sinara.manifest import chain
from sinara.scaffold import create_pipeline

root, last = Path(sys.argv[1]), int(sys.argv[2])
lock, count = threading.Lock(), 0

def watch(event, arguments):
    global count
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "subprocess.Popen", "os.chmod"):
        with lock:
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

manifest, host = chain("p", ["a", "b"]), open_host("local", str(root / "host"))
sys.addaudithook(watch)
made = create_pipeline(manifest, root / "p", host)
print(count, *(step.outcome for step in made))
"""


def make(root: Path, last: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(root), str(last)],
        capture_output=True, text=True, check=False, timeout=60, env=dict(os.environ),
    )  # fmt: skip


def test_killed_before_any_thing_that_it_does_it_is_finished_by_running_it_again(tmp_path):
    count = int(make(tmp_path / "whole", 0).stdout.split()[0])
    assert count > 60

    for last in range(1, count, max(1, count // 8)):
        root = tmp_path / str(last)
        assert make(root, last).returncode == -signal.SIGKILL

        again = make(root, 0)

        assert again.returncode == 0, (last, again.stderr)
        assert {p.name for p in (root / "p").iterdir()} == {
            "p-a", "p-b", "sinara.toml", "visualize.ipynb",
        }, last  # fmt: skip
        assert "[envs]" in (root / "p/sinara.toml").read_text()
        for step in ("a", "b"):
            status = subprocess.run(
                ["git", "status", "--porcelain", "--branch"],
                cwd=root / "p" / f"p-{step}", capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert status.stdout == "## main...origin/main\n", last
        assert make(root, 0).stdout.count("there already") == 2
