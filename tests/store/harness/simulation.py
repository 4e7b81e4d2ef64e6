"""H6: an object store that is late, forgets to answer, or answers twice; and writers that die.

One thread, everything by lot from one seed: at a random call of one writer another one
acts in between, a call fails before or after it was done, a process dies.

``python -m tests.store.harness.simulation --seeds 2000 --seed 0`` prints one JSON line;
``--seeds 1 --seed 1234`` replays one.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, TypeVar

from sinara.errors import StoreError
from sinara.store.api import Store
from sinara.store.blobs import Blob
from sinara.store.objects import object_backends
from sinara.store.step import StepStore
from sinara.store.world import Process, World
from tests.store.harness.story import ARGUMENTS, STEP, run_id

T = TypeVar("T")
PREFIX = f"{STEP.path}/"
START = datetime(2025, 1, 1, tzinfo=UTC)


class DeadError(BaseException):
    """The process that called is gone."""


# How a process ends that did not publish. An ``OSError`` is a fault that outlived every try: with one
# call in two failing, eight in a row come every few lives.
GIVEN_UP = (StoreError, OSError, DeadError)


class SimBlobs:
    """A bucket, and the network to it."""

    def __init__(self, lot: random.Random, faults: float) -> None:
        self.objects: dict[str, bytes] = {}
        self.lot = lot
        self.faults = faults
        self.calls = 0
        self.dies_at = 0
        self.hook_at = 0
        self.hook: Callable[[], None] = lambda: None

    def _call(self, done: Callable[[], T]) -> T:
        self.calls += 1
        if self.calls == self.hook_at:
            self.hook()
        if self.calls == self.dies_at:
            if self.lot.random() < 0.5:
                done()
            raise DeadError
        chance = self.lot.random()
        if chance < self.faults / 2:
            raise OSError("503 Slow Down")
        answer = done()
        if chance < self.faults:
            raise OSError("timeout: nobody knows whether it was done")
        return answer

    def create(self, key: str, data: bytes) -> bool:
        return self._call(lambda: self._create(key, data))

    def _create(self, key: str, data: bytes) -> bool:
        if key in self.objects:
            return False
        self.objects[key] = data
        return True

    def put(self, key: str, data: bytes) -> None:
        self._call(lambda: self.objects.update({key: data}))

    def upload(self, key: str, source: Path) -> None:
        self.put(key, source.read_bytes())

    def get(self, key: str) -> bytes:
        return self._call(lambda: self._get(key))

    def _get(self, key: str) -> bytes:
        if key not in self.objects:
            raise FileNotFoundError(key)
        return self.objects[key]

    def exists(self, key: str) -> bool:
        return self._call(
            lambda: key in self.objects or any(k.startswith(f"{key}/") for k in self.objects)
        )

    def children(self, key: str) -> list[str]:
        skip = len(key) + 1
        return self._call(
            lambda: sorted(
                {k[skip:].split("/")[0] for k in self.objects if k.startswith(f"{key}/")}
            )
        )

    def below(self, key: str) -> list[Blob]:
        def found() -> list[Blob]:
            return [
                Blob(k, len(v), hashlib.md5(v).hexdigest(), START.timestamp())
                for k, v in self.objects.items()
                if k == key or k.startswith(f"{key}/")
            ]

        return self._call(found)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._call(lambda key=key: self.objects.pop(key, None))

    def copy(self, source: str, target: str) -> None:
        self._call(lambda: self.objects.update({target: self._get(source)}))

    def open(self, key: str) -> IO[bytes]:
        return io.BytesIO(self.get(key))


class Bucket:
    """One simulated life of one step on an object store."""

    def __init__(self, seed: int, blobs_class: type[SimBlobs] = SimBlobs) -> None:
        self.lot = random.Random(seed)
        self.blobs = blobs_class(self.lot, self.lot.choice((0.0, 0.05, 0.2, 0.45)))
        self.now = START
        self.alive: set[int] = set()
        self.acked: set[str] = set()
        self.pids = 0
        self.probed = {"sim://bucket"}  # the probe is simulated once, not in every life

    def step(self, pid: int) -> StepStore:
        world = World(
            clock=self._tick,
            entropy=self.lot.randbytes,
            process=lambda: Process("host", "boot", pid, "1.1"),
            alive=lambda process, _: process.pid in self.alive,
            sleep=lambda _: None,
        )
        make = object_backends("sim://bucket", {}, world, self.blobs)
        return Store("sim://bucket", make, world).step(STEP)

    def _tick(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def new_pid(self) -> int:
        self.pids += 1
        self.alive.add(self.pids)
        return self.pids

    def attempt(self, trigger: str | None) -> None:
        """Run once as a process of its own, and end."""
        pid = self.new_pid()
        name = run_id(pid)
        try:
            self._run(self.step(pid), name, trigger)
        except GIVEN_UP:
            pass
        finally:
            self.alive.discard(pid)

    def _run(self, step: StepStore, name: str, trigger: str | None) -> None:
        with step.claim(name, trigger_key=trigger) as writer:
            for path in ("data/a.bin", "data/b.bin"):  # by the engine, straight into the bucket
                self.blobs.objects[f"{PREFIX}{name}/{path}"] = self.lot.randbytes(8)
            writer.seal("data")
            writer.commit(**ARGUMENTS)
            self.acked.add(name)

    def recover(self) -> None:
        pid = self.new_pid()
        try:
            self.step(pid).recover()
        except GIVEN_UP:
            pass
        finally:
            self.alive.discard(pid)

    def live(self) -> list[str]:
        """Let writers act, interrupt and die; then recover without faults, and look."""
        for _ in range(self.lot.randrange(2, 5)):
            trigger = self.lot.choice((None, "one", "one", "two"))
            self._arm()
            self.attempt(trigger)
        self.blobs.hook_at = self.blobs.dies_at = 0
        self.blobs.faults = 0.0
        lines = self.look(recovered=False)
        self.recover()
        lines += self.look(recovered=True)
        before = len(self.acked)
        self.attempt(None)
        if len(self.acked) != before + 1:
            lines.append("I11: a run without faults fails")
        return lines + self.look(recovered=True)

    def _arm(self) -> None:
        blobs, calls = self.blobs, self.blobs.calls
        blobs.dies_at = calls + self.lot.randrange(1, 60) if self.lot.random() < 0.4 else 0
        blobs.hook_at = calls + self.lot.randrange(1, 40) if self.lot.random() < 0.6 else 0
        blobs.hook = self._interrupt

    def _interrupt(self) -> None:
        dies_at, self.blobs.dies_at = self.blobs.dies_at, 0
        before = self.blobs.calls
        if self.lot.random() < 0.3:
            self.recover()
        else:
            self.attempt(self.lot.choice((None, "one", "two")))
        self.blobs.dies_at = dies_at + self.blobs.calls - before if dies_at else 0

    def look(self, *, recovered: bool) -> list[str]:
        """Return one line per broken invariant, by the objects alone."""
        objects = {
            key.removeprefix(PREFIX): data
            for key, data in self.blobs.objects.items()
            if key.startswith(PREFIX)
        }
        return list(_violations(objects, self.acked, recovered))


def _violations(objects: dict[str, bytes], acked: set[str], recovered: bool) -> list[str]:
    lines: list[str] = []
    bodies = _log(objects, lines)
    commits = [body for body in bodies if body["kind"] == "run"]
    runs = {body["run_id"]: body for body in commits}
    dead = {body["run_id"] for body in bodies if body["kind"] == "tombstone"}
    keys = [body["trigger_key"] for body in commits if body["trigger_key"]]
    if len(runs) != len(commits) or len(set(keys)) != len(keys):
        lines.append("I2: a run or a trigger was published twice")
    if dead & set(runs):
        lines.append("I2: a run was published and given up")
    lines += [f"I4: {name} was acknowledged, and is not there" for name in acked - set(runs)]
    for name, body in runs.items():
        for entity in body["entities"].values():
            lines.extend(_entity(objects, name, entity, recovered))
    for path in objects:
        if path.endswith("/_SUCCESS") and path.split("/")[0] not in runs:
            lines.append(f"I5: {path} of a run that is not published")
        if recovered and path.startswith("run-") and path.split("/")[0] not in runs:
            lines.append(f"I7: {path} is there")
        if recovered and path.startswith("_open/"):
            lines.append(f"I7: {path} is there")
    return lines


def _log(objects: dict[str, bytes], lines: list[str]) -> list[dict[str, Any]]:
    names = sorted(path for path in objects if path.startswith("_commits/0"))
    bodies = []
    for number, path in enumerate(names, 1):
        body = json.loads(objects[path])["body"]
        if path != f"_commits/{number:020d}.json" or body["sequence"] != number:
            lines.append(f"I1: {path} is entry {number}")
        bodies.append(body)
    return bodies


def _entity(
    objects: dict[str, bytes], name: str, entity: dict[str, Any], recovered: bool
) -> list[str]:
    base = f"{name}/{entity['folder']}/"
    files = {k.removeprefix(base): v for k, v in objects.items() if k.startswith(base)}
    marked = files.pop("_SUCCESS", None) is not None
    raw = objects.get(f"{name}/_manifests/{entity['folder']}.json")
    if raw is None:
        return [f"I3: {base} has no manifest"]
    whole = json.loads(raw)
    held = {path: sha for path, (_, sha) in whole["body"]["files"].items()}
    lines = []
    if whole["sha256"] != entity["manifest_sha256"]:
        lines.append(f"I3: {base} has another manifest")
    if {path: hashlib.sha256(data).hexdigest() for path, data in files.items()} != held:
        lines.append(f"I3: {base} differs")
    if recovered and not marked:
        lines.append(f"I6: {base} has no mark")
    return lines


def explore(seeds: range, blobs_class: type[SimBlobs] = SimBlobs) -> dict[str, list[str]]:
    """Live one life per seed; return what is wrong with which."""
    bad = {}
    for seed in seeds:
        lines = Bucket(seed, blobs_class).live()
        if lines:
            bad[str(seed)] = lines[:5]
    return bad


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1000)
    given = parser.parse_args()
    started = time.monotonic()
    bad = explore(range(given.seed, given.seed + given.seeds))
    seconds = round(time.monotonic() - started, 1)
    report = {"seeds": given.seeds, "seed": given.seed, "seconds": seconds, "bad": bad}
    sys.stdout.write(json.dumps(report) + "\n")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
