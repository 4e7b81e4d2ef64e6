"""What the pages of a run cost, in a process of its own as a step has it, beside nbconvert.

Run: python tools/bench/bench_report.py [repeats]

Goal: the report, the business report and the run page of one no-op substep take at most
150 ms more, imports included, in a process that has nbclient loaded.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

PREPARE = """
import sys, time
import nbclient, nbformat  # a step has them loaded: its notebook was executed
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sinara.record import RunRecord, SubstepRecord
text = lambda n: new_output("stream", name="stdout", text=("x" * 79 + "\\n") * n)
noop = [new_code_cell("substep_params = {'lr': 0.1}", execution_count=1),
        new_code_cell("print('done')", execution_count=2, outputs=[text(1)])]
markdown = [new_markdown_cell("# Title\\n\\nSome *text* and $x^2$."), *noop]
big = [new_code_cell("print(text)", execution_count=i, outputs=[text(13_000)]) for i in range(30)]
nb = new_notebook(cells={"noop": noop, "markdown": markdown, "big": big}[sys.argv[1]])
substep = SubstepRecord("train.ipynb", "succeeded", "2026-11-21T05:00:00+00:00", 1.0)
record = RunRecord("run-26-11-21-050000", "user", "p", "zone", "s", "succeeded",
                   "2026-11-21T05:00:00+00:00", substeps=(substep,))
"""
OURS = """
start = time.perf_counter()
from sinara.report import business_page, run_page, substep_page
pages = [substep_page(record, substep, nb), business_page(record, substep, nb), run_page(record)]
"""
WARMED = "from sinara.report import warm; warm()\n" + OURS
NBCONVERT = """
start = time.perf_counter()
from nbconvert import HTMLExporter
pages = [HTMLExporter(template_name="basic").from_notebook_node(nb)[0]]
"""
END = "print(time.perf_counter() - start, sum(map(len, pages)))"
CASES = {
    "ours": OURS,
    "ours, warmed while the kernel was busy": WARMED,
    "nbconvert, basic": NBCONVERT,
}


def measure(notebook: str, code: str, repeats: int) -> tuple[float, int]:
    """Return the median seconds and the characters of the pages."""
    runs = []
    for _ in range(repeats):
        command = [sys.executable, "-c", PREPARE + code + END, notebook]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        runs.append((float(out[0]), int(out[1])))
    return statistics.median(seconds for seconds, _ in runs), runs[0][1]


def main() -> None:
    """Print a line per case."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores, median of {repeats} processes")
    for notebook in ("noop", "markdown", "big"):
        for name, code in CASES.items():
            seconds, characters = measure(notebook, code, repeats)
            goal = "  (goal 150 ms)" if (notebook, name) == ("noop", "ours") else ""
            figures = f"{seconds * 1000:7.0f} ms {characters / 1000:9,.0f} kB"
            print(f"{notebook:9} {name:38} {figures}{goal}")


if __name__ == "__main__":
    main()
