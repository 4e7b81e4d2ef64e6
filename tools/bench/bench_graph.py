"""How long the graph of a large pipeline takes: 250 steps with 1,000 notebooks.

Run: python tools/bench/bench_graph.py [steps] [repeats]

Goals: read cold (nothing in the cache) at most 1.0 s; read again after one notebook changed at
most 0.2 s; its page at most 1 MB. "Read" is `sinara.graph.read_graph`; the command line
with everything (start of Python, history, drawing, writing) is printed beside it. Each time is the
median of the repeats. For comparison: `json.loads` of the same notebooks and nothing else, and
what a tool that runs each step to see its interface needs at least: one start of Python a step.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

STEPS = 250
NOTEBOOKS = 4  # a step
CELLS = (
    ("%load_ext autoreload\n%autoreload 2", []),
    ('substep_params = {{\n    "rows": 100,\n    "seed": 7,\n}}', ["parameters"]),
    (
        "from sinara.substep import get_pipeline_params, get_step_params\n\n"
        "pipeline_params = get_pipeline_params(pprint=True)\n"
        "step_params = get_step_params(pprint=True)",
        [],
    ),
    (
        "from sinara.substep import NotebookSubstep, STEP_NAME, ENTITY_NAME\n\n"
        "substep = NotebookSubstep(pipeline_params, step_params, substep_params)\n"
        "substep.interface(\n    inputs=[{inputs}],\n    outputs=[{outputs}],\n)\n"
        "substep.print_interface_info()\nsubstep.exit_in_visualize_mode()",
        ["interface"],
    ),
    ("import pandas as pd\n\ndata = pd.DataFrame({{'x': range(100)}})", []),
    ("outputs = substep.outputs()\ndata.to_parquet(outputs.part_0)", []),
    ("data.describe()", ["business_report"]),
)


def write_pipeline(folder: Path, steps: int) -> None:
    """Write rows of ten steps that read from the row before, and some from far away."""
    for number in range(steps):
        step = folder / f"big-step_{number:03d}"
        (step / "params").mkdir(parents=True)
        names = [f"part_{n}.ipynb" for n in range(NOTEBOOKS)]
        params = {
            "pipeline_params": {"env_name": "user", "pipeline_name": "big", "zone_name": "zone"},
            "step_params": {"step_name": f"step_{number:03d}"},
            "substeps_params": [
                {"substep_name": name, "substep_params": {"rows": 100, "seed": 7}} for name in names
            ],
        }
        (step / "params" / "step_params.json").write_text(json.dumps(params, indent=1))
        (step / "step.dev.py").write_text('from sinara.step import Step\nStep("params/*.json")\n')
        row, column = divmod(number, 10)
        earlier = {10 * (row - 1) + column, 10 * (row - 1) + (column * 7 + row) % 10}
        earlier |= {number - 50} if column == 3 else set()
        for place, name in enumerate(names):
            inputs = [(f"step_{n:03d}", f"part_{place}") for n in sorted(earlier) if n >= 0]
            if place:
                inputs.append((f"step_{number:03d}", f"part_{place - 1}"))
            (step / name).write_text(notebook(inputs, [f"part_{place}"]))


def notebook(inputs: list[tuple[str, str]], outputs: list[str]) -> str:
    """Return a notebook's text."""
    values = {
        "inputs": ", ".join(
            f'{{STEP_NAME: "{step}", ENTITY_NAME: "{entity}"}}' for step, entity in inputs
        ),
        "outputs": ", ".join(f'{{ENTITY_NAME: "{entity}"}}' for entity in outputs),
    }
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{n}",
            "metadata": {"tags": tags},
            "source": source.format(**values).splitlines(keepends=True),
            "outputs": [],
            "execution_count": None,
        }
        for n, (source, tags) in enumerate(CELLS)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def command(*arguments: str) -> float:
    """Return how long a process takes."""
    return seconds(lambda: subprocess.run([sys.executable, *arguments], check=True))


def main(steps: int = STEPS, repeats: int = 5) -> None:
    """Write the pipeline, measure, print."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/cache"
        folder = Path(scratch) / "big"
        write_pipeline(folder, steps)
        time.sleep(2.1)  # files that have just changed are not kept in the cache
        measure(folder, steps, repeats)


def measure(folder: Path, steps: int, repeats: int) -> None:
    """Print each figure beside its goal."""
    from sinara.draw import page
    from sinara.graph import read_graph

    cold, again, changed, run = [], [], [], []
    target = folder / "big-step_007" / "part_1.ipynb"
    html = str(folder / "graph.html")
    show = ["-m", "sinara", "pipeline", "graph", "-C", str(folder), "-o", html]
    for turn in range(repeats):
        subprocess.run(["rm", "-rf", os.environ["XDG_CACHE_HOME"]], check=True)
        cold.append(seconds(lambda: read_graph(folder)))
        again.append(seconds(lambda: read_graph(folder)))
        target.write_text(notebook([("step_006", "part_1")], [f"changed_{turn}"]))
        changed.append(seconds(lambda: read_graph(folder)))
        run.append(command(*show))
    graph = read_graph(folder)
    assert any(entity.name == f"changed_{repeats - 1}" for entity in graph.entities)
    paths = sorted(folder.glob("*/*.ipynb"))
    peer = [seconds(lambda: [json.loads(p.read_bytes()) for p in paths]) for _ in range(repeats)]
    start = statistics.median(command("-c", "pass") for _ in range(repeats))
    print(f"{steps} steps, {len(paths)} notebooks, {len(graph.entities)} entities; load "
          f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"read cold                 {statistics.median(cold):6.2f} s    goal 1.0")
    print(f"read, nothing changed     {statistics.median(again):6.2f} s")
    print(f"read, one file changed    {statistics.median(changed):6.2f} s    goal 0.2")
    print(f"page written by command   {statistics.median(run):6.2f} s    (with Python's start)")
    print(f"page                      {len(page(graph).encode()) / 1e6:6.2f} MB   goal 1.0")
    print(f"json.loads alone          {statistics.median(peer):6.2f} s")
    print(f"cold / running each step  {statistics.median(cold) / (start * steps):6.3f}     "
          f"(no less than {start * steps:.0f} s)")  # fmt: skip


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
