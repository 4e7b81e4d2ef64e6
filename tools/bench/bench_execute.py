"""Compare the execution of notebooks with papermill's: whole processes and calls.

    python tools/bench/bench_execute.py [REPEATS]

Prints the median time of each side and their ratio (ours / papermill's), with the load of
the machine. "30 x 1 MB" is a notebook of 30 cells that each print one megabyte in lines.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat

LARGE = "print(('x' * 99 + '\\n') * 10_000)"

OURS = """\
import json, os, sys
from pathlib import Path
from sinara.execute import ExecuteOptions, execute_notebook, start_ahead
source, output = map(Path, sys.argv[1:])
options = ExecuteOptions(output.parent / "rt", cwd=output.parent, env=dict(os.environ))
kernel = start_ahead(options, json.loads(source.read_bytes())["metadata"])
import nbformat
done = execute_notebook(nbformat.read(source, as_version=4), output, options, kernel=kernel)
assert done.status == "succeeded", done.failure
"""


def main() -> None:
    """Run all comparisons."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noop = write(folder / "noop.ipynb", ["pass"])
        large = write(folder / "large.ipynb", [LARGE] * 30)
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, median of {repeats}")
        compare("one no-op cell, whole process", ours(noop), papermill_command(noop), repeats)
        compare("one no-op cell, Python call", ours_call(noop), papermill_call(noop), repeats)
        compare("30 x 1 MB, whole process", ours(large), papermill_command(large), min(repeats, 3))
        compare("30 x 1 MB, Python call", ours_call(large), papermill_call(large), min(repeats, 3))
        compare("no-op, papermill --engine", engine(noop), papermill_command(noop), repeats)
        print(f"load {os.getloadavg()[0]:.1f}")


def write(path: Path, cells: list[str]) -> Path:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nb.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(nb, path)
    return path


def compare(what: str, one: Callable[[], None], other: Callable[[], None], repeats: int) -> None:
    """Time both in turns, so that a change of load meets both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for side, act in enumerate((one, other)):
            began = time.perf_counter()
            act()
            times[side].append(time.perf_counter() - began)
    mine, theirs = map(statistics.median, times)
    print(
        f"{what:32} {mine:7.2f} s  papermill {theirs:7.2f} s  ratio {mine / theirs:.2f}", flush=True
    )


def command(*argv: str) -> Callable[[], None]:
    return lambda: (
        subprocess.run([sys.executable, *argv], check=True, stderr=subprocess.DEVNULL) and None
    )


def ours(source: Path) -> Callable[[], None]:
    return command("-c", OURS, str(source), str(source.with_suffix(".ours.ipynb")))


def papermill_command(source: Path) -> Callable[[], None]:
    output = str(source.with_suffix(".papermill.ipynb"))
    return command("-m", "papermill", "--no-progress-bar", str(source), output)


def engine(source: Path) -> Callable[[], None]:
    output = str(source.with_suffix(".engine.ipynb"))
    return command(
        "-m", "papermill", "--engine", "sinara", "--no-progress-bar", str(source), output
    )


def ours_call(source: Path) -> Callable[[], None]:
    from sinara.execute import ExecuteOptions, execute_notebook

    options = ExecuteOptions(source.parent / "rt", source.parent, dict(os.environ))
    nb = nbformat.read(source, as_version=4)
    return lambda: execute_notebook(nb, source.with_suffix(".call.ipynb"), options) and None


def papermill_call(source: Path) -> Callable[[], None]:
    from papermill import execute_notebook

    output = str(source.with_suffix(".papermill.ipynb"))
    return lambda: execute_notebook(str(source), output, progress_bar=False) and None


if __name__ == "__main__":
    main()
