"""What checking a contract costs, against writing the same table: 10 million rows by default.

    python tools/bench/bench_contract.py [--rows 10000000] [--rounds 5] [--folder DIR]

Each round writes the table as ``substep.write`` does, seals it as the store does (flush and hash)
with and without the typical contract, and checks it alone with each contract. Prints the best
times; what a run pays for the contract, whose check goes on while the disk is waited for, as a
share of the write alone, and of write and seal (the median of the rounds; the goal: at most 5 %);
and by how much memory grew in a process of its own that checks. What a run pays is small where the
disk is slow to flush: what a check takes alone stands below it. Caches are warm, as they are when
a substep has just written.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from sinara.contract import read_contract
from sinara.contract.check import check_data
from sinara.contract.files import open_table
from sinara.contract.learn import learn
from sinara.names import StepName, new_run_id
from sinara.store import open_store
from sinara.substep.tables import write_table

GOAL = 5.0  # % of the time to write
LIMITS = {
    "id": {"type": "int64", "min": 0, "null_share": 0},
    "amount": {"type": "double", "min": 0, "max": 1e6},
    "units": {"type": "int64", "min": 0, "max": 100, "null_share": 0},
    "at": {"type": "timestamp[us]", "min": "2023-01-01", "null_share": 0},
    "kind": {"type": "string", "null_share": 0},
    "score": {"type": "double", "min": 0, "max": 1},
}
TYPICAL = "typical: those, a list, a key"
CONTRACTS = {
    "types, limits, missing (footers)": {"columns": LIMITS, "other_columns": "refuse"},
    TYPICAL: {
        "columns": {**LIMITS, "kind": {"type": "string", "in": ["buy", "sell", "hold"]}},
        "other_columns": "refuse",
        "key": ["id"],
    },
    "a list of texts": {"columns": {"kind": {"in": ["buy", "sell", "hold"]}}},
    "missing values of floats": {"columns": {"amount": {"null_share": 0}}},
    "key: numbers that rise": {"key": ["id"]},
    "key: numbers in any order": {"key": ["shuffled"]},
    "key: numbers spread widely": {"key": ["spread"]},
    "key: texts": {"key": ["code"]},
    "key: two columns": {"key": ["units", "id"]},
}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def make(rows: int) -> tuple[pa.Table, pa.Table]:
    """Return a table as people have them, and one of keys that are harder to check."""
    noise = np.random.default_rng(1)
    numbers = np.arange(rows)
    typical = pa.table(
        {
            "id": numbers,
            "amount": noise.gamma(2, 100, rows),
            "units": noise.integers(0, 100, rows),
            "at": pa.array(1_700_000_000_000_000 + numbers * 1000, pa.timestamp("us")),
            "kind": pa.array(noise.choice(np.array(["buy", "sell", "hold"]), rows)),
            "score": noise.random(rows),
        }
    )
    spread = noise.permutation(numbers) * 7_919_000_003
    code = pa.array(numbers).cast(pa.string())
    return typical, pa.table(
        {"shuffled": noise.permutation(numbers), "spread": spread, "code": code}
    )


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def check(folder: Path, declared: dict[str, object]) -> None:
    contract, lines = read_contract(declared)
    if contract is None:
        raise SystemExit("; ".join(lines))
    results = check_data(contract, open_table(str(folder), {}))
    broken = [result for result in results if not result.kept]
    if broken:
        raise SystemExit(f"it should be kept: {broken}")


def seal(folder: Path, table: pa.Table, declared: dict[str, object] | None = None) -> float:
    """Write the table to a run of a store, and return how long it takes to seal it there."""
    step = open_store(str(folder / "store")).step(StepName("bench", "pipe", "zone", "step"))
    with step.claim(new_run_id()) as writer:
        write_table(writer.entity_url("typical"), table, {})
        look = None if declared is None else lambda info: check(Path(info.url), declared)
        took = timed(lambda: writer.seal("typical", check=look))
        writer.take_out("typical")
    return took


def memory(folder: Path, declared: dict[str, object]) -> float:
    """Return by how many MB a process grows that does nothing but check."""
    grown = subprocess.run(
        [sys.executable, __file__, "--check", str(folder), json.dumps(declared)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(grown.stdout)


def check_alone(folder: str, declared: str) -> None:
    tiny = Path(tempfile.mkdtemp()) / "tiny"
    write_table(str(tiny), pa.table({"id": [1]}), {})
    check(tiny, {"columns": {"id": {"in": [1]}}, "key": ["id"]})  # what is imported is no growth
    before = most_memory()
    check(Path(folder), json.loads(declared))
    say(str(most_memory() - before))


def most_memory() -> float:
    """Return the most memory that this process ever had, in MB; children inherit no part of it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def compare(folder: Path, rows: int, rounds: int) -> None:
    typical, keys = make(rows)
    written: list[float] = []
    sealed: list[float] = []
    checked: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in CONTRACTS}
    write_table(str(folder / "keys"), keys, {})
    place = {name: folder / ("keys" if wants(declared, keys) else "typical")
             for name, declared in CONTRACTS.items()}  # fmt: skip
    for _ in range(rounds):
        written.append(timed(lambda: write_table(str(folder / "typical"), typical, {})))
        sealed.append(seal(folder, typical))
        checked.append(seal(folder, typical, CONTRACTS[TYPICAL]))
        for name, declared in CONTRACTS.items():
            times[name].append(timed(lambda d=declared, n=name: check(place[n], d)))
    alone, whole = min(written), min(written) + min(sealed)
    say(f"{rows:,} rows, 6 columns: written in {alone:.2f} s, sealed in {min(sealed):.2f} s")
    added = statistics.median(one - other for one, other in zip(checked, sealed, strict=True))
    say(
        f"{'typical, as a run pays for it':34} {1000 * added:8.1f} ms {100 * added / alone:7.2f} % "
        f"{100 * added / whole:7.2f} %             goal {GOAL:g} %"
    )
    say(f"\n{'each alone':34} {'':>11} {'of write':>9} {'of both':>9} {'memory':>9}")
    for name, several in times.items():
        share = 100 * min(several) / alone
        grown = memory(place[name], CONTRACTS[name])
        both = 100 * min(several) / whole
        goal = f"   goal {GOAL:g} %" if name == TYPICAL else ""
        figures = f"{1000 * min(several):8.1f} ms {share:7.2f} % {both:7.2f} % {grown:6.0f} MB"
        say(f"{name:34} {figures}{goal}")
    learned = timed(lambda: learn(open_table(str(folder / "typical"), {})))
    say(f"{'learn a contract from it':34} {1000 * learned:8.1f} ms")


def wants(declared: dict[str, object], table: pa.Table) -> bool:
    key = declared.get("key")
    return isinstance(key, list) and key[0] in table.column_names


def main() -> None:
    if sys.argv[1:2] == ["--check"]:
        check_alone(*sys.argv[2:])
        return
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--folder", default=None)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        compare(Path(folder), given.rows, given.rounds)


if __name__ == "__main__":
    main()
