"""Whole processes: a step with one no-op substep beside papermill, and the answers of the door.

Run: python tools/bench/bench_step.py [repeats]

Goals: `python step.dev.py` at most 1.3 x `papermill` on the same notebook; wrong parameters
answered in at most 0.5 s; `sinara --help` in at most 0.3 s. The commands take turns, and the
ratio is the median over the turns, so that a machine that slows down slows both.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat

SCRIPT = """\
from sinara.step import Step
from sinara.step import StepReport as sr

try:
    step = Step(step_params_file_globs="params/step_params.json", env_name="user")
    for notebook in step.notebooks:
        notebook.run()
except Exception as e:
    step.handle_exception(e)
finally:
    sr.save()
    step.handle_exit()
"""
CELLS = (
    ("substep_params = {}", ["parameters"]),
    (
        "from sinara.substep import NotebookSubstep\n"
        "substep = NotebookSubstep()\n"
        "substep.interface()",
        ["interface"],
    ),
    ("1 + 1", []),
)


def make_step(folder: Path, **substep_params: object) -> Path:
    """Write a step of one substep that does nothing."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    for source, tags in CELLS:
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata["tags"] = tags
        made.cells.append(cell)
    (folder / "params").mkdir(parents=True)
    params = {
        "pipeline_params": {"pipeline_name": "bench"},
        "step_params": {"step_name": "noop", "strict_params": True},
        "substeps_params": [{"substep_name": "noop.ipynb", "substep_params": substep_params}],
    }
    (folder / "params" / "step_params.json").write_text(json.dumps(params))
    (folder / "step.dev.py").write_text(SCRIPT)
    nbformat.write(made, folder / "noop.ipynb")
    return folder


def seconds(command: Sequence[str], folder: Path, expected: int) -> float:
    """Return how long a command takes, start and end included."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if done.returncode != expected:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stderr}")
    return took


def main(repeats: int) -> None:
    """Print one line per comparison."""
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, {repeats} turns")
    with tempfile.TemporaryDirectory() as scratch:
        good = make_step(Path(scratch) / "bench-noop")
        bad = make_step(Path(scratch) / "bench-bad", learning_rate="x")
        python = sys.executable
        papermill = [python, "-m", "papermill", "noop.ipynb", "out.ipynb", "--no-progress-bar"]
        ours, theirs = [], []
        for _ in range(repeats + 1):  # the first turn warms the caches
            ours.append(seconds([python, "step.dev.py"], good, 0))
            theirs.append(seconds(papermill, good, 0))
        ratio = statistics.median(a / b for a, b in zip(ours[1:], theirs[1:], strict=True))
        print(
            f"no-op step: {statistics.median(ours[1:]):.2f} s, papermill "
            f"{statistics.median(theirs[1:]):.2f} s, ratio {ratio:.2f} (goal <= 1.3)"
        )
        for name, command, folder, expected, goal in (
            ("wrong parameters", [python, "step.dev.py"], bad, 2, 0.5),
            ("sinara --help", [python, "-m", "sinara", "--help"], good, 0, 0.3),
        ):
            took = [seconds(command, folder, expected) for _ in range(repeats + 1)][1:]
            print(f"{name}: {statistics.median(took):.2f} s (goal <= {goal} s)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
