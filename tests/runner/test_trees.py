"""Copies with digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sinara.errors import OutputError
from sinara.runner.trees import copy_tree, digest, remove, write_whole
from sinara.store.disk import Disk

DISK = Disk(sync=False)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_folder_is_copied_with_all_in_it(tmp_path: Path):
    source = tmp_path / "source"
    (source / "a" / "empty").mkdir(parents=True)
    (source / "a" / "x").write_bytes(b"1")
    (source / "y").write_bytes(b"")

    found = copy_tree(source, tmp_path / "deep" / "target", DISK)

    assert found == {"a/x": sha(b"1"), "y": sha(b"")}
    assert (tmp_path / "deep" / "target" / "a" / "x").read_bytes() == b"1"
    assert (tmp_path / "deep" / "target" / "a" / "empty").is_dir()


def test_a_lone_file_and_an_empty_folder_are_copied(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"2")
    (tmp_path / "empty").mkdir()

    assert copy_tree(tmp_path / "file", tmp_path / "copy", DISK) == {"": sha(b"2")}
    assert copy_tree(tmp_path / "empty", tmp_path / "none", DISK) == {}

    assert (tmp_path / "copy").read_bytes() == b"2"
    assert (tmp_path / "none").is_dir()


def test_a_link_is_refused(tmp_path: Path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "link").symlink_to("/etc/passwd")

    with pytest.raises(OutputError, match="link is no regular file"):
        copy_tree(tmp_path / "source", tmp_path / "target", DISK)


def test_every_byte_is_shown_and_none_between_two_pieces_is_missed(tmp_path: Path):
    word = b"across the border"
    data = b"x" * ((1 << 20) - 5) + word + b"y" * (1 << 20)
    (tmp_path / "file").write_bytes(data)
    seen: list[bool] = []

    found = digest(tmp_path / "file", lambda piece: seen.append(word in piece))

    assert found == sha(data)
    assert any(seen)


def test_a_file_is_replaced_and_removed(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"old")

    write_whole(tmp_path / "x", b"new", DISK)

    assert (tmp_path / "x").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    remove(tmp_path / "x")
    remove(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
