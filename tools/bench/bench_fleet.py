"""`sinara pipeline status` over fifty steps, from the start of the process. Goal: 1 s on 2 cores.

python tools/bench/bench_fleet.py [STEPS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sinara.record import RunRecord, to_json
from sinara.repository import connect, first_commit, push

GOAL = 1.0
REPEATS = 7
COMMAND = """
import sys
from sinara.cli.fleet import status
sys.exit(status.main(sys.argv[1:], standalone_mode=False))
"""


def make_step(top: Path, number: int) -> None:
    name = f"step{number:03}"
    folder = top / f"bench-{name}"
    (folder / "params").mkdir(parents=True)
    params = {
        "pipeline_params": {"env_name": "user", "pipeline_name": "bench"},
        "step_params": {"step_name": name},
        "substeps_params": [{"substep_name": "do.ipynb", "substep_params": {}}],
    }
    (folder / "params" / "step_params.json").write_text(json.dumps(params))
    for file in range(20):
        (folder / f"file{file}.txt").write_text("text\n" * 100)
    first_commit(folder, "first")
    bare = top.parent / "bare" / f"{name}.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    connect(folder, "origin", str(bare))
    push(folder, "origin", "main")
    (folder / "file0.txt").write_text("changed\n")
    for run in range(20):
        run_id = f"run-26-01-{run + 1:02}-120000-000001-0123abcd"
        place = top / "sinara_data/user/bench/zone" / name / "_runs" / run_id
        place.mkdir(parents=True)
        record = RunRecord(
            run_id, "user", "bench", "zone", name, "succeeded", "2026-01-01T12:00:00+00:00"
        )
        (place / "record.json").write_text(to_json(record))


def main() -> int:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch) / "pipeline"
        for number in range(steps):
            make_step(top, number)
        times = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, "-C", str(top)],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            times.append(time.perf_counter() - begun)
        assert len(done.stdout.splitlines()) == steps + 1, done.stdout
        print(done.stdout.splitlines()[1])
    middle = statistics.median(times)
    verdict = "met" if middle <= GOAL else "MISSED"
    measured = f"{middle:.2f} s (least {min(times):.2f})"
    print(f"status of {steps} steps: {measured}; goal {GOAL} s: {verdict}")
    return 0 if middle <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
