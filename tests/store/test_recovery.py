"""What dead processes left is finished or removed; what lives is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sinara.errors import StoreError
from sinara.names import StepName, new_run_id
from sinara.store import open_store
from sinara.store.disk import Disk
from sinara.store.world import Process, World, name_tag, process_started, tag_is_alive, this_process
from tests.store.harness import story


def in_child(work) -> int:
    """Let a child work and die without a word; return its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    return pid


def begin(step, name) -> None:
    """Begin a run, write half of it."""
    step.write_record(story.record(name))
    writer = step.claim(name)
    folder = Path(writer.entity_url("data"))
    folder.mkdir()
    (folder / "part-0.parquet").write_bytes(story.parquet(3))


def elsewhere(root: Path, host: str = "other", boot: str = "other", **changes) -> World:
    """The world of a process of another machine."""
    return World(process=lambda: Process(host, boot, 77, "1.1"), **changes)


def test_a_dead_run_is_collected_and_its_record_says_lost(step):
    name = new_run_id()
    in_child(lambda: begin(step, name))

    done = step.recover()

    assert (done.collected, done.lost) == ((name,), (name,))
    assert not (Path(step.url) / name).exists()
    assert step.read_record(name).status == "lost"
    assert not step.recover()


def test_evidence_of_a_dead_run_stays(step):
    name = new_run_id()
    in_child(lambda: (begin(step, name), step.put_file(name, "log.jsonl", b"{}")))
    step.recover()

    assert step.get_file(name, "log.jsonl") == b"{}"
    assert step.run_ids() == (name,)


def test_a_living_run_is_left_alone(step):
    name = new_run_id()
    writer = step.claim(name)
    step.write_record(story.record(name))

    assert not step.recover()
    assert not step.recover(full=True)

    assert (Path(step.url) / name).is_dir()
    assert step.read_record(name).status == "running"
    assert writer.commit(**story.ARGUMENTS)


def test_a_living_run_of_another_process_is_left_alone(step):
    name = new_run_id()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        writer = step.claim(name)
        os.write(tell, b"x")
        signal.pause()
        writer.release()
    os.read(told, 1)

    assert not step.recover()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert step.recover().collected == (name,)


def test_a_run_that_was_let_go_is_collected_though_its_process_lives(step):
    with step.claim(new_run_id()) as writer:
        pass

    assert step.recover().collected == (writer.run_id,)


def test_what_a_resume_needs_is_kept(step):
    with step.claim(new_run_id()) as writer:
        pass

    assert not step.recover(keep=lambda name: name == writer.run_id)
    assert (Path(step.url) / writer.run_id).is_dir()
    assert step.recover(keep=lambda name: False).collected == (writer.run_id,)


def test_a_run_that_was_published_and_then_died_is_finished(step):
    name = new_run_id()

    class DiesAfterTheCommit(Disk):
        def create_beneath(self, base, relpath):
            os.kill(os.getpid(), signal.SIGKILL)

    def publish():
        other = story.open_step(Path(step.url).parents[2], DiesAfterTheCommit())
        other.write_record(story.record(name))
        writer = other.claim(name)
        Path(writer.entity_url("data")).write_bytes(story.parquet(3))
        writer.seal("data")
        writer.commit(**story.ARGUMENTS)

    in_child(publish)

    assert not (Path(step.entity_url(name, "data")) / "_SUCCESS").exists()
    done = step.recover()
    assert (done.rolled_forward, done.collected) == ((name,), ())
    assert (Path(step.entity_url(name, "data")) / "_SUCCESS").exists()
    record = step.read_record(name)
    assert (record.status, record.published) == ("succeeded", True)
    assert step.verify() == ()


def test_a_mark_that_was_lost_is_written_by_a_full_recovery(step, publish):
    commit = publish("data")
    folder = Path(step.entity_url(commit.run_id, "data"))
    folder.chmod(0o755)
    (folder / "_SUCCESS").unlink()

    assert not step.recover()
    assert [problem.what for problem in step.verify()] == [
        "is missing: sinara run recover writes it"
    ]
    assert step.recover(full=True).rolled_forward == (commit.run_id,)
    assert step.verify() == ()


def test_a_run_of_another_machine_is_collected_after_a_time_without_a_sign_of_life(root):
    name = new_run_id()
    theirs = story.open_step(root, world=elsewhere(root))
    theirs.write_record(story.record(name))
    theirs.claim(name).release()
    now = [datetime.now(UTC)]
    ours = story.open_step(root, world=World(clock=lambda: now[0]))

    now[0] += timedelta(hours=23)
    assert not ours.recover()
    now[0] += timedelta(hours=2)
    done = ours.recover()

    assert name in done.collected
    assert done.lost == (name,)


def test_a_machine_that_was_started_again_has_no_old_processes(root):
    here = this_process()
    theirs = elsewhere(root, host=here.host, boot="before the power cut")
    name = new_run_id()
    with story.open_step(root, world=theirs).claim(name):
        pass

    assert story.open_step(root).recover().collected == (name,)


def test_a_run_given_up_on_a_shared_store_can_never_be_published(root):
    """Where locks do not reach, a tombstone stands in the way of the slow writer."""
    theirs = story.open_step(root, world=elsewhere(root)).claim(new_run_id())
    step = story.open_step(root)
    theirs._hold.release()  # a mount without locks: nobody sees that it is held
    step.recover(grace=-1.0)

    with pytest.raises(StoreError, match="was collected"):
        theirs.commit(**story.ARGUMENTS)

    assert step.latest() is None
    assert step.verify() == ()


def test_a_folder_of_a_run_that_lost_its_log_entry_is_not_deleted(step, publish):
    commit = publish("data")
    (Path(step.url) / "_commits" / f"{1:020d}.json").unlink()

    other = open_store(str(Path(step.url).parents[2])).step(story.STEP)

    assert not other.recover(full=True)
    assert Path(step.entity_url(commit.run_id, "data")).is_dir()
    assert "log entry 1 is missing" in other.verify()[0].what


def test_temporary_files_of_dead_processes_are_swept_and_of_living_ones_not(step, publish):
    publish("data")
    inside = Path(step.url) / "_open"
    dead = in_child(lambda: None)
    gone = replace(this_process(), pid=dead)
    for process in (gone, this_process()):
        (inside / f"tmp.{name_tag(process)}.aa").write_bytes(b"x")
    (inside / f"tmp.{name_tag(gone)}.bb").mkdir()

    step.recover()

    assert [path.name for path in inside.iterdir()] == [f"tmp.{name_tag(this_process())}.aa"]


def test_the_trash_is_emptied(step, publish):
    publish("data")
    half = Path(step.url) / "_trash" / "run-x" / "data"
    half.mkdir(parents=True)
    (half / "part.parquet").write_bytes(b"x")
    half.chmod(0o555)

    step.recover()

    assert list((Path(step.url) / "_trash").iterdir()) == []


def test_a_damaged_record_is_left_as_evidence(step):
    name = new_run_id()
    in_child(lambda: begin(step, name))
    record = Path(step.url) / "_runs" / name / "record.json"
    record.write_bytes(b"{damaged")

    step.recover()

    assert record.read_bytes() == b"{damaged"


def test_a_record_that_ended_is_not_touched(step):
    name = new_run_id()
    step.write_record(story.record(name))
    step.write_record(story.record(name, "failed"))

    assert not step.recover(full=True)
    assert step.read_record(name).status == "failed"


def test_many_finished_runs_cost_recovery_no_look(step, publish, monkeypatch):
    for _ in range(3):
        publish("data")
    looked = []
    backend = step._place.backend
    monkeypatch.setattr(backend, "exists", lambda path: looked.append(path) or False)

    assert not step.recover()
    assert looked == []


# -- processes -------------------------------------------------------------------------------


def test_a_process_is_told_from_another_with_its_number():
    here = this_process()

    assert World().alive(here, here) is True
    assert World().alive(replace(here, started="1." + here.started.split(".")[1]), here) is False


def test_a_dead_process_is_dead_and_so_is_a_zombie():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert process_started(pid) is None
    os.waitpid(pid, 0)
    assert process_started(pid) is None


def test_a_process_of_another_container_or_machine_cannot_be_judged():
    here = this_process()

    assert World().alive(replace(here, started="1.42"), here) is None
    assert World().alive(replace(here, host="x", boot="y"), here) is None


def test_a_name_tag_says_the_same_as_the_process():
    here = this_process()

    assert tag_is_alive(name_tag(here), here) is True
    assert tag_is_alive(name_tag(replace(here, boot="before")), here) is False
    assert tag_is_alive(name_tag(replace(here, host="x", boot="y")), here) is None
    assert tag_is_alive("no tag", here) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_a_dead_run_has_filled_is_free_again(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine allows no mount")
    try:
        fill = (
            "import os, sys\n"
            "from sinara.names import StepName, new_run_id\n"
            "from sinara.store import open_store\n"
            "from sinara.record import RunRecord\n"
            "step = open_store(sys.argv[1]).step(StepName('user', 'p', 'z', 's'))\n"
            "run_id = new_run_id()\n"
            "writer = step.claim(run_id)\n"
            "step.write_record(RunRecord(run_id, 'user', 'p', 'z', 's', 'running', '2025-01-01T00:00:00+00:00'))\n"
            "os.makedirs(writer.entity_url('raw'))\n"
            "out = os.open(writer.entity_url('raw') + '/x', os.O_WRONLY | os.O_CREAT)\n"
            "try:\n"
            "    while True: os.write(out, bytes(4096))\n"
            "except OSError:\n"
            "    os._exit(9)\n"
        )
        subprocess.run([sys.executable, "-c", fill, str(disk)], check=False)
        step = open_store(str(disk)).step(StepName("user", "p", "z", "s"))

        done = step.recover()

        assert len(done.lost) == len(done.collected) == 1
        assert step.read_record(done.lost[0]).status == "lost"
        assert not step.recover()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
