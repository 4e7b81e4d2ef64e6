"""How long it takes to tell where an entity came from, among 10,000 runs.

Run: python tools/bench/bench_why.py [runs] [repeats]

Goal: `sinara why` at most 1.0 s, with the start of Python. Three stores with that many runs:
"wide", ten steps that read each other; "gone", the same with an input that was taken back, so
that its step's whole log has to be read; "deep", a step each run of which reads the run before it, so that
every record is an ancestor. There is no index in any of them, and the page cache is warm. Each time is the
median of the repeats. For comparison: reading the bytes of all records, and nothing else.
"""  # noqa: E501

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from sinara.names import StepName, full_name
from sinara.record import CodeRecord, EntityRecord, RunRecord, SubstepRecord, to_json
from sinara.store.codec import seal

STEPS = 10


def run_id(number: int) -> str:
    """Return the id of a run; later runs have greater ones."""
    minutes, second = divmod(number, 60)
    return f"run-25-01-{1 + minutes // 1440:02d}-{minutes // 60 % 24:02d}{minutes % 60:02d}{second:02d}-000000-000000aa"  # noqa: E501


class Writer:
    """Writes runs of one step as a run leaves them, all but the data: nobody reads it here."""

    def __init__(self, root: Path, step: str) -> None:
        self.step = StepName("user", "big", "zone", step)
        self.folder = root / self.step.path
        (self.folder / "_commits").mkdir(parents=True)
        self.count, self.last = 0, ""

    def run(self, name: str, inputs: list[tuple[str, str]]) -> None:
        """Write one run that publishes ``data`` and read ``inputs``."""
        entity = full_name(self.step, "data")
        held = {"folder": "data", "manifest_sha256": "0" * 64, "rows": 5, "bytes": 900, "files": 1}
        pins = {full: {"run_id": run, "manifest_sha256": "0" * 64} for full, run in inputs}
        self._append(
            {
                "kind": "run",
                "run_id": name,
                "time": "2025-01-01T00:00:00+00:00",
                "entities": {"data": held},
                "inputs": pins,
                "interactive": False,
                "draft": None,
                "trigger_key": None,
                "code": {"commit": "c0ffee"},
                "params_sha256": "0" * 64,
                "substeps": [{"name": "work.ipynb", "sha256": "0" * 64}],
            }
        )
        (self.folder / name).mkdir()
        (self.folder / name / "_CLAIM").touch()
        (self.folder / name / "_COMMIT").write_bytes(
            seal({"sequence": self.count, "entry": self.last})[0]
        )
        columns = tuple((f"column_{n}", "double") for n in range(10))
        out = EntityRecord(
            "data", entity, str(self.folder / name / "data"), name, "outputs", "work.ipynb",
            1, 900, 5, columns, "0" * 64,
        )  # fmt: skip
        read = tuple(
            replace(out, full_name=full, run_id=run, kind="inputs") for full, run in inputs
        )
        substep = SubstepRecord(
            "work.ipynb", "succeeded", params={"rate": 0.1, "seed": 7}, metrics={"rows": 5},
            inputs=read, outputs=(out,),
        )  # fmt: skip
        record = RunRecord(
            name, "user", "big", "zone", self.step.step, "succeeded", "2025-01-01T00:00:00+00:00",
            published=True, substeps=(substep,), code=CodeRecord("c0ffee", "main"),
        )  # fmt: skip
        (self.folder / "_runs" / name).mkdir(parents=True)
        (self.folder / "_runs" / name / "record.json").write_text(to_json(record))

    def take_back(self, name: str) -> None:
        """Take back a run."""
        body = {"kind": "tombstone", "run_id": name, "reason": "old", "time": "2025-02-01"}
        self._append(body)
        (self.folder / name / "_COMMIT").unlink()

    def _append(self, body: dict[str, object]) -> None:
        self.count += 1
        full = {**body, "schema_version": 1, "sequence": self.count, "previous": self.last}
        data, self.last = seal({**full, "nonce": f"{self.count}"})
        (self.folder / "_commits" / f"{self.count:020d}.json").write_bytes(data)


def write_wide(root: Path, runs: int) -> list[Writer]:
    """Write runs of ten steps; each run reads the newest of the two steps before it."""
    steps = [Writer(root, f"step_{n}") for n in range(STEPS)]
    for number in range(runs // STEPS):
        for place, step in enumerate(steps):
            before = steps[max(0, place - 2) : place]
            moment = run_id(number * STEPS + place - 1), run_id(number * STEPS + place - 2)
            newest = dict(zip(reversed(before), moment, strict=False))
            read = [(full_name(one.step, "data"), run) for one, run in newest.items()]
            step.run(run_id(number * STEPS + place), read)
    return steps


def write_deep(root: Path, runs: int) -> None:
    """Write runs of a step that reads its own last run."""
    step = Writer(root, "step_9")
    for number in range(runs):
        read = [(full_name(step.step, "data"), run_id(number - 1))] if number else []
        step.run(run_id(number), read)


def seconds(folder: Path, *arguments: str, repeats: int) -> float:
    """Return the median time of ``sinara why``."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        command = [sys.executable, "-m", "sinara", "why", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - began)
        assert "step_9" in done.stdout
    return statistics.median(times)


def main(runs: int = 10_000, repeats: int = 5) -> None:
    """Write the stores, measure, print."""
    print(f"{runs:,} runs; load {os.getloadavg()[0]:.1f}")
    start = [sys.executable, "-m", "sinara", "--version"]
    began = time.perf_counter()
    subprocess.run(start, check=True, capture_output=True)
    print(f"start of Python and sinara  {time.perf_counter() - began:6.2f} s")
    with tempfile.TemporaryDirectory() as scratch:
        wide, deep = Path(scratch, "wide"), Path(scratch, "deep")
        steps = write_wide(wide / "sinara_data" / "user", runs)
        for words in (["data", "--step", "step_9"], ["step_9.data"], ["step_9.data", "--json"]):
            took = seconds(wide, *words, repeats=repeats)
            print(f"wide  {' '.join(words):22}{took:6.2f} s    goal 1.0")
        steps[3].take_back(run_id(runs - STEPS + 3))
        took = seconds(wide, "step_9.data", repeats=repeats)
        print(f"gone  {'step_9.data':22}{took:6.2f} s    goal 1.0")
        write_deep(deep / "sinara_data" / "user", runs)
        for words in (["step_9.data"], ["step_9.data", "--json"]):
            took = seconds(deep, *words, repeats=repeats)
            print(f"deep  {' '.join(words):22}{took:6.2f} s")
        began = time.perf_counter()
        total = sum(len(p.read_bytes()) for p in deep.rglob("record.json"))
        print(f"all records read as bytes   {time.perf_counter() - began:6.2f} s ({total:,} bytes)")
        told = json.loads(
            subprocess.run(
                [sys.executable, "-m", "sinara", "why", "step_9.data", "--json"],
                cwd=deep,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        assert len(told["lineage"]["entities"]) == runs


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
