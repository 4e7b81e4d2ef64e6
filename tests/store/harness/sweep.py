"""H1: every story, killed or failed at every operation; then looked at, recovered, gone on with.

``python -m tests.store.harness.sweep --root /dev/shm/x --limit 500 --seed 1`` prints one JSON line;
``--point run:kill:17`` replays one point.
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

from sinara.errors import StoreError
from sinara.store.disk import Disk
from sinara.store.errors import AlreadyPublishedError
from sinara.store.step import StepStore
from tests.store.harness import story
from tests.store.harness.checks import content, violations
from tests.store.harness.faults import KILLED, KINDS, FaultDisk

OLD, NAME, NEXT, LATER = (story.run_id(number) for number in (1, 2, 3, 4))
Tell = Callable[[StepStore, Disk, story.Ack], None]
STORIES: dict[str, Tell] = {
    "run": lambda step, disk, ack: story.whole_run(step, disk, NAME, ack, "trigger"),
    "recover": lambda step, disk, ack: _recover(step),
    "draft": lambda step, disk, ack: story.snapshots(step, disk, NAME, ack),
    "take back": lambda step, disk, ack: story.take_back(step, disk, OLD, ack),
}


def _recover(step: StepStore) -> None:
    step.recover()


def fork(root: Path, disk: Disk, tell: Tell) -> tuple[int, set[str]]:
    """Tell a story in a child; return its exit code and what it acknowledged."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.close(reading)
            step = story.open_step(root, disk)
            tell(step, disk, lambda name: os.write(writing, f"{name}\n".encode()) and None)
            code = 0
        except StoreError:
            code = 1
        except BaseException:  # the child ends here, whatever happens
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        acked = set(pipe.read().decode().split())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), acked


def prepare(root: Path) -> dict[str, Path]:
    """Make what each story begins with: one earlier run; for "recover", a field of wrecks."""
    plain = root / "plain"
    story.whole_run(story.open_step(plain), Disk(threads=1), OLD, lambda _: None, None)
    wrecks = root / "wrecks"
    shutil.copytree(plain, wrecks)
    ops = count_ops(plain, root, STORIES["run"])
    for number, share in enumerate((0.12, 0.45, 0.75, 0.86, 0.93, 0.97), 10):
        name = story.run_id(number)
        fork(
            wrecks,
            FaultDisk(int(ops * share)),
            lambda s, d, a, name=name: _without_recovery(s, d, a, name),
        )
    for at in (1, 3):
        fork(wrecks, FaultDisk(at + 2), lambda s, d, a: story.take_back(s, d, OLD, a))
    return {"plain": plain, "wrecks": wrecks}


def _without_recovery(step: StepStore, disk: Disk, ack: story.Ack, name: str) -> None:
    step.recover = lambda **_: None  # type: ignore[method-assign,assignment,return-value]
    story.whole_run(step, disk, name, ack, None)


def count_ops(template: Path, root: Path, tell: Tell) -> int:
    work = root / "count"
    shutil.copytree(template, work)
    disk = FaultDisk()
    step = story.open_step(work, disk)
    tell(step, disk, lambda _: None)
    shutil.rmtree(work)
    return disk.count


def check_point(root: Path, template: Path, name: str, kind: str, at: int, ops: int) -> list[str]:
    """Break one story at one operation; return what is wrong afterwards."""
    work = root / f"work-{os.getpid()}"
    shutil.copytree(template, work)
    folder = story.step_folder(work)
    keeps_old = name in ("run", "draft")
    before = content(folder / OLD) if keeps_old else {}
    code, acked = fork(work, FaultDisk(at, kind), STORIES[name])
    lines = [] if code in (0, 1, KILLED) else [f"exit code {code}"]
    if at > ops and code != 0:
        lines.append(f"nothing was broken, and the exit code is {code}")
    drafts = frozenset({NAME}) if name == "draft" and (folder / NAME).exists() else frozenset()
    lines += violations(folder, acked=acked, recovered=False)
    step = story.open_step(work)
    step.recover()
    lines += violations(folder, acked=acked, recovered=True, drafts=drafts)
    if step.recover():
        lines.append("I8: a second recovery found something to do")
    lines += _go_on(step, name, acked)
    if name != "draft":
        lines += violations(folder, acked=acked, recovered=True)
    if keeps_old and content(folder / OLD) != before:
        lines.append("I9: the earlier run changed")
    shutil.rmtree(work)
    return lines


def _go_on(step: StepStore, name: str, acked: set[str]) -> list[str]:
    """I11: the next run succeeds, or is told truly that there is nothing to do."""
    disk = Disk(threads=1)
    try:
        if name == "draft":
            done: list[str] = []
            story.snapshots(step, disk, NAME, done.append)
            newest = step.latest(["hand"])
            assert newest is not None
            return [] if newest.run_id == done[0] else ["I10: the newest snapshot is not the last"]
        story.whole_run(step, disk, NEXT, lambda _: None, "trigger")
        newest = step.latest(["lone"])
        wrong = newest is None or newest.run_id != NEXT or bool(acked and name == "run")
        return ["I2: published twice"] if wrong else []
    except AlreadyPublishedError as error:
        step.write_record(story.record(NEXT, "failed"))
        return [] if error.run_id == NAME else [f"I11: {error}"]
    except StoreError as error:
        return [f"I11: {error}"]


def all_points(ops: dict[str, int]) -> list[tuple[str, str, int]]:
    return [
        (name, kind, at)
        for name, count in ops.items()
        for kind in KINDS
        for at in range(1, count + 2)
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0, help="how many points; 0 is all")
    parser.add_argument("--share", default="0/1", help="i/n: every n-th point, from the i-th")
    parser.add_argument("--point", default="", help="story:kind:operation")
    given = parser.parse_args()
    started = time.monotonic()
    root = given.root / f"sweep-{os.getpid()}"
    root.mkdir(parents=True)
    templates = prepare(root)
    begins = {name: templates["wrecks" if name == "recover" else "plain"] for name in STORIES}
    ops = {name: count_ops(begins[name], root, tell) for name, tell in STORIES.items()}
    points = all_points(ops)
    if given.point:
        name, kind, at = given.point.split(":")
        points = [(name, kind, int(at))]
    elif given.limit and given.limit < len(points):
        last = [(name, "kill", count + 1) for name, count in ops.items()]
        points = last + random.Random(given.seed).sample(points, given.limit)
    first, step = map(int, given.share.split("/"))
    points = points[first::step]
    bad = {}
    for name, kind, at in points:
        lines = check_point(root, begins[name], name, kind, at, ops[name])
        if lines:
            bad[f"{name}:{kind}:{at}"] = lines
    shutil.rmtree(root)
    seconds = round(time.monotonic() - started, 1)
    report = {"points": len(points), "ops": ops, "seed": given.seed, "seconds": seconds, "bad": bad}
    sys.stdout.write(json.dumps(report) + "\n")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
