"""H5: many writers on one step, killed at random operations, and readers who look all the time.

``python -m tests.store.harness.contention --root /dev/shm/x --seconds 6 --seed 1`` prints one
JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from sinara.names import new_run_id
from sinara.store.errors import AlreadyPublishedError
from tests.store.harness import story
from tests.store.harness.checks import entries, published, violations
from tests.store.harness.faults import KILLED, FaultDisk

KEYS = 40  # triggers that writers fight for
LONGEST = 140  # operations of a run


def write(root: Path, lot: random.Random, ack: Callable[[str], None]) -> None:
    """Run once, as one process, which may be killed at any operation."""
    at = lot.randrange(1, LONGEST * 2)  # about half of them survive
    disk = FaultDisk(at, lot.choice(("kill", "done then kill", "short")))
    name = new_run_id()
    trigger = f"trigger {lot.randrange(KEYS)}" if lot.random() < 0.3 else None
    try:
        story.whole_run(story.open_step(root, disk), disk, name, ack, trigger)
    except AlreadyPublishedError:
        story.open_step(root).write_record(story.record(name, "cancelled"))


def read(root: Path, until: float) -> None:
    """Look: what is newest never gets older, and is always whole (I3, I10)."""
    step = story.open_step(root)
    newest, looks = 0, 0
    while time.monotonic() < until:
        commit = step.latest(["lone", "eval.many"])
        if commit is None:
            continue
        assert commit.sequence >= newest, f"I10: {commit.sequence} after {newest}"
        newest, looks = commit.sequence, looks + 1
        with step.pin(commit.run_id):
            for entity in ("lone", "eval.many"):
                assert step.open(commit, entity, verify="full").rows
    assert looks > 0 or not newest


def worker(root: Path, seed: int, until: float, acks: Path) -> None:
    """Start one writer after the other."""
    lot = random.Random(seed)
    fd = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    killed = 0
    while time.monotonic() < until:
        child_seed = lot.random()
        pid = os.fork()
        if pid == 0:
            end(lambda seed=child_seed: write(root, random.Random(seed), lambda n: _say(fd, n)))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        killed += code == KILLED
        if code not in (0, KILLED):
            os._exit(code)
    _say(fd, f"killed {killed}")


def _say(fd: int, line: str) -> None:
    os.write(fd, f"{line}\n".encode())


def end(call: Callable[[], None]) -> None:
    """End this child with what the call comes to."""
    code = 70
    try:
        call()
        code = 0
    except BaseException:  # the child ends here, whatever happens
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--readers", type=int, default=2)
    given = parser.parse_args()
    root = given.root / f"contention-{os.getpid()}"
    root.mkdir(parents=True)
    acks = root / "acks"
    acks.touch()
    store = root / "store"
    until = time.monotonic() + given.seconds
    story.parquet(3), story.parquet(5), story.parquet(7)
    pids = []
    for number in range(given.writers + given.readers):
        pid = os.fork()
        if pid == 0 and number < given.writers:
            end(lambda seed=given.seed * 1000 + number: worker(store, seed, until, acks))
        elif pid == 0:
            end(lambda: read(store, until))
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    said = acks.read_text().splitlines()
    acked = {line for line in said if line.startswith("run-")}
    killed = sum(int(line.split()[1]) for line in said if line.startswith("killed"))
    folder = story.step_folder(store)
    lines = [f"exit codes {codes}"] if any(codes) else []
    lines += violations(folder, acked=acked, recovered=False)
    garbage = len(list(folder.glob("run-*"))) - len(published(entries(folder, [])))
    story.open_step(store).recover()
    lines += violations(folder, acked=acked, recovered=True)
    report = {
        "commits": len(acked),
        "killed": killed,
        "collected at the end": garbage,
        "seed": given.seed,
        "bad": lines[:20],
    }
    shutil.rmtree(root)
    sys.stdout.write(json.dumps(report) + "\n")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
