"""Warm kernels beside papermill, nbclient and ploomber-engine, in the same run.

    python tools/bench/bench_kernels.py [REPEATS] [PART...]

PART: calls, threads, cold, starts, leaks; all of them if none is named. The sides take turns, so
that a machine that slows down slows all of them, and a ratio is the median over the turns.
ploomber-engine, if it is installed (pip install ploomber-engine), runs notebooks in the caller's
own process: it saves the kernel, and gives up that one notebook cannot disturb the next one, that a
crash is survived, and that anything can be limited.

Goals: overhead of a 3-cell notebook <= 0.1 x papermill and <= 0.15 x nbclient; of one that
imports pandas and pyarrow <= 0.07 x papermill; 40 one-line cells <= 0.25 x papermill; ten
1-second notebooks from four threads <= 3.6 s; a cold `python step.dev.py` with one substep <= 0.6 x
one papermill process, with five <= 0.25 x five; 1,000 starts, 16 at a time: no failure; over 200
runs: files +0, threads +0, children 0, memory <= +10 MB, temporary files 0.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from bench_step import make_step

from sinara.execute import ExecuteOptions, end_kernels, execute_notebook, start_ahead, warm_up

NOTEBOOKS = {
    "3 cells": ["x = 1", "y = x + 1", "print(y)"],
    "pandas, pyarrow": [
        "import pandas as pd\nimport pyarrow.parquet",
        "table = pd.DataFrame({'a': range(1000)})",
        "table.to_parquet('table.parquet')",
    ],
    "40 one-line cells": [f"a{n} = {n}" for n in range(40)],
}
GOALS = {  # (notebook, peer): ratio
    ("3 cells", "papermill"): 0.1,
    ("3 cells", "nbclient"): 0.15,
    ("pandas, pyarrow", "papermill"): 0.07,
    ("40 one-line cells", "papermill"): 0.25,
}
Side = Callable[[], object]


def main() -> None:
    """Run the parts that are asked for."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # every kernel of the peers warns there
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    asked = [word for word in sys.argv[1:] if not word.isdigit()]
    repeats = numbers[0] if numbers else 30
    parts: dict[str, Callable[[Path, int], None]] = {
        "calls": calls,
        "threads": threads,
        "cold": cold,
        "starts": starts,
        "leaks": leaks,
    }
    for name in asked or parts:
        with tempfile.TemporaryDirectory() as scratch:
            print(f"-- {name}: load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
            parts[name](Path(scratch), repeats)
            end_kernels()
            print(f"   load {os.getloadavg()[0]:.1f}", flush=True)


def calls(folder: Path, repeats: int) -> None:
    """Calls from a process that goes on: what one more substep costs."""
    os.chdir(folder)
    warm_up()
    time.sleep(5)
    for name, sources in NOTEBOOKS.items():
        path = folder / "in.ipynb"
        write(path, sources)
        notebook = nbformat.read(path, as_version=4)
        sides: dict[str, Side] = {
            "sinara": lambda nb=notebook: ours(nb, folder),
            "sinara, cold": lambda nb=notebook: ours(nb, folder, warm=False),
            "papermill": lambda p=path: papermill_call(p),
            "nbclient": lambda nb=notebook: nbclient_call(nb, folder),
        }
        ploomber = ploomber_call(path)
        if ploomber is not None:
            sides["ploomber-engine"] = ploomber
        taken = in_turns(sides, repeats)
        mine = taken["sinara"]
        print(f"   {name}: sinara {middle(mine) * 1000:.0f} ms")
        for peer, theirs in taken.items():
            if peer != "sinara":
                goal = GOALS.get((name, peer))
                wanted = f"  goal <= {goal}" if goal else ""
                print(
                    f"      {peer:16} {middle(theirs) * 1000:6.0f} ms   "
                    f"ratio {middle(ratios(mine, theirs)):.3f}{wanted}"
                )


def threads(folder: Path, repeats: int) -> None:  # noqa: ARG001
    """Ten 1-second notebooks from four threads."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import time; time.sleep(1)")]
    )
    ours(notebook, folder)
    time.sleep(3)
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: ours(notebook, folder, name=f"{n}.ipynb"), range(10)))
        taken.append(time.perf_counter() - began)
    print(f"   ten 1-second notebooks, four threads: {middle(taken):.2f} s  goal <= 3.6 s")


def cold(folder: Path, repeats: int) -> None:
    """Whole processes: a step with one and with five substeps, and papermill on each."""
    one, five = make_step(folder / "bench-one"), make_step(folder / "bench-five")
    params = five / "params" / "step_params.json"
    whole = json.loads(params.read_text())
    whole["substeps_params"] = []
    for number in range(5):
        shutil.copy(five / "noop.ipynb", five / f"noop{number}.ipynb")
        whole["substeps_params"].append({"substep_name": f"noop{number}.ipynb"})
    params.write_text(json.dumps(whole))
    single = [sys.executable, "-m", "papermill", "--no-progress-bar", "noop.ipynb", "out.ipynb"]
    script = [sys.executable, "step.dev.py"]
    for what, step, count, goal in (("one", one, 1, 0.6), ("five", five, 5, 0.25)):
        taken = in_turns(
            {
                "sinara": lambda step=step: process(script, step),
                "papermill": lambda count=count: [process(single, one) for _ in range(count)],
            },
            max(3, min(repeats, 7)),
        )
        mine, theirs = taken["sinara"], taken["papermill"]
        print(
            f"   {what} substep(s): {middle(mine):.2f} s, papermill {middle(theirs):.2f} s, "
            f"ratio {middle(ratios(mine, theirs)):.2f}  goal <= {goal}"
        )


def starts(folder: Path, repeats: int) -> None:  # noqa: ARG001
    """1,000 kernels, 16 at a time."""
    count, failed = 1000, []

    def one(number: int) -> None:
        kernel = start_ahead(options(folder))
        end = time.monotonic() + 60
        while kernel.connection() is None and time.monotonic() < end:
            time.sleep(0.005)
        good = kernel.connection() is not None and kernel.process.is_warm
        if not (kernel.close() and good):
            failed.append(number)

    began = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(count)))
    took = time.perf_counter() - began
    print(
        f"   {count} starts, 16 at a time: {len(failed)} failed, {took / count * 1000:.0f} ms each"
    )


def leaks(folder: Path, repeats: int) -> None:  # noqa: ARG001
    """What a driver has more after 200 runs than after the first few."""
    import psutil

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    own, temporary = psutil.Process(), Path(tempfile.gettempdir())
    files = set(temporary.glob("sinara-*"))
    for _ in range(10):
        ours(notebook, folder)
    gc.collect()
    before = (own.num_fds(), threading.active_count(), own.memory_info().rss)
    for _ in range(200):
        ours(notebook, folder)
    gc.collect()
    after = (own.num_fds(), threading.active_count(), own.memory_info().rss)
    end_kernels()
    left = len(own.children(recursive=True)), len(set(temporary.glob("sinara-*")) - files)
    print(
        f"   200 runs: open files {after[0] - before[0]:+}, threads {after[1] - before[1]:+}, "
        f"memory {(after[2] - before[2]) / 1e6:+.1f} MB; at the end children "
        f"{left[0]}, temporary files {left[1]}"
    )


def options(folder: Path, *, warm: bool = True) -> ExecuteOptions:
    return ExecuteOptions(folder / "rt", folder, dict(os.environ), warm=warm)


def ours(notebook: object, folder: Path, *, warm: bool = True, name: str = "ours.ipynb") -> None:
    done = execute_notebook(notebook, folder / name, options(folder, warm=warm))
    assert done.status == "succeeded", done.failure


def papermill_call(path: Path) -> None:
    from papermill import execute_notebook as execute

    execute(str(path), str(path.with_suffix(".papermill.ipynb")), progress_bar=False)


def nbclient_call(notebook: object, folder: Path) -> None:
    from nbclient import NotebookClient

    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    NotebookClient(copy, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(copy, folder / "nbclient.ipynb")


def ploomber_call(path: Path) -> Side | None:
    try:
        from ploomber_engine import execute_notebook as execute
    except ImportError:
        return None
    output = str(path.with_suffix(".ploomber.ipynb"))
    return lambda: execute(str(path), output, progress_bar=False)


def process(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def write(path: Path, sources: list[str]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, path)


def in_turns(sides: Mapping[str, Side], repeats: int) -> dict[str, list[float]]:
    """Time every side in turns; the first turn, which warms the caches, does not count."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats + 1):
        for name, act in sides.items():
            began = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - began)
    return {name: seconds[1:] for name, seconds in taken.items()}


def ratios(mine: list[float], theirs: list[float]) -> list[float]:
    return [a / b for a, b in zip(mine, theirs, strict=True)]


middle = statistics.median

if __name__ == "__main__":
    main()
