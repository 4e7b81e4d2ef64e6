"""How long the interfaces of 1,000 notebooks take to read, with nothing executed.

Run: python tools/bench/bench_reading.py [notebooks]

Goal: at most 1 s for 1,000, in a process of its own, start and imports included. The notebooks
differ from each other and are like the step template: six kinds of entities, an f-string, a
lookup, a comprehension, `%load_ext`, and about 100 kB of saved outputs in every tenth.
For comparison: the same files read by `json.loads` alone, and by nbformat.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL = 1.0  # s for 1,000 notebooks
CELLS = (
    ("%load_ext autoreload\n%autoreload 2", []),
    ('substep_params = {{\n    "source": "raw_{n}",\n    "param2": "None2"}}', ["parameters"]),
    (
        "from sinara.substep import get_pipeline_params, get_step_params\n"
        "pipeline_params = get_pipeline_params(pprint=True)\n"
        "step_params = get_step_params(pprint=True)",
        [],
    ),
    (
        "from sinara.substep import NotebookSubstep, ENV_NAME, PIPELINE_NAME, ZONE_NAME\n"
        "from sinara.substep import STEP_NAME, RUN_ID, ENTITY_NAME, ENTITY_PATH, SUBSTEP_NAME\n"
        "substep = NotebookSubstep(pipeline_params, step_params, substep_params)\n"
        "substep.interface(\n"
        "    inputs=[{{STEP_NAME: 'prev', ENTITY_NAME: 'entityA_{n}'}},\n"
        "            {{STEP_NAME: 'prev', ENTITY_NAME: substep_params['source']}},\n"
        "            {{STEP_NAME: 'x', ENTITY_NAME: 'I', PIPELINE_NAME: 'y', ZONE_NAME: 'z'}}],\n"
        "    outputs=[{{ENTITY_NAME: f'{{s}}_{{pipeline_params[\"X\"]}}'}} for s in ('a', 'b')],\n"
        "    custom_inputs=[{{ENTITY_NAME: 'D', ENTITY_PATH: '/data/something/D'}}],\n"
        "    custom_outputs=[{{ENTITY_NAME: 'K', ENTITY_PATH: '/data/something/K'}}],\n"
        "    tmp_inputs=[{{ENTITY_NAME: 'M'}}, {{ENTITY_NAME: 'N'}}],\n"
        "    tmp_outputs=[{{ENTITY_NAME: 'F'}}, {{ENTITY_NAME: 'G'}}],\n"
        ")\n"
        "substep.print_interface_info()\n"
        "substep.exit_in_visualize_mode()",
        ["interface"],
    ),
    ("import pandas as pd\ndf = pd.read_parquet(substep.inputs(step_name='prev').D)", []),
    ("df.to_parquet(substep.outputs().train_set)", []),
)
READ = """
import sys
from pathlib import Path
from sinara.reading import read_cells, read_interface
found = 0
for path in sorted(Path(sys.argv[1]).glob("*.ipynb")):
    reading = read_interface(
        read_cells(path), pipeline_params={"env_name": "user", "X": "set"}, step_params={},
        substep_params={"source": "given"},
    )
    found += reading.interface is not None and len(reading.interface.outputs) == 2
assert found == int(sys.argv[2]), found
assert not {"IPython", "nbformat"} & set(sys.modules)
"""
OTHERS = {
    "json.loads alone": "import json\nfor p in files: json.loads(p.read_text())",
    "nbformat.read": "import nbformat\nfor p in files: nbformat.read(p, as_version=4)",
}
FILES = "import sys\nfrom pathlib import Path\nfiles = sorted(Path(sys.argv[1]).glob('*.ipynb'))\n"


def write(folder: Path, count: int) -> None:
    """Write ``count`` notebooks."""
    for number in range(count):
        cells = [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"c{index}",
                "metadata": {"tags": tags},
                "outputs": [],
                "source": source.format(n=number).splitlines(keepends=True),
            }
            for index, (source, tags) in enumerate(CELLS)
        ]
        if number % 10 == 0:
            text = ["0123456789" * 10 + "\n"] * 1000
            cells[-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"nb{number:05d}.ipynb").write_text(json.dumps(notebook, indent=1))


def seconds(code: str, *arguments: str) -> tuple[float, float]:
    """Return how long a Python process that runs ``code`` takes: by the clock, and of processor."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(count: int) -> None:
    """Print one line per way of reading."""
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, {count} notebooks")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), count)
        took, busy = min(seconds(READ, folder, str(count)) for _ in range(3))
        goal = GOAL * count / 1000
        shown = f"{took:5.2f} s, {busy:5.2f} s of processor"
        print(f"  {'static interfaces':<18} {shown}   goal {goal:.2f} s: {took / goal:.2f} of it")
        for name, code in OTHERS.items():
            other, other_busy = seconds(FILES + code, folder)
            shown = f"{other:5.2f} s, {other_busy:5.2f} s of processor"
            print(f"  {name:<18} {shown}   ratio {busy / other_busy:.2f} of processor")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
