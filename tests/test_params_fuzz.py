"""Hundreds of malformed parameter files: lines to act on, and never another exception."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinara.errors import ParamsError
from sinara.params import (
    cell_source,
    check_substep,
    load_step_params,
    read_parameters,
)
from tests.test_params_cell import Cell

SEED = int(os.environ.get("FUZZ_SEED", "20261"))
ROUNDS = 400
GOOD = {
    "pipeline_params": {"env_name": "user", "pipeline_name": "house", "zone_name": "z"},
    "step_params": {"step_name": "s", "verbose_output": False},
    "substeps_params": [
        {"substep_name": "a.ipynb", "substep_params": {"lr": 0.1, "n": 1, "xs": [1, 2]}},
        "b.ipynb",
    ],
}
ANNOTATED = Cell(
    "lr: float = 0.1\nn: int = 1\nxs: list[int] = []\nt: Secret = None", ("parameters",)
)
CLASSIC = Cell("substep_params = {'lr': 0.1, 'n': 1, 'xs': []}", ("parameters",))
HOSTILE: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1e999,
    "",
    "../../etc",
    "a\0b",
    "\ud800",
    "x" * 3000,
    "b=__import__('os').system('x')#",
    [],
    {},
    [[[]]],
    {"$env": "canary!"},
    {"$file": 5},
    {"": {"": None}},
]
SPLICES = [
    b"\0",
    b"\xff\xfe",
    b"{",
    b"]",
    b'"',
    b"NaN",
    b"&a [*a]",
    b"!!python/name:os.system",
    b"\t",
]


def mutate(random_: random.Random, value: Any) -> Any:
    """Replace, drop, repeat or rename one thing somewhere inside ``value``."""
    if isinstance(value, dict) and value and random_.random() < 0.8:
        key = random_.choice(list(value))
        action = random_.randrange(4)
        result = dict(value)
        if action == 0:
            result.pop(key)
        elif action == 1:
            name = random_.choice([key.upper(), key[:-1], "class", "a b", "\u202e", "__x"])
            result[name] = result.pop(key)
        else:
            result[key] = mutate(random_, value[key])
        return result
    if isinstance(value, list) and value and random_.random() < 0.8:
        place = random_.randrange(len(value))
        changed = mutate(random_, value[place])
        return [*value[:place], changed, *value[place + random_.randrange(2) :]]
    return random_.choice(HOSTILE)


def corrupt(random_: random.Random, raw: bytes) -> bytes:
    """Cut the text off, or put something into it."""
    place = random_.randrange(len(raw) + 1)
    if random_.random() < 0.3:
        return raw[:place]
    return raw[:place] + random_.choice(SPLICES) + raw[place + random_.randrange(3) :]


def attempt(folder: Path, name: str) -> tuple[str, ...]:
    """Return the lines of everything that is wrong, as the driver would find it."""
    try:
        params = load_step_params(f"params/{name}", folder=folder)
        for substep in params.substeps:
            for cell in (ANNOTATED, CLASSIC):
                checked = check_substep(read_parameters([cell]), substep, strict=params.strict)
                compile(cell_source(checked.code, checked.imports), "cell", "exec")
    except ParamsError as error:
        return error.lines
    return ()


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_malformed_file_gives_lines_and_never_another_exception(tmp_path, suffix):
    """Run one point again with ``FUZZ_SEED=<seed>``; the seed of a failure is in its name."""
    folder = tmp_path / "house-s"
    (folder / "params").mkdir(parents=True)
    refused = 0
    for round_ in range(ROUNDS):
        random_ = random.Random(SEED + round_)
        document: Any = GOOD
        for _ in range(random_.randrange(1, 4)):
            document = mutate(random_, document)
        raw = json.dumps(document, allow_nan=True).encode()
        if random_.random() < 0.4:
            raw = corrupt(random_, raw)
        (folder / "params" / f"p.{suffix}").write_bytes(raw)

        lines = attempt(folder, f"p.{suffix}")

        seed = f"FUZZ_SEED={SEED + round_}"
        refused += bool(lines)
        assert len(lines) <= 52, seed
        for line in lines:
            assert "\n" not in line, seed
            assert "canary" not in line, seed
            assert line.isprintable(), seed
            assert len(line) < 1000, seed
    assert refused > ROUNDS / 2
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [f"p.{suffix}"]


def test_wrong_parameters_are_found_without_loading_anything_heavy(tmp_path):
    """The answer has to come within half a second of the whole command."""
    (tmp_path / "p.json").write_text(json.dumps(GOOD | {"pipeline_params": {}}))
    code = (
        "import sys; from pathlib import Path\n"
        "from sinara.params import load_step_params\n"
        "from sinara.errors import ParamsError\n"
        f"try: load_step_params('p.json', folder=Path({str(tmp_path)!r}))\n"
        "except ParamsError: print(*sorted(m for m in sys.modules if '.' not in m))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert "sinara" in loaded
    heavy = {"yaml", "nbformat", "pandas", "numpy", "pyarrow", "pydantic", "IPython", "papermill"}
    assert not loaded & heavy
