"""How long plans and runs of pipelines take, beside tools that do the same.

Run: python tools/bench/bench_pipeline.py [--substeps 200] [--points 50]
     python tools/bench/bench_pipeline.py --peers [--small 20] [--env FOLDER]

Goals: the plan of 200 substeps of which nothing changed at most 1 s, a run of it at most 1.2 s,
each with the start of Python. 10,000 tasks scheduled at 1 ms each at most. A sweep: 100 ms a point
at most beside what its notebooks take.

With ``--peers`` a pipeline of ``--small`` notebooks (chains of ten that each write a small table)
is built by ploomber (its parallel executor, 4 processes), by dvc with papermill, and by Dagster
with papermill (its multiprocess executor, 4 at once), in an environment that is made for it: once
from nothing, and once more with nothing to do (Dagster does all again). Goals: nothing to do, at
most 0.3 of ploomber and dvc; from nothing, at most 0.2 of ploomber and Dagster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
PEERS = (
    "ploomber", "dvc", "dagster", "papermill", "pandas", "pyarrow", "ipykernel", "setuptools<80",
)  # fmt: skip
BODY = "import pandas as pd\nframe = pd.DataFrame({'n': range(10)})"


def cell(source: str, *tags: str) -> dict[str, object]:
    """Return a code cell."""
    return {
        "cell_type": "code", "execution_count": None, "id": f"c{abs(hash((source, tags))) % 10**8}",
        "metadata": {"tags": list(tags)}, "outputs": [], "source": source,
    }  # fmt: skip


def notebook(cells: list[dict[str, object]]) -> str:
    """Return a notebook's text."""
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}, indent=1
    )


def write_ours(folder: Path, steps: int, substeps: int, *, chain: bool) -> None:
    """Write a pipeline of so many steps; in rows of ten, or as one chain."""
    for number in range(steps):
        step = folder / f"big-s{number:03d}"
        (step / "params").mkdir(parents=True)
        before = number - 1 if chain or number % 10 else -1
        names = [f"n{k}" for k in range(substeps)]
        params = {
            "pipeline_params": {"env_name": "user", "pipeline_name": "big", "zone_name": "zone"},
            "step_params": {"level": 1},
            "substeps_params": [
                {"substep_name": f"{name}.ipynb", "substep_params": {}} for name in names
            ],
        }
        (step / "params" / "step_params.json").write_text(json.dumps(params))
        for name in names:
            read = f'{{STEP_NAME: "s{before:03d}", ENTITY_NAME: "{name}"}}' if before >= 0 else ""
            declared = (
                "from sinara.substep import NotebookSubstep, STEP_NAME, ENTITY_NAME\n"
                "substep = NotebookSubstep()\n"
                f'substep.interface(inputs=[{read}], outputs=[{{ENTITY_NAME: "{name}"}}])'
            )
            cells = [
                cell("substep_params = {}", "parameters"),
                cell(declared, "interface"),
                cell(BODY),
                cell(f'substep.write("{name}", frame)'),
            ]
            (step / f"{name}.ipynb").write_text(notebook(cells))


def timed(command: list[str], folder: Path, **environ: str) -> float:
    """Return how long a command takes, s."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.monotonic() - began


def ours(*words: str) -> list[str]:
    """Return the command ``sinara`` with words."""
    return [sys.executable, "-m", "sinara", "pipeline", *words]


def large(folder: Path, substeps: int) -> None:
    """Print how long a large pipeline takes."""
    write_ours(folder, substeps // 4, 4, chain=False)
    first = timed(ours("run", "-w", "4"), folder)
    plans = [timed(ours("plan", "--json"), folder) for _ in range(5)]
    runs = [timed(ours("run"), folder) for _ in range(5)]
    print(f"run of {substeps} substeps, from nothing   {first:8.1f} s")
    print(f"plan, nothing changed              {statistics.median(plans):8.2f} s    goal 1.0")
    print(f"run, nothing changed               {statistics.median(runs):8.2f} s    goal 1.2")


def scheduler() -> None:
    """Print what a task costs the scheduler."""
    import random

    from sinara.runner.schedule import Schedule

    for count in (1_000, 10_000):
        pick = random.Random(1)
        needs = {n: [pick.randrange(n) for _ in range(min(n, 3))] for n in range(count)}
        began = time.monotonic()
        Schedule(needs, _nothing, workers=4).run()
        each = (time.monotonic() - began) / count * 1000
        print(f"scheduled, each of {count:6,} tasks      {each:8.3f} ms   goal 1.0")


def _nothing(task: int) -> Literal["done"]:
    del task
    return "done"


def sweep(folder: Path, points: int) -> None:
    """Print what a point of a sweep costs beside its notebook."""
    write_ours(folder, 2, 1, chain=True)
    timed(ours("run"), folder)
    values = ",".join(str(n) for n in range(2, points + 2))
    timed(ours("sweep", "--grid", f"s001.level={values}"), folder)
    again = timed(ours("sweep", "--grid", f"s001.level={values}"), folder)
    start = timed(ours("plan"), folder)
    each = (again - start) / points * 1000
    print(f"sweep of {points} points that are there    {each:8.1f} ms a point, goal 100")


def peers(folder: Path, count: int, place: Path) -> None:
    """Print what the others take for the small pipeline, and the ratios."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    mine = _ours_small(folder / "ours", count)
    print(
        f"sinara    {count} notebooks: first {mine[0]:6.1f} s, again {mine[1]:6.2f} s", flush=True
    )
    for name, build in (("ploomber", _ploomber), ("dvc", _dvc), ("dagster", _dagster)):
        first, again = build(folder / name, count, str(place / "bin" / name), path)
        print(f"{name:9} {count} notebooks: first {first:6.1f} s, again {again:6.2f} s")
        print(f"  ours / it: {mine[0] / first:.2f}, {mine[1] / again:.2f}", flush=True)


def _ours_small(folder: Path, count: int) -> tuple[float, float]:
    write_ours(folder, count, 1, chain=False)
    return timed(ours("run", "-w", "4"), folder), timed(ours("run", "-w", "4"), folder)


def _ploomber(folder: Path, count: int, program: str, path: str) -> tuple[float, float]:
    folder.mkdir()
    tasks = []
    for number in range(count):
        upstream = f"['n{number - 1:03d}']" if number % 10 else "None"
        cells = [
            cell(f"upstream = {upstream}\nproduct = None", "parameters"),
            cell(BODY),
            cell("frame.to_parquet(product['data'])"),
        ]
        (folder / f"n{number:03d}.ipynb").write_text(notebook(cells))
        product = {"nb": f"out/n{number:03d}.ipynb", "data": f"out/n{number:03d}.parquet"}
        tasks.append({"source": f"n{number:03d}.ipynb", "product": product})
    executor = {"dotted_path": "ploomber.executors.Parallel", "processes": 4}
    (folder / "pipeline.yaml").write_text(json.dumps({"tasks": tasks, "executor": executor}))
    command = [program, "build"]
    return timed(command, folder, PATH=path), timed(command, folder, PATH=path)


def _dvc(folder: Path, count: int, program: str, path: str) -> tuple[float, float]:
    folder.mkdir()
    (folder / "out").mkdir()
    stages = {}
    for number in range(count):
        name = f"n{number:03d}"
        cells = [cell(BODY), cell(f"frame.to_parquet('out/{name}.parquet')")]
        (folder / f"{name}.ipynb").write_text(notebook(cells))
        deps = [f"{name}.ipynb", *([f"out/n{number - 1:03d}.parquet"] if number % 10 else [])]
        stages[name] = {
            "cmd": f"papermill {name}.ipynb out/{name}.ipynb",
            "deps": deps,
            "outs": [f"out/{name}.parquet"],
        }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    quiet = {"PATH": path, "DVC_NO_ANALYTICS": "1"}
    timed([program, "init", "-q"], folder, **quiet)
    command = [program, "repro", "-q"]
    return timed(command, folder, **quiet), timed(command, folder, **quiet)


_FLOW = """
import papermill
from dagster import In, Nothing, job, op

def step(number):
    ins = {"before": In(Nothing)} if number % 10 else {}
    @op(name=f"n{number:03d}", ins=ins)
    def execute():
        papermill.execute_notebook(f"n{number:03d}.ipynb", f"out/n{number:03d}.ipynb")
    return execute

steps = [step(number) for number in range(COUNT)]

@job(config={"execution": {"config": {"multiprocess": {"max_concurrent": 4}}}})
def flow():
    before = None
    for number, one in enumerate(steps):
        before = one(before) if number % 10 else one()
"""


def _dagster(folder: Path, count: int, program: str, path: str) -> tuple[float, float]:
    (folder / "out").mkdir(parents=True)
    (folder / "home").mkdir()
    for number in range(count):
        cells = [cell(BODY), cell(f"frame.to_parquet('out/n{number:03d}.parquet')")]
        (folder / f"n{number:03d}.ipynb").write_text(notebook(cells))
    (folder / "flow.py").write_text(_FLOW.replace("COUNT", str(count)))
    environ = {"PATH": path, "DAGSTER_HOME": str(folder / "home"), "DAGSTER_DISABLE_TELEMETRY": "1"}
    command = [program, "job", "execute", "-f", "flow.py", "-j", "flow"]
    return timed(command, folder, **environ), timed(command, folder, **environ)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--substeps", type=int, default=200)
    options.add_argument("--points", type=int, default=50)
    options.add_argument("--small", type=int, default=20)
    options.add_argument("--peers", action="store_true", help="measure only the small pipeline")
    options.add_argument("--env", type=Path, help="where the others are installed, or are to be")
    asked = options.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch:
        if asked.peers:
            peers(Path(scratch), asked.small, asked.env or Path(scratch) / "env")
            return
        scheduler()
        large(Path(scratch) / "large", asked.substeps)
        sweep(Path(scratch) / "sweep", asked.points)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
