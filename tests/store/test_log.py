"""The commit log: found by probing, read with a digest, never with a gap."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.errors import CorruptError
from sinara.store import layout
from sinara.store.codec import canonical, seal, unseal
from sinara.store.disk import Disk
from sinara.store.local import LocalBackend
from sinara.store.log import CommitLog
from sinara.store.world import World
from tests.store.harness import story

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Existing:
    """A backend in which some numbers exist, and calls are counted."""

    remote = False
    folder = "there"

    def __init__(self, *numbers: int) -> None:
        self.paths = {layout.commit(number) for number in numbers}
        self.asked = 0

    def exists(self, path: str) -> bool:
        self.asked += 1
        return path in self.paths


@given(st.integers(0, 3000), st.integers(0, 4000))
def test_the_end_is_found_whatever_is_remembered(length, known):
    log = CommitLog(Existing(*range(1, length + 1)), World())
    log._known = known

    assert log.tail() == length


def test_the_end_of_a_long_log_is_found_in_few_calls():
    backend = Existing(*range(1, 10_001))

    assert CommitLog(backend, World()).tail() == 10_000
    assert backend.asked < 40


def test_an_entry_missing_before_the_end_is_found():
    with pytest.raises(CorruptError, match="is missing, and later entries are there"):
        CommitLog(Existing(1, 2, 3, 4, 6), World()).tail()


@given(JSON)
def test_a_sealed_body_is_read_as_it_was(value):
    data, digest = seal({"value": value})

    assert unseal(data, "x") == ({"value": value}, digest)


@given(JSON, st.data())
def test_any_flipped_bit_of_a_sealed_file_is_found(value, data):
    sealed, _ = seal({"value": value})
    at = data.draw(st.integers(0, len(sealed) - 1))
    bit = data.draw(st.integers(0, 7))
    broken = sealed[:at] + bytes([sealed[at] ^ (1 << bit)]) + sealed[at + 1 :]

    with pytest.raises(CorruptError):
        unseal(broken, "x")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b'{"body": {}}', b"[" * 100_000, b'{"body":' * 50_000]
)
def test_what_is_no_sealed_file_is_one_line(data):
    with pytest.raises(CorruptError) as refused:
        unseal(data, "somewhere")

    assert len(refused.value.lines) == 1


def test_what_is_no_json_cannot_be_sealed():
    with pytest.raises(ValueError, match="JSON"):
        canonical({"loss": float("nan")})


def test_a_newer_version_is_refused_with_what_to_do(step, publish, root):
    publish("data")
    path = Path(step.url) / layout.commit(1)
    body, _ = unseal(path.read_bytes(), "x")
    path.write_bytes(seal({**body, "schema_version": 99})[0])

    with pytest.raises(CorruptError, match="schema version 99; this sinara reads 1"):
        story.open_step(root).latest()


# -- file systems that cannot do everything ----------------------------------------------------


class NoLinks(Disk):
    """A file system without hard links."""

    def point(self, op, path, call, *args):
        if op == "link":
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), path)
        return super().point(op, path, call, *args)


class NoLinksNoRenameNew(NoLinks):
    """A file system, or a system, without renameat2 either."""

    def point(self, op, path, call, *args):
        if op == "rename_new":
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), path)
        return super().point(op, path, call, *args)


@pytest.mark.parametrize("disk", [Disk, NoLinks, NoLinksNoRenameNew])
def test_an_entry_is_created_once_on_any_file_system(tmp_path, disk):
    backend = LocalBackend(str(tmp_path), "step", disk(), World())

    assert backend.create("_commits/1.json", b"first")
    assert not backend.create("_commits/1.json", b"second")
    assert backend.read("_commits/1.json") == b"first"
    assert {p.name for p in (tmp_path / "step" / "_open").iterdir()} <= {"LOCK"}


@pytest.mark.parametrize("disk", [Disk, NoLinks, NoLinksNoRenameNew])
def test_whoever_is_slower_between_look_and_link_loses(tmp_path, disk):
    class Raced(disk):
        def point(self, op, path, call, *args):
            target = tmp_path / "step" / "_commits" / "1.json"
            if op == "create" and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(b"faster")
            return super().point(op, path, call, *args)

    backend = LocalBackend(str(tmp_path), "step", Raced(), World())

    assert not backend.create("_commits/1.json", b"slower")
    assert backend.read("_commits/1.json") == b"faster"


def test_a_link_whose_answer_was_lost_counts_as_made(tmp_path):
    """NFS repeats a call whose answer was lost, and then says that the name is taken."""

    class LostAnswer(Disk):
        def point(self, op, path, call, *args):
            done = super().point(op, path, call, *args)
            if op == "link":
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            return done

    backend = LocalBackend(str(tmp_path), "step", LostAnswer(), World())

    assert backend.create("_commits/1.json", b"mine")
    assert backend.read("_commits/1.json") == b"mine"


def test_a_store_without_hard_links_works_whole(root):
    step = story.open_step(root, NoLinksNoRenameNew())
    names = [story.run_id(number) for number in (1, 2)]
    for name in names:
        story.whole_run(step, Disk(), name, lambda _: None, name)

    assert [commit.run_id for commit in step.commits()] == names[::-1]
    assert step.verify() == ()
