"""Kernels for the tests, and what they leave behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.kernels.kernel_runs import Runner

IDLE = {"sinara-guard", "sinara-spare"}  # under a supervisor that this process keeps


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """A function that runs cells and returns what became of them."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    return Runner(tmp_path, {**env, "MARK_OF_TEST": str(tmp_path)})


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Callable[[], list[psutil.Process]]]:
    """All live processes that a kernel of this test started, wherever they are by now.

    They are below this process, or have the test's mark in their environment. Not counted are
    its own children (a supervisor, a driver), and the guards and kernels that wait.
    """
    own = psutil.Process()

    def find() -> list[psutil.Process]:
        direct = {child.pid for child in own.children()}
        below = {child.pid for child in own.children(recursive=True)}
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid in {own.pid, *direct} or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                ours = process.environ().get("MARK_OF_TEST") == str(tmp_path)
                if ours or (process.pid in below and process.name() not in IDLE):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    yield find
    for process in find():
        process.kill()
