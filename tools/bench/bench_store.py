"""Compare the store with what any careful writer must do: write, fsync, hash.

``python tools/bench/bench_store.py [--folder DIR] [--quick]`` prints one line per figure:
what, how long, the goal, and the ratio to the plain way. Times are the best of some runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sinara.names import StepName, new_run_id
from sinara.store import RunWriter, StepStore, layout, open_store
from sinara.store.codec import seal

STEP = StepName("bench", "pipe", "zone", "step")
ARGUMENTS = {"inputs": {}, "code": {}, "params_sha256": "", "substeps": []}
DATA = {"folder": "data", "manifest_sha256": "", "rows": 0, "bytes": 0, "files": 0}
MB = 1 << 20


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def best(repeats: int, call: Callable[[], float]) -> float:
    """Return the shortest of some times, in seconds."""
    return min(call() for _ in range(repeats))


@contextmanager
def store(folder: Path) -> Iterator[StepStore]:
    root = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield open_store(str(root)).step(STEP)
    finally:
        for path in root.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(root)


def write(folder: Path, files: int, size: int) -> None:
    folder.mkdir(parents=True)
    block = os.urandom(min(size, MB))
    for number in range(files):
        with (folder / f"part-{number:05d}.bin").open("wb") as file:
            for _ in range(max(1, size // len(block))):
                file.write(block)


def plain(folder: Path, files: int, size: int) -> tuple[float, float]:
    """Write, fsync and hash files one after the other; return the seconds of each part."""
    target = Path(tempfile.mkdtemp(dir=folder)) / "plain"
    started = time.perf_counter()
    write(target, files, size)
    written = time.perf_counter()
    for path in sorted(target.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            hashlib.file_digest(file, "sha256")
    ended = time.perf_counter()
    shutil.rmtree(target.parent)
    return written - started, ended - written


def ours(folder: Path, files: int, size: int) -> tuple[float, float]:
    """Write files and commit them; return the seconds of each part."""
    with store(folder) as step:
        writer = step.claim(new_run_id())
        started = time.perf_counter()
        write(Path(writer.entity_url("data")), files, size)
        written = time.perf_counter()
        commit(writer)
        ended = time.perf_counter()
    return written - started, ended - written


def commit(writer: RunWriter) -> None:
    writer.seal("data")
    writer.commit(**ARGUMENTS)


def compare(folder: Path, files: int, size: int, repeats: int, goal: str) -> None:
    pairs = [(plain(folder, files, size), ours(folder, files, size)) for _ in range(repeats)]
    bare = min(sum(one) for one, _ in pairs)
    whole = min(sum(other) for _, other in pairs)
    alone = min(other[1] for _, other in pairs)
    say(
        f"{files:5d} x {size / MB:8.2f} MB   write+fsync+hash {bare:7.3f} s   "
        f"write+commit {whole:7.3f} s   ratio {whole / bare:5.2f}   "
        f"commit alone {alone * 1000:8.1f} ms   goal: {goal}"
    )


def long_log(folder: Path, commits: int) -> Path:
    """Write a log of many commits as files, and the last run for real."""
    root = Path(tempfile.mkdtemp(dir=folder))
    base = root / STEP.path / layout.COMMITS
    base.mkdir(parents=True)
    previous = ""
    for sequence in range(1, commits + 1):
        body = {
            "kind": "run", "run_id": f"run-24-01-01-000000-{sequence:06d}-00000000", "time": "",
            "interactive": False, "draft": None, "trigger_key": None, "nonce": f"{sequence:032d}",
            "entities": {"data": DATA},
            "inputs": {}, "code": {}, "params_sha256": "", "substeps": [], "schema_version": 1,
            "sequence": sequence, "previous": previous,
        }  # fmt: skip
        data, previous = seal(body)
        (base / f"{sequence:020d}.json").write_bytes(data)
    return root


def latest(folder: Path, commits: int) -> None:
    root = long_log(folder, commits)

    def cold() -> float:
        step = open_store(str(root)).step(STEP)
        started = time.perf_counter()
        step.latest(["data"])
        return time.perf_counter() - started

    step = open_store(str(root)).step(STEP)
    step.latest()
    seconds = best(20, cold)
    started = time.perf_counter()
    for _ in range(200):
        step.latest(["data"])
    warm = (time.perf_counter() - started) / 200
    say(
        f"latest of {commits} commits   cold {seconds * 1000:.2f} ms   warm {warm * 1000:.3f} ms"
        "   goal: 5 ms"
    )
    names = root / STEP.path / layout.COMMITS
    started = time.perf_counter()
    newest = max(names.iterdir())
    json.loads(newest.read_bytes())
    listing = time.perf_counter() - started
    ratio = seconds / listing
    say(f"  the plain way, listing and reading: {listing * 1000:.2f} ms   ratio {ratio:.3f}")
    commit_at(root, commits)
    shutil.rmtree(root)


def commit_at(root: Path, commits: int) -> None:
    writer = open_store(str(root)).step(STEP).claim(new_run_id())
    Path(writer.entity_url("data")).write_bytes(b"x" * 1000)
    started = time.perf_counter()
    commit(writer)
    say(f"  one more commit after {commits}: {(time.perf_counter() - started) * 1000:.1f} ms")


def verify_and_recover(folder: Path, runs: int) -> None:
    with store(folder) as step:
        for _ in range(runs):
            writer = step.claim(new_run_id())
            write(Path(writer.entity_url("data")), 1, 10_000)
            commit(writer)
        for how in ("full", "sizes"):
            started = time.perf_counter()
            assert step.verify(how=how) == ()
            say(f"verify, {how}, of {runs} runs: {time.perf_counter() - started:.3f} s")
        dead = [step.claim(new_run_id()) for _ in range(runs)]
        for writer in dead:
            write(Path(writer.entity_url("data")), 1, 10_000)
            writer.release()
        for what in (f"{runs} dead runs", "nothing to do"):
            started = time.perf_counter()
            step.recover()
            say(f"recover, {what}: {(time.perf_counter() - started) * 1000:.1f} ms   goal: 1 s")
        started = time.perf_counter()
        step.recover(full=True)
        say(f"recover, full, nothing to do: {(time.perf_counter() - started) * 1000:.1f} ms")


def snapshots(folder: Path) -> None:
    with store(folder) as step, step.claim(new_run_id(), draft=True) as draft:
        write(Path(draft.entity_url("data")), 20, 10 * MB)
        for what in ("first, 200 MB copied", "nothing changed"):
            time.sleep(0.1)
            started = time.perf_counter()
            draft.snapshot(["data"], **ARGUMENTS)
            say(f"snapshot, {what}: {(time.perf_counter() - started) * 1000:.1f} ms")
        (Path(draft.entity_url("data")) / "part-00000.bin").write_bytes(b"x")
        started = time.perf_counter()
        draft.snapshot(["data"], **ARGUMENTS)
        say(f"snapshot, 1 of 20 files changed: {(time.perf_counter() - started) * 1000:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--quick", action="store_true", help="without the large ones")
    given = parser.parse_args()
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, in {given.folder}")
    compare(given.folder, 1, 10_000, 5, "-")
    compare(given.folder, 10, MB, 5, "commit 100 ms")
    compare(given.folder, 1000, 10_000, 2, "-")
    if not given.quick:
        compare(given.folder, 4, 256 * MB, 3, "ratio 1.1")
        compare(given.folder, 1, 1024 * MB, 3, "ratio 1.1")
    latest(given.folder, 10_000)
    verify_and_recover(given.folder, 100 if given.quick else 1000)
    snapshots(given.folder)
    say(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
