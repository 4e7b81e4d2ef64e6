"""How long it takes to compare two runs of ten substeps each, pictures and all.

Run: python tools/bench/bench_diff.py [substeps] [repeats]

Goal: `sinara run diff -o page.html` at most 3.0 s, with the start of Python. Each substep has an
executed notebook of 40 code cells, of which ten were edited, one moved and one added, with 20
pictures of 40 kB (half of them differ) and 200 kB of text; 20 parameters; 10 metrics; two entities of 30 columns.
Each time is the median of the repeats. For comparison: `json.loads` of the same notebooks, and
`difflib.ndiff` of their sources line by line, as `nbdime` and the like begin.
"""  # noqa: E501

from __future__ import annotations

import base64
import difflib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sinara.names import StepName
from sinara.record import EntityRecord, RunRecord, SubstepRecord
from sinara.store import open_store

CELLS, PICTURES = 40, 20
RUNS = ("run-25-01-01-000000-000000-000000aa", "run-25-01-02-000000-000000-000000aa")


def source(number: int, edit: bool) -> str:
    """Return the source of a cell of twelve lines."""
    value = number + 1000 if edit else number
    lines = [f"frame_{number} = table[table['column_{n}'] > {value + n}]" for n in range(10)]
    return "\n".join([f"# step {number}", *lines, f"frame_{number}.describe()"])


def notebook(side: int, substep: int) -> str:
    """Return an executed notebook."""
    order = list(range(CELLS))
    if side:
        order.insert(30, order.pop(5))
    cells = []
    for place, number in enumerate(order):
        rnd = random.Random(number * 100 + substep + (side * 7 if number % 4 == 0 else 0))
        data = b"\x89PNG\r\n\x1a\n" + rnd.randbytes(40_000)
        picture = {"image/png": base64.b64encode(data).decode(), "text/plain": "<Figure>"}
        outputs: list[dict[str, object]] = [
            {"output_type": "stream", "name": "stdout", "text": f"line {place}\n" * 800}
        ]
        if number % 2 == 0:
            outputs.append({"output_type": "display_data", "data": picture, "metadata": {}})
        text = source(number, edit=bool(side) and number % 4 == 1)
        cells.append(
            {
                "cell_type": "code",
                "id": f"c{place}",
                "metadata": {},
                "source": text,
                "outputs": outputs,
                "execution_count": place,
            }
        )
    if side:
        cells.append({**cells[0], "source": "print('added')", "outputs": [], "id": "added"})
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write(folder: Path, substeps: int) -> None:
    """Write two runs."""
    root = str(folder / "sinara_data" / "user")
    store = open_store(root, durability="fast").step(StepName("user", "big", "zone", "train"))
    for side, run_id in enumerate(RUNS):
        parts = []
        for number in range(substeps):
            name = f"part_{number}.ipynb"
            path = f"reports_part_{number}_ipynb/report.ipynb"
            columns = tuple((f"c{n}", "double" if n % 9 or side else "int64") for n in range(30))
            outputs = tuple(
                EntityRecord(
                    f"e{number}_{n}", f"user.big.zone.train.e{number}_{n}", "", run_id, "outputs",
                    name, 1, 9000 + side, 90 + side, columns, f"{side}",
                )
                for n in range(2)
            )  # fmt: skip
            parts.append(
                SubstepRecord(
                    name, "succeeded", seconds=1.0 + side, notebook=path, outputs=outputs,
                    params={f"p{n}": n + (side if n % 5 == 0 else 0) for n in range(20)},
                    metrics={f"m{n}": n / 7 + side / 100 for n in range(10)},
                )
            )  # fmt: skip
            store.put_file(run_id, path, notebook(side, number).encode())
        store.write_record(
            RunRecord(
                run_id, "user", "big", "zone", "train", "succeeded", "2025-01-01T00:00:00+00:00",
                substeps=tuple(parts), published=True,
            )
        )  # fmt: skip


def seconds(folder: Path, *arguments: str, repeats: int) -> float:
    """Return the median time of ``sinara run diff``."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        command = [sys.executable, "-m", "sinara", "run", "diff", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - began)
        assert "part_9.ipynb" in done.stdout
    return statistics.median(times)


def main(substeps: int = 10, repeats: int = 5) -> None:
    """Write two runs, measure, print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder, substeps)
        paths = sorted(folder.rglob("report.ipynb"))
        total = sum(path.stat().st_size for path in paths)
        print(f"2 runs, {substeps} substeps, {total / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}")
        for words in ([], ["--json"], ["-o", "page.html"]):
            took = seconds(folder, *words, repeats=repeats)
            print(f"sinara run diff {' '.join(words):14}{took:6.2f} s    goal 3.0")
        print(
            f"page                          {(folder / 'page.html').stat().st_size / 1e6:6.2f} MB"
        )
        began = time.perf_counter()
        read = [json.loads(path.read_bytes()) for path in paths]
        print(f"json.loads alone              {time.perf_counter() - began:6.2f} s")
        began = time.perf_counter()
        texts = [[line for c in nb["cells"] for line in c["source"].splitlines()] for nb in read]
        half = len(texts) // 2
        for old, new in zip(texts[:half], texts[half:], strict=True):
            list(difflib.ndiff(old, new))
        print(f"difflib.ndiff of all lines    {time.perf_counter() - began:6.2f} s")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
