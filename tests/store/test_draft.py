"""Work by hand: a draft that outlives its kernels, and snapshots that others read."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinara.errors import StoreError
from sinara.names import new_run_id
from sinara.store import open_store
from sinara.store.world import World
from tests.store.harness import story


@pytest.fixture
def draft(step):
    with step.claim(new_run_id(), draft=True) as made:
        yield made


def write(draft, entity="data", rows=3, name="part-0.parquet"):
    folder = Path(draft.entity_url(entity))
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(story.parquet(rows))
    return path


def make_old(*paths: Path) -> None:
    """Let files be as old as if a person had thought for a second."""
    until = datetime.now(UTC).timestamp() + 0.06
    while datetime.now(UTC).timestamp() < until:
        pass


def snapshot(draft, *entities):
    return draft.snapshot(entities or ["data"], **story.ARGUMENTS)


def test_a_draft_is_not_read_but_its_snapshot_is(step, draft):
    write(draft)
    assert step.latest(legacy=True) is None

    commit = snapshot(draft)

    assert step.latest() == commit
    assert (commit.interactive, commit.draft) == (True, draft.run_id)
    assert commit.run_id != draft.run_id
    assert step.latest(interactive=False) is None
    assert step.open(commit, "data", verify="full").rows == 3
    assert step.verify() == ()


def test_nothing_written_is_nothing_published(step, draft):
    assert snapshot(draft) is None
    assert list(step.commits()) == []
    assert not step.recover()


def test_the_draft_stays_writable_and_writing_again_replaces_it_for_readers(step, draft):
    write(draft, rows=3)
    first = snapshot(draft)
    write(draft, rows=9)
    second = snapshot(draft)

    assert step.open(first, "data", verify="full").rows == 3
    assert step.open(step.latest(), "data", verify="full").rows == 9
    assert second.sequence > first.sequence


def test_a_lone_file_and_litter_stay_as_they_are_in_the_draft(step, draft):
    lone = Path(draft.entity_url("lone"))
    lone.write_bytes(story.parquet(2))
    spark = write(draft).with_name("_SUCCESS")
    spark.write_text("spark")

    assert draft.settle("lone").files == 1
    commit = snapshot(draft, "lone", "data")

    assert lone.is_file()
    assert spark.read_text() == "spark"
    assert step.open(commit, "lone").rows == 2
    assert step.open(commit, "data").files == 1


def test_a_snapshot_without_a_change_is_the_last_one(step, draft):
    path = write(draft)
    make_old(path)
    first = snapshot(draft)

    assert snapshot(draft) == first
    assert len(list(step.commits())) == 1


def test_what_did_not_change_is_neither_copied_nor_hashed(step, draft, monkeypatch):
    old = write(draft, name="part-0.parquet")
    make_old(old)
    first = snapshot(draft)
    write(draft, name="part-1.parquet")
    copied = []
    backend = type(step._place.backend)
    original = backend.copy_data

    def copy_data(self, source, target):
        copied.append(source)
        return original(self, source, target)

    monkeypatch.setattr(backend, "copy_data", copy_data)

    second = snapshot(draft)

    assert [path.rpartition("/")[2] for path in copied] == ["part-1.parquet"]
    shared = [Path(step.entity_url(c.run_id, "data")) / old.name for c in (first, second)]
    assert shared[0].stat().st_ino == shared[1].stat().st_ino
    assert shared[0].stat().st_ino != old.stat().st_ino
    assert step.verify() == ()


def test_a_change_that_leaves_time_and_size_alone_is_seen(step, draft):
    """A file as young as the clock's tick is not trusted to be unchanged."""
    path = write(draft)
    data = path.read_bytes()
    snapshot(draft)
    found = path.stat()
    path.write_bytes(data.replace(b"number", b"letter"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    assert step.open(snapshot(draft), "data").columns[0][0] == "letter"


def test_what_cannot_be_read_yet_is_left_as_it_was_and_said(step, draft):
    write(draft, "one")
    two = write(draft, "two", rows=2)
    snapshot(draft, "one", "two")
    two.write_bytes(b"half")
    write(draft, "one", rows=5)

    commit = snapshot(draft, "one", "two")

    assert "is no readable parquet file" in commit.skipped["two"]
    assert step.open(commit, "one", verify="full").rows == 5
    assert step.open(commit, "two", verify="full").rows == 2
    assert step.verify() == ()


def test_what_cannot_be_read_at_all_is_no_snapshot(step, draft):
    write(draft).write_bytes(b"half")

    assert snapshot(draft) is None
    assert step.verify() == ()
    assert not step.recover()


def test_an_output_of_another_notebook_of_the_step_stays_readable(step, draft):
    write(draft, "prepared")
    snapshot(draft, "prepared")
    write(draft, "trained")

    commit = snapshot(draft, "trained")

    assert set(commit.entities) == {"prepared", "trained"}
    assert step.latest(["prepared", "trained"]) == commit


def test_an_output_that_was_deleted_is_not_in_the_next_snapshot(step, draft):
    write(draft, "one")
    path = write(draft, "two")
    snapshot(draft, "one", "two")
    path.unlink()

    assert set(snapshot(draft, "one", "two").entities) == {"one"}


def test_only_the_newest_snapshots_are_kept_and_those_that_are_read(step, draft):
    commits, pins = [], []
    for rows in range(1, 7):
        write(draft, rows=rows)
        commits.append(snapshot(draft))
        if rows == 2:
            pins.append(step.pin(commits[-1].run_id))
    there = [(Path(step.url) / commit.run_id).is_dir() for commit in commits]

    assert there == [False, True, False, True, True, True]
    assert list(step.commits()) == commits[:2:-1]
    pins[0].release()
    assert step.recover().collected == (commits[1].run_id,)
    assert step.verify() == ()


def test_a_draft_survives_the_death_of_its_kernel(step, root):
    name = new_run_id()
    pid = os.fork()
    if pid == 0:
        try:
            write(step.claim(name, draft=True))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    other = open_store(str(root)).step(story.STEP)

    assert not other.recover()
    with other.claim(name, draft=True) as again:
        assert snapshot(again).entities["data"].rows == 3


def test_two_kernels_share_one_draft(step, root):
    name = new_run_id()
    one = step.claim(name, draft=True)
    two = open_store(str(root)).step(story.STEP).claim(name, draft=True)
    write(one, "first")
    write(two, "second")

    snapshot(one, "first")
    commit = snapshot(two, "second")

    assert set(commit.entities) == {"first", "second"}


def test_a_draft_that_nobody_touched_for_long_is_collected(step, root):
    with step.claim(new_run_id(), draft=True) as draft:
        write(draft)
    later = World(clock=lambda: datetime.now(UTC) + timedelta(days=15))

    assert not step.recover()
    assert story.open_step(root, world=later).recover().collected == (draft.run_id,)


def test_a_draft_in_use_is_never_collected(step, root, draft):
    later = World(clock=lambda: datetime.now(UTC) + timedelta(days=400))

    assert not story.open_step(root, world=later).recover()


def test_a_draft_is_not_committed_and_a_run_takes_no_snapshots(step, draft):
    with pytest.raises(StoreError, match="is a draft"):
        draft.commit(**story.ARGUMENTS)
    with pytest.raises(StoreError, match="is no draft"):
        snapshot(step.claim(new_run_id()))


def test_a_run_that_is_no_draft_cannot_be_joined(step):
    name = new_run_id()
    with step.claim(name):
        pass

    with pytest.raises(StoreError, match="exists already"):
        step.claim(name, draft=True)


def test_a_damaged_note_of_the_last_snapshot_only_costs_a_copy(step, draft):
    write(draft)
    snapshot(draft)
    (Path(step.url) / draft.run_id / "_SNAPSHOT").write_bytes(b"{damaged")

    assert step.open(snapshot(draft), "data", verify="full").rows == 3
    assert step.verify() == ()


def test_kernels_that_begin_one_draft_at_once_all_get_it(root):
    name = new_run_id()
    pids = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with open_store(str(root)).step(story.STEP).claim(name, draft=True) as draft:
                    code = 0 if draft.draft else 2
            finally:
                os._exit(code)
        pids.append(pid)

    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 6


def test_a_lock_that_is_held_for_ever_ends_in_one_line(step, draft, monkeypatch):
    monkeypatch.setattr("sinara.store.disk._LONGEST_LOCK", 0.1)
    write(draft)
    with (
        step._place.backend.locked(draft.run_id),
        pytest.raises(StoreError, match="timed out"),
    ):
        snapshot(draft)
