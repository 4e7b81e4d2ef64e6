"""What `import sinara.substep` costs a fresh process, beside nothing and beside papermill.

Run: python tools/bench/bench_import.py [repeats]

Goal: at most 0.3 s cold. "Cold" is a process of its own without compiled bytecode of sinara;
"warm" is a process of its own that finds the bytecode, as every one but the first does.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

GOAL = 0.3  # s
CASES = {
    "pass": "pass",
    "sinara.substep": "import sinara.substep",
    "papermill": "import papermill",
}


def seconds(code: str, environ: Mapping[str, str]) -> float:
    """Return how long a Python process that runs ``code`` takes, start and end included."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(environ))
    return time.perf_counter() - start


def cold_seconds(code: str) -> float:
    """Return the same for a copy of sinara that was never imported before."""
    import sinara

    with tempfile.TemporaryDirectory() as fresh:
        source = Path(sinara.__file__).parent
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, Path(fresh) / "sinara", ignore=ignore)
        return seconds(code, {**os.environ, "PYTHONPATH": fresh})


def modules(code: str) -> int:
    """Return how many modules a process has after ``code``."""
    counted = f"{code}\nimport sys\nprint(len(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", counted], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def main(repeats: int) -> None:
    """Print one line per case."""
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, median of {repeats}")
    warm, cold = (
        {
            name: statistics.median(measure(code) for _ in range(repeats))
            for name, code in CASES.items()
        }
        for measure in (lambda code: seconds(code, os.environ), cold_seconds)
    )
    for name, code in CASES.items():
        print(
            f"{name:15s} warm {warm[name]:6.3f} s, cold {cold[name]:6.3f} s: "
            f"{cold[name] / cold['pass']:6.2f} x pass, "
            f"{cold[name] / cold['papermill']:5.2f} x papermill; {modules(code):4d} modules"
        )
    own = cold["sinara.substep"] - cold["pass"]
    print(f"import sinara.substep, cold, the process itself taken off: {own:.3f} s (goal {GOAL} s)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
