"""A run is published whole, once, by the one who claimed it, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pandas as pd
import pytest

from sinara.errors import BadNameError, OutputError, RunNotFoundError, StoreError
from sinara.names import new_run_id
from sinara.store import AlreadyPublishedError, LostClaimError, open_store
from sinara.store.disk import Disk
from tests.store.harness import story
from tests.store.harness.faults import FaultDisk


def write(writer, entity="data", rows=3):
    folder = Path(writer.entity_url(entity))
    folder.mkdir(exist_ok=True)
    (folder / "part-0.parquet").write_bytes(story.parquet(rows))


def test_nothing_can_be_read_before_the_commit(step):
    writer = step.claim(new_run_id())
    write(writer)
    writer.seal("data")

    assert step.latest() is None
    assert list(step.commits()) == []
    with pytest.raises(RunNotFoundError):
        step.commit(writer.run_id)


def test_all_entities_appear_together(step):
    writer = step.claim(new_run_id())
    for entity in ("train", "test"):
        write(writer, entity)
        writer.seal(entity)

    commit = writer.commit(**story.ARGUMENTS)

    assert set(commit.entities) == {"train", "test"}
    assert step.latest(["test", "train"]) == commit == step.commit(writer.run_id)


def test_an_output_folder_is_not_there_before_user_code_makes_it(step):
    writer = step.claim(new_run_id())

    url = Path(writer.entity_url("eval.metrics"))

    assert url.name == "eval_metrics"
    assert not url.exists()
    assert url.parent.is_dir()


def test_a_run_id_can_be_claimed_once(step):
    name = new_run_id()
    step.claim(name)

    with pytest.raises(StoreError, match=f"Run {name} exists already"):
        step.claim(name)


def test_a_run_id_that_climbs_is_refused(step):
    with pytest.raises(BadNameError):
        step.claim("run-25-01-01-000000/../../x")


def test_committing_again_returns_the_same_commit(step, publish):
    writer = step.claim(new_run_id())
    write(writer)
    writer.seal("data")

    first = writer.commit(**story.ARGUMENTS)

    assert writer.commit(**story.ARGUMENTS) == first
    assert len(list(step.commits())) == 1


def test_a_run_without_outputs_can_be_published(step):
    commit = step.claim(new_run_id()).commit(**story.ARGUMENTS)

    assert step.latest() == commit
    assert step.verify() == ()


@pytest.mark.parametrize("made", [False, True], ids=["missing", "an empty folder"])
def test_a_declared_output_that_was_not_written_fails(step, made):
    writer = step.claim(new_run_id())
    if made:
        Path(writer.entity_url("data")).mkdir()

    assert writer.settle("data") is None
    with pytest.raises(OutputError, match="'data' was declared, but nothing was written to"):
        writer.seal("data")


def test_a_trigger_that_was_published_is_refused_at_once(step, publish):
    winner = publish("data", trigger="monday")

    with pytest.raises(AlreadyPublishedError, match=winner.run_id) as refused:
        step.claim(new_run_id(), trigger_key="monday")

    assert refused.value.run_id == winner.run_id


def test_of_two_attempts_at_one_trigger_the_slower_is_refused_and_told_who_won(step):
    slow, fast = (step.claim(new_run_id(), trigger_key="monday") for _ in range(2))
    for writer in (slow, fast):
        write(writer)
        writer.seal("data")
    fast.commit(**story.ARGUMENTS)

    with pytest.raises(AlreadyPublishedError, match=fast.run_id):
        slow.commit(**story.ARGUMENTS)

    assert [commit.run_id for commit in step.commits()] == [fast.run_id]


def test_a_trigger_key_may_be_any_text(step, publish):
    for key in ("../../x", "a/b", "", "é" * 500, "line\nbreak"):
        publish("data", trigger=key)
        with pytest.raises(AlreadyPublishedError):
            publish("data", trigger=key)


def test_an_attempt_that_was_given_up_cannot_publish(step, root):
    writer = step.claim(new_run_id())
    write(writer)
    writer.seal("data")
    writer.release()
    step.recover()

    with pytest.raises(LostClaimError, match="its folder was collected"):
        writer.commit(**story.ARGUMENTS)

    assert step.latest() is None


def test_an_attempt_whose_folder_was_taken_over_cannot_publish(step):
    name = new_run_id()
    old = step.claim(name)
    old.release()
    step.recover()
    new = step.claim(name)
    write(new)

    with pytest.raises(LostClaimError):
        old.seal("data")
    new.seal("data")
    assert new.commit(**story.ARGUMENTS).run_id == name


def test_a_forked_child_cannot_publish_its_parents_run(step):
    writer = step.claim(new_run_id())
    write(writer)
    writer.seal("data")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            writer.commit(**story.ARGUMENTS)
        except LostClaimError as error:
            code = 0 if "not the process that began it" in str(error) else 2
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert step.latest() is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "part-0.parquet").write_bytes(b"x"), id="rewritten"),
        pytest.param(lambda folder: (folder / "late.parquet").write_bytes(b"x"), id="added"),
        pytest.param(lambda folder: (folder / "part-0.parquet").unlink(), id="removed"),
    ],
)
def test_an_output_that_changes_after_it_was_hashed_fails_the_run(step, change):
    writer = step.claim(new_run_id())
    write(writer)
    writer.seal("data")
    change(Path(writer.entity_url("data")))

    with pytest.raises(OutputError, match="'data' is still being written"):
        writer.commit(**story.ARGUMENTS)

    assert step.latest() is None


def test_sealing_again_takes_the_new_content(step):
    writer = step.claim(new_run_id())
    write(writer, rows=3)
    writer.seal("data")
    write(writer, rows=5)

    assert writer.seal("data").rows == 5
    assert step.open(writer.commit(**story.ARGUMENTS), "data", verify="full").rows == 5


def test_published_files_are_read_only(publish, step):
    commit = publish("data")

    folder = Path(step.entity_url(commit.run_id, "data"))
    modes = [path.stat().st_mode for path in (folder, *folder.iterdir())]

    assert not any(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for mode in modes[:2])


def test_what_was_not_published_does_not_stay_beside_what_was(step):
    writer = step.claim(new_run_id())
    write(writer)
    write(writer, "scratch")
    writer.seal("data")

    writer.commit(**story.ARGUMENTS)

    assert not Path(writer.entity_url("scratch")).exists()
    assert step.verify() == ()


def test_reports_are_an_entity_as_any_other(step, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    writer = step.claim(new_run_id())
    writer.add_files("reports.a.ipynb", {"report.html": b"<p>", "img/picture.png": picture})

    info = writer.seal("reports.a.ipynb")
    writer.commit(**story.ARGUMENTS)

    assert (info.files, info.bytes, info.rows) == (2, 6, None)
    assert (Path(info.url) / "img" / "picture.png").read_bytes() == b"png"


@pytest.mark.parametrize("path", ["", "../x", "/etc/x", "a//b", "a\nb", "a:b", "x."])
def test_a_report_cannot_be_written_outside_its_entity(step, path):
    writer = step.claim(new_run_id())

    with pytest.raises(OutputError):
        writer.add_files("reports", {path: b"x"})


def test_two_entities_with_one_folder_are_refused(step):
    writer = step.claim(new_run_id())
    write(writer, "a.b")
    writer.seal("a.b")

    with pytest.raises(BadNameError):
        writer.seal("a_b")


@pytest.mark.parametrize("kind", ["ENOSPC", "EDQUOT", "EROFS", "EIO"])
def test_a_disk_that_refuses_is_one_line_with_the_path_and_the_cause(root, kind):
    disk = FaultDisk(kind=kind)
    step = story.open_step(root, disk)
    writer = step.claim(new_run_id())
    write(writer)
    writer.seal("data")
    disk.at = disk.count + 2

    with pytest.raises(StoreError) as refused:
        writer.commit(**story.ARGUMENTS)

    line = str(refused.value)
    assert len(refused.value.lines) == 1
    assert f"Cannot publish run {writer.run_id}: " in line
    assert os.strerror(getattr(errno, kind)) in line
    assert str(root) in line
    assert step.latest() is None


# -- a folder that a notebook made under a run id of its own ---------------------------------


def test_a_folder_that_nobody_claimed_can_be_taken_over(step):
    name = new_run_id()
    folder = Path(step.entity_url(name, "data"))
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_bytes(story.parquet(3))
    with pytest.raises(StoreError, match="exists already"):
        step.claim(name)

    writer = step.claim(name, adopt=True)
    writer.seal("data")
    commit = writer.commit(**story.ARGUMENTS)

    assert step.open(commit, "data", verify="full").rows == 3
    assert step.verify() == ()


def test_a_folder_that_is_taken_over_is_held_from_its_first_moment(step, root):
    """A recovery at any operation in between leaves it alone."""
    name = new_run_id()
    folder = Path(step.entity_url(name, "data"))
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").write_bytes(story.parquet(3))
    recovered = []
    disk = Disk()
    original = disk.point

    def point(op, path, call, *args):
        done = original(op, path, call, *args)
        recovered.append(step.recover(full=True))
        return done

    disk.point = point
    writer = story.open_step(root, disk).claim(name, adopt=True)

    assert len(recovered) > 5
    assert not any(recovered)
    assert writer.seal("data").rows == 3
    with pytest.raises(StoreError, match="exists already"):
        step.claim(name, adopt=True)


def test_a_finished_run_of_the_original_is_not_taken_over(step):
    name = "run-24-01-01-000000"
    folder = Path(step.entity_url(name, "data"))
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()

    with pytest.raises(StoreError, match="exists already"):
        step.claim(name, adopt=True)


def test_taking_over_what_is_not_there_is_an_ordinary_claim(step):
    writer = step.claim(new_run_id(), adopt=True)
    write(writer)
    writer.seal("data")

    assert writer.commit(**story.ARGUMENTS)


# -- disks that refuse -----------------------------------------------------------------------


def test_a_failed_commit_is_not_tried_again_by_the_same_writer(root):
    """After a failed fsync the kernel may say that the next one succeeded, and lie."""
    disk = FaultDisk(kind="EIO")
    writer = story.open_step(root, disk).claim(new_run_id())
    disk.at = disk.count + 1
    for _ in range(2):
        with pytest.raises(StoreError, match="disk reported an error"):
            writer.commit(**story.ARGUMENTS)

    assert disk.count == disk.at


def test_a_run_whose_marks_cannot_be_written_is_published_and_recovered(root):
    class NoMarks(Disk):
        def create_beneath(self, base: str, relpath: str) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), relpath)

    writer = story.open_step(root, NoMarks()).claim(new_run_id())
    write(writer)
    writer.seal("data")

    commit = writer.commit(**story.ARGUMENTS)

    step = open_store(str(root)).step(story.STEP)
    assert "No space left" in writer.unfinished
    assert step.latest() == commit
    assert step.recover().rolled_forward == (writer.run_id,)
    assert step.verify() == ()


def test_durability_fast_never_calls_fsync(root):
    calls = []

    class Listening(Disk):
        def point(self, op, path, call, *args):
            calls.append(op)
            return super().point(op, path, call, *args)

    step = story.open_step(root, Listening(sync=False))
    story.whole_run(step, Disk(), new_run_id(), lambda _: None, None)

    assert "link" in calls
    assert not {"fsync", "fsync_dir"} & set(calls)


def test_a_folder_that_nobody_claimed_can_be_taken_over_once(step):
    run_id = "run-24-01-01-000000"
    data = Path(step.url) / run_id / "raw"
    data.mkdir(parents=True)
    pd.DataFrame({"x": [1]}).to_parquet(data / "part.parquet")

    writer = step.claim(run_id, adopt=True)
    writer.settle("raw")
    writer.seal("raw")
    commit = writer.commit(inputs={}, code={}, params_sha256="", substeps=[])

    assert step.open(commit, "raw").rows == 1
    with pytest.raises(StoreError, match="exists already"):
        step.claim(run_id, adopt=True)


def test_a_finished_run_of_the_original_is_never_taken_over(step):
    run_id = "run-24-01-01-000000"
    data = Path(step.url) / run_id / "raw"
    data.mkdir(parents=True)
    (data / "_SUCCESS").touch()

    with pytest.raises(StoreError, match="exists already"):
        step.claim(run_id, adopt=True)
