"""H2: every state that a power loss can leave behind, at every moment of a story.

The disk's operations are recorded. At each moment, those that no fsync has made durable
may each have reached the disk or not: none, all, each one alone, all but one, and some by
lot are tried. Lost content reads as zeros, or as an empty file. Names in one folder may
survive in any order; a rename loses its old name only if it gained the new one.

``python -m tests.store.harness.power --root /dev/shm/x --limit 1000 --seed 1`` prints one JSON
line; ``--point run:1234`` replays one state.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sinara.errors import StoreError
from sinara.store.disk import Disk
from sinara.store.errors import AlreadyPublishedError
from sinara.store.world import Process, World
from tests.store.harness import story
from tests.store.harness.checks import violations

T = TypeVar("T")
Tree = dict[str, "Node"]


@dataclass(eq=False)
class Node:
    """A file or a folder, whatever it is called."""

    is_folder: bool
    names: Tree = field(default_factory=dict)
    data: bytes = b""


@dataclass(eq=False)
class Change:
    """One operation: content of a file, or one name in one folder."""

    kind: str  # "write", "add" or "remove"
    node: Node  # the file written, or the folder whose name changes
    name: str = ""
    target: Node | None = None
    data: bytes = b""
    needs: Change | None = None  # a removal that comes with an addition


class TraceDisk(Disk):
    """Records every change as it happens; ``syncs`` says which changes each fsync covers."""

    def __init__(self, root: Path) -> None:
        super().__init__(threads=1)
        self.root = root
        self.top = Node(True)
        self.base = [*_existing(self.top, root)]
        self.log: list[Change | tuple[str, Node]] = []
        self.acked_at: int | None = None

    def point(self, op: str, path: str, call: Callable[..., T], *args: Any) -> T:
        done = super().point(op, path, call, *args)
        if Path(path).is_relative_to(self.root):
            self.log.extend(self._changes(op, path, done, args))
        return done

    def _changes(
        self, op: str, path: str, done: Any, args: tuple[Any, ...]
    ) -> list[Change | tuple[str, Node]]:
        if op in ("fsync", "fsync_dir"):
            return [(op, self._find(path))]
        if op == "write":
            return [self._write(self._find(path), bytes(args[1]))]
        if op == "copy" or (op == "clone" and done):
            return [self._write(self._find(path), Path(path).read_bytes())]
        if op in ("mkdir", "create"):
            return [self._add(path, Node(op == "mkdir"))] if self._get(path) is None else []
        if op == "link":
            return [self._add(args[1], self._find(path))]
        if op in ("rename", "rename_new"):
            added = self._add(args[1], self._find(path))
            removed = self._remove(path)
            removed.needs = added
            return [added, removed]
        if op in ("unlink", "rmdir"):
            return [self._remove(path)]
        return []

    def _write(self, node: Node, data: bytes) -> Change:
        node.data += data
        return Change("write", node, data=node.data)

    def _add(self, path: str, node: Node) -> Change:
        folder, name = self._folder(path)
        folder.names[name] = node
        return Change("add", folder, name, node)

    def _remove(self, path: str) -> Change:
        folder, name = self._folder(path)
        del folder.names[name]
        return Change("remove", folder, name)

    def _folder(self, path: str) -> tuple[Node, str]:
        parent, _, name = path.rpartition("/")
        return self._find(parent), name

    def _find(self, path: str) -> Node:
        found = self._get(path)
        assert found is not None, path
        return found

    def _get(self, path: str) -> Node | None:
        node: Node | None = self.top
        for part in Path(path).relative_to(self.root).parts:
            node = node.names.get(part) if node else None
        return node


def _existing(node: Node, path: Path) -> Iterator[Change]:
    for inner in sorted(path.iterdir()):
        child = Node(inner.is_dir(), data=b"" if inner.is_dir() else inner.read_bytes())
        node.names[inner.name] = child
        yield Change("add", node, inner.name, child)
        if inner.is_dir():
            yield from _existing(child, inner)
        else:
            yield Change("write", child, data=child.data)


def pending(log: list[Change | tuple[str, Node]]) -> list[Change]:
    """Return the changes that no later fsync made durable."""
    open_changes: list[Change] = []
    for item in log:
        if isinstance(item, Change):
            open_changes.append(item)
            continue
        op, node = item
        kinds = ("write",) if op == "fsync" else ("add", "remove")
        open_changes = [c for c in open_changes if c.node is not node or c.kind not in kinds]
    return open_changes


def drops(waiting: list[Change], lot: random.Random, rolls: int) -> Iterator[frozenset[Change]]:
    """Yield sets of changes that are lost."""
    everything = frozenset(waiting)
    yield frozenset()
    yield everything
    for change in waiting:
        yield frozenset({change})
        yield everything - {change}
    for _ in range(rolls):
        yield frozenset(change for change in waiting if lot.random() < 0.5)


def final_tree(
    base: list[Change],
    top: Node,
    log: list[Change | tuple[str, Node]],
    lost: frozenset[Change],
    *,
    zeros: bool,
) -> dict[str, bytes | None]:
    """Return what is on the disk: path -> content, None for a folder."""
    names: dict[Node, Tree] = {}
    data: dict[Node, bytes] = {}
    for item in (*base, *log):
        if not isinstance(item, Change):
            continue
        gone = item in lost or (item.needs is not None and item.needs in lost)
        if item.kind == "write":
            blank = b"\0" * len(item.data) if zeros else b""
            data[item.node] = blank if gone else item.data
        elif gone:
            continue
        elif item.kind == "add":
            assert item.target is not None
            names.setdefault(item.node, {})[item.name] = item.target
        else:
            names.setdefault(item.node, {}).pop(item.name, None)
    return dict(_walk(top, "", names, data))


def _walk(
    node: Node, prefix: str, names: dict[Node, Tree], data: dict[Node, bytes]
) -> Iterator[tuple[str, bytes | None]]:
    for name, child in names.get(node, {}).items():
        path = f"{prefix}{name}"
        yield path, None if child.is_folder else data.get(child, b"")
        if child.is_folder:
            yield from _walk(child, f"{path}/", names, data)


def states(
    disk: TraceDisk, seed: int, rolls: int
) -> Iterator[tuple[int, bool, dict[str, bytes | None]]]:
    """Yield every distinct state: its moment, whether the run was acknowledged, its files."""
    lot = random.Random(seed)
    seen: set[int] = set()
    for moment in range(len(disk.log) + 1):
        log = disk.log[:moment]
        acked = disk.acked_at is not None and moment >= disk.acked_at
        for lost in drops(pending(log), lot, rolls):
            zeros = lot.random() < 0.5
            tree = final_tree(disk.base, disk.top, log, lost, zeros=zeros)
            key = hash((acked, frozenset(tree.items())))
            if key not in seen:
                seen.add(key)
                yield moment, acked, tree


def materialise(root: Path, tree: dict[str, bytes | None]) -> None:
    for path, content in tree.items():
        if content is None:
            (root / path).mkdir(parents=True, exist_ok=True)
        else:
            (root / path).write_bytes(content)


def record_story(root: Path, name: str, disk_class: type[TraceDisk] = TraceDisk) -> TraceDisk:
    """Tell a story on a disk that remembers, as a process of the machine's first boot."""
    root.mkdir(parents=True)
    world = World(story.tomorrow, process=lambda: Process("host", "first boot", 1, "1.1"))
    story.whole_run(story.open_step(root, world=world), Disk(threads=1), OLD, lambda _: None, None)
    disk = disk_class(root)

    def ack(_: str) -> None:
        disk.acked_at = len(disk.log)

    step = story.open_step(root, disk, world)
    if name == "run":
        story.whole_run(step, disk, NAME, ack, "trigger")
    elif name == "draft":
        story.snapshots(step, disk, NAME, ack)
    else:
        story.take_back(step, disk, OLD, ack)
    return disk


OLD, NAME, NEXT = (story.run_id(number) for number in (1, 2, 3))


def check_state(
    root: Path, name: str, tree: dict[str, bytes | None], acked: bool, go_on: bool
) -> list[str]:
    """Put a state on a disk, boot, look, recover, look again."""
    root.mkdir()
    materialise(root, tree)
    folder = story.step_folder(root)
    world = World(story.tomorrow, process=lambda: Process("host", "second boot", 1, "1.1"))
    known = {NAME} if acked and name == "run" else set()
    old = set() if name == "take back" else {OLD}
    drafts = frozenset({NAME}) if name == "draft" and (folder / NAME).exists() else frozenset()
    try:
        lines = violations(folder, acked=known | old, recovered=False)
        step = story.open_step(root, world=world)
        step.recover()
        lines += violations(folder, acked=known | old, recovered=True, drafts=drafts)
        if step.recover():
            lines.append("I8: a second recovery found something to do")
        if go_on:
            lines += _go_on(root, world, name)
    except (StoreError, OSError) as error:
        lines = [f"I11: {error!r}"]
    shutil.rmtree(root)
    return lines


def _go_on(root: Path, world: World, name: str) -> list[str]:
    step = story.open_step(root, world=world)
    try:
        story.whole_run(step, Disk(threads=1), NEXT, lambda _: None, "trigger")
    except AlreadyPublishedError as error:
        return [] if error.run_id == NAME else [f"I11: {error}"]
    drafts = frozenset({NAME}) if name == "draft" else frozenset()
    drafts = frozenset(d for d in drafts if (story.step_folder(root) / d).exists())
    return violations(story.step_folder(root), acked={NEXT}, recovered=True, drafts=drafts)


def explore(
    root: Path,
    name: str,
    *,
    seed: int,
    limit: int,
    rolls: int = 10,
    share: tuple[int, int] = (0, 1),
    point: int | None = None,
    disk_class: type[TraceDisk] = TraceDisk,
) -> tuple[int, dict[str, list[str]]]:
    """Check states of one story; return how many, and what is wrong with which."""
    disk = record_story(root / "trace", name, disk_class)
    found = list(states(disk, seed, rolls))
    numbers = list(range(len(found)))
    if point is not None:
        numbers = [point]
    elif limit and limit < len(numbers):
        numbers = sorted(random.Random(seed).sample(numbers, limit))
    numbers = numbers[share[0] :: share[1]]
    bad = {}
    for number in numbers:
        _, acked, tree = found[number]
        lines = check_state(root / "state", name, tree, acked, go_on=number % 5 == 0)
        if lines:
            bad[f"{name}:{number}"] = lines
    shutil.rmtree(root / "trace")
    return len(numbers), bad


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0, help="how many states; 0 is all")
    parser.add_argument("--rolls", type=int, default=10)
    parser.add_argument("--share", default="0/1", help="i/n: every n-th state, from the i-th")
    parser.add_argument("--point", default="", help="story:state")
    given = parser.parse_args()
    started = time.monotonic()
    root = given.root / f"power-{os.getpid()}"
    first, step = map(int, given.share.split("/"))
    weights = {"run": 0.7, "draft": 0.25, "take back": 0.05}
    only, _, number = given.point.partition(":")
    total, bad = 0, {}
    for name, weight in weights.items():
        if only and name != only:
            continue
        checked, wrong = explore(
            root,
            name,
            seed=given.seed,
            limit=int(given.limit * weight),
            rolls=given.rolls,
            share=(first, step),
            point=int(number) if number else None,
        )
        total += checked
        bad.update(wrong)
    shutil.rmtree(root)
    seconds = round(time.monotonic() - started, 1)
    report = {"states": total, "seed": given.seed, "seconds": seconds, "bad": bad}
    sys.stdout.write(json.dumps(report) + "\n")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
