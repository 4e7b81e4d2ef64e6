"""A JSON file that several processes change."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from sinara.errors import StoreError
from sinara.substep.locked import locked_json


def _count(path: str) -> None:
    for _ in range(50):
        with locked_json(Path(path)) as value:
            value["n"] = value.get("n", 0) + 1


def test_no_change_is_lost(tmp_path):
    path = tmp_path / "folder" / "file.json"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_count, args=(str(path),)) for _ in range(3)]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert json.loads(path.read_text()) == {"n": 150}
    assert sorted(p.name for p in path.parent.iterdir()) == ["file.json", "file.json.lock"]


def _fail(path: Path) -> None:
    with locked_json(path) as value:
        value["n"] = 2
        raise ZeroDivisionError


def test_a_block_that_raises_changes_nothing(tmp_path):
    path = tmp_path / "file.json"
    path.write_text('{"n": 1}')

    with pytest.raises(ZeroDivisionError):
        _fail(path)

    assert path.read_text() == '{"n": 1}'


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_file_that_is_something_else_is_named(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(content)

    with pytest.raises(StoreError, match="Remove it"), locked_json(path):
        pass
