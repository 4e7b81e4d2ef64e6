"""Kernels for the tests, and what they leave behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.kernels.kernel_runs import Runner


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """A function that runs cells and returns what became of them."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    return Runner(tmp_path, env)


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Callable[[], list[psutil.Process]]]:
    """All live processes that a kernel of this test started, found by their environment."""
    seen = str(tmp_path)

    def find() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and seen in process.environ().get("IPYTHONDIR", ""):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    yield find
    for process in find():
        process.kill()
