"""How long it takes to make a pipeline of ten steps on the local host, and to draw 1,000 nodes.

Run: python tools/bench/bench_create.py [repeats]

Goals: ten repositories made, committed and pushed in at most 3 s, start of Python included; the
layout of 1,000 nodes in at most 0.1 s. For comparison: the same Git calls for ten repositories
and nothing else; and, where Graphviz is installed, `dot` laying out the same 1,000 nodes.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

STEPS = [f"step_{n}" for n in range(10)]


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def create(folder: Path) -> None:
    """Make a pipeline by the command."""
    command = [sys.executable, "-m", "sinara", "pipeline", "create", "--name", "p"]
    command += ["--steps", ",".join(STEPS), "--folder", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bare_git(folder: Path) -> None:
    """Make, commit and push ten repositories one after the other, by Git alone."""
    who = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    for step in STEPS:
        place, host = folder / step, folder / f"{step}.git"
        place.mkdir(parents=True)
        (place / "file").write_text("x")
        for call in (
            ["git", "init", "-q", "-b", "main", "."],
            ["git", "add", "--all"],
            ["git", *who, "commit", "-q", "-m", "x"],
            ["git", "init", "-q", "--bare", str(host)],
            ["git", "remote", "add", "origin", str(host)],
            ["git", "push", "-q", "-u", "origin", "main"],
        ):
            subprocess.run(call, cwd=place, check=True, capture_output=True)


def drawn(count: int) -> tuple[list[tuple[int, int]], float]:
    """Return the arrows of a graph, and how long its layout takes."""
    from sinara.draw.layers import Arrow, Node, arrange

    chance = random.Random(1)
    ends = [(chance.randrange(max(0, n - 40), n), n) for n in range(1, count)]
    ends += [(chance.randrange(max(0, n - 60), n), n) for n in range(1, count, 2)]
    nodes, arrows = [Node(100, 40)] * count, [Arrow(*pair) for pair in ends]
    return ends, statistics.median(seconds(lambda: arrange(nodes, arrows)) for _ in range(5))


def main(repeats: int = 3) -> None:
    """Measure and print."""
    made, peer = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as scratch:
            made.append(seconds(lambda: create(Path(scratch) / "p")))
            peer.append(seconds(lambda: bare_git(Path(scratch) / "git")))
    ours, git = statistics.median(made), statistics.median(peer)
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"ten steps made and pushed   {ours:6.2f} s   goal 3.0   / Git alone {ours / git:5.2f}")
    ends, layout = drawn(1000)
    print(f"layout of 1,000 nodes       {layout:6.3f} s   goal 0.1")
    if shutil.which("dot"):
        text = "digraph{rankdir=LR;" + "".join(f"{a}->{b};" for a, b in ends) + "}"
        command = ["dot", "-Tplain"]
        dot = seconds(lambda: subprocess.run(command, input=text, text=True, capture_output=True))
        print(f"the same by dot             {dot:6.3f} s   ratio {layout / dot:.4f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
