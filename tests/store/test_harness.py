"""The store is killed, failed, unplugged, damaged and crowded; its promises hold.

Every run prints its seed. To replay: ``SINARA_SEED=7 SINARA_POINT=run:kill:93 pytest -k sweep``
(what fails prints these); ``SINARA_EFFORT=10`` does ten times as much.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara.names import new_run_id
from sinara.store import RunWriter, open_store
from sinara.store import log as log_module
from sinara.store.disk import Disk
from sinara.store.errors import AlreadyPublishedError
from tests.store.harness import power, rot, simulation, story
from tests.store.harness.checks import violations
from tests.store.harness.faults import HookDisk

# Read here: a test's own environment has no setting of the person who runs it.
SEED = int(os.environ.get("SINARA_SEED", random.randrange(10**6)))
POINT = os.environ.get("SINARA_POINT", "")
EFFORT = float(os.environ.get("SINARA_EFFORT", "1"))
WORKERS = 2


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: a point there costs a tenth."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    made = Path(tempfile.mkdtemp(prefix="sinara-", dir=memory))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def effort(count: int) -> int:
    return max(1, int(count * EFFORT))


def harness(name: str, root: Path, *arguments: str) -> list[dict]:
    """Run a harness in processes of its own, one share each; return their reports."""
    shares = (
        ["0/1"] if POINT or name == "contention" else [f"{n}/{WORKERS}" for n in range(WORKERS)]
    )
    base = [sys.executable, "-m", f"tests.store.harness.{name}", "--root", str(root)]
    base += ["--seed", str(SEED), *arguments]
    if POINT:
        base += ["--point", POINT]
    extra = [[] if name == "contention" else ["--share", share] for share in shares]
    top = Path(__file__).parents[2]
    running = [
        subprocess.Popen([*base, *more], stdout=subprocess.PIPE, cwd=top, text=True)
        for more in extra
    ]
    said = [process.communicate(timeout=280)[0] for process in running]
    reports = [json.loads(text.splitlines()[-1]) for text in said]
    sys.stdout.write("".join(f"{name}: {json.dumps(report)[:300]}\n" for report in reports))
    return reports


def bad(reports: list[dict]) -> dict:
    """Return what is wrong, by SINARA_POINT."""
    return {point: lines for report in reports for point, lines in dict(report["bad"]).items()}


def test_sweep_no_operation_of_a_run_a_draft_or_a_recovery_may_kill_or_fail_it(fast):
    """H1."""
    reports = harness("sweep", fast, "--limit", str(effort(400)))

    assert bad(reports) == {}, f"SINARA_SEED={SEED}"
    assert sum(report["points"] for report in reports) >= (1 if POINT else effort(400))


def test_power_no_state_that_a_power_loss_leaves_breaks_a_promise(fast):
    """H2."""
    reports = harness("power", fast, "--limit", str(effort(1000)))

    assert bad(reports) == {}, f"SINARA_SEED={SEED}"
    assert sum(report["states"] for report in reports) >= (1 if POINT else effort(900))


def test_contention_writers_that_die_and_readers_that_look_agree(fast):
    """H5."""
    (report,) = harness("contention", fast, "--seconds", str(6 * EFFORT))

    assert report["bad"] == [], f"SINARA_SEED={SEED}"
    assert report["commits"] > 10
    assert report["killed"] > 10


def test_simulation_no_fault_of_an_object_store_breaks_a_promise():
    """H6."""
    first, count = (int(POINT), 1) if POINT.isdigit() else (SEED, effort(2000))

    found = simulation.explore(range(first, first + count))

    assert found == {}, "replay with SINARA_POINT=<seed>"


def test_rot_every_damage_is_found(fast):
    """H4."""
    sys.stdout.write(f"rot: SINARA_SEED={SEED}\n")
    step = story.open_step(fast)
    for number in (1, 2):
        story.whole_run(step, Disk(), story.run_id(number), lambda _: None, None)
    folder = Path(step.url)
    everything = [folder, *folder.rglob("*")]
    for path in everything:
        path.chmod(0o755 if path.is_dir() else 0o644)
    published = [
        p for p in everything if p.is_file() and p.parts[len(folder.parts)] in ("_commits",)
    ]
    published += [p for p in everything if p.is_file() and p.parts[len(folder.parts)][:4] == "run-"]
    missed = []
    for what, undo in itertools.islice(
        rot.damages(folder, published, random.Random(SEED)), effort(1000)
    ):
        if not open_store(str(fast)).step(story.STEP).verify():
            missed.append(what)
        undo()

    assert missed == []
    assert step.verify() == ()


# -- somebody else acts in between --------------------------------------------------------------


def _run_or_cancel(root: Path, disk: Disk, number: int, trigger: str, acked: set[str]) -> None:
    step, name = story.open_step(root, disk), story.run_id(number)
    try:
        story.whole_run(step, disk, name, acked.add, trigger)
    except AlreadyPublishedError:
        step.write_record(story.record(name, "cancelled"))


def _two_runs(root: Path, at: int, other: str) -> tuple[HookDisk, set[str]]:
    acked: set[str] = set()

    def hook() -> None:
        if other == "recovery":
            open_store(str(root)).step(story.STEP).recover(full=True)
        else:
            trigger = "trigger" if other == "same trigger" else "another"
            _run_or_cancel(root, Disk(threads=1), 2, trigger, acked)

    disk = HookDisk(at, hook)
    _run_or_cancel(root, disk, 1, "trigger", acked)
    return disk, acked


@pytest.mark.parametrize("other", ["same trigger", "another trigger", "recovery"])
def test_interleaved_at_any_operation_two_processes_keep_every_promise(fast, other):
    last = _two_runs(fast / "0", 0, other)[0].count
    problems = {}
    for at in range(1, last + 1):
        root = fast / str(at)
        _, acked = _two_runs(root, at, other)
        story.open_step(root).recover()
        lines = violations(story.step_folder(root), acked=acked, recovered=True)
        expected = {"same trigger": 1, "another trigger": 2, "recovery": 1}[other]
        if lines or len(acked) != expected:
            problems[at] = (acked, lines)
        shutil.rmtree(root)

    assert problems == {}


# -- the harnesses find what they are for: a protocol with one part taken out is caught -----------


class NoFileSync(power.TraceDisk):
    def sync_fd(self, path, fd):
        pass


class NoFolderSync(power.TraceDisk):
    def _sync_folder_fd(self, path, fd):
        pass


def _skipping(name: str, part: str) -> type[power.TraceDisk]:
    """Return a disk that does not sync folders, or files, whose path has ``part`` in it."""

    class Skipping(power.TraceDisk):
        def sync_fd(self, path, fd):
            if name != "file" or part not in path:
                super().sync_fd(path, fd)

        def _sync_folder_fd(self, path, fd):
            if name != "folder" or not path.endswith(part):
                super()._sync_folder_fd(path, fd)

    return Skipping


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(NoFileSync, id="no file is synced"),
        pytest.param(NoFolderSync, id="no folder is synced"),
        pytest.param(_skipping("file", ".parquet"), id="data is not synced"),
        pytest.param(_skipping("file", "_open/tmp"), id="log entries are not synced"),
        pytest.param(_skipping("file", "_CLAIM"), id="claims are not synced"),
        pytest.param(_skipping("folder", "/_commits"), id="the log's folder is not synced"),
        pytest.param(_skipping("folder", "/eval_many"), id="entity folders are not synced"),
        pytest.param(_skipping("folder", "/_manifests"), id="the manifests' folder is not synced"),
        pytest.param(_skipping("folder", "/zone/step"), id="the step's folder is not synced"),
        pytest.param(_skipping("folder", "/_open"), id="marks are not synced"),
    ],
)
def test_a_missing_sync_is_found(fast, mutant):
    _, found = power.explore(fast / "x", "run", seed=SEED, limit=100, disk_class=mutant)

    assert found


def test_a_log_entry_that_replaces_another_is_found(fast, monkeypatch):
    def link_new(self, source, target):
        self.rename(source, target)
        return True

    def never(self, path):
        return False if path.startswith("_commits") else original(self, path)

    backend = type(story.open_step(fast)._place.backend)
    original = backend.exists
    last = _two_runs(fast / "0", 0, "another trigger")[0].count
    monkeypatch.setattr(HookDisk, "link_new", link_new)
    found = []
    for at in range(1, last + 1):
        _, acked = _two_runs(fast / str(at), at, "another trigger")
        found += violations(story.step_folder(fast / str(at)), acked=acked, recovered=False)

    assert any(line.startswith("I4") for line in found)


def test_a_reader_that_checks_no_digest_is_found(fast, monkeypatch):
    step = story.open_step(fast)
    story.whole_run(step, Disk(), story.run_id(1), lambda _: None, None)
    file = Path(step.entity_url(story.run_id(1), "lone")) / "part-00000.parquet"
    file.chmod(0o644)
    data = file.read_bytes()
    file.write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])
    assert step.verify()

    monkeypatch.setattr(type(step._reader), "_wrong_digests", lambda *_: iter(()))

    assert step.verify() == ()


class Overwriting(simulation.SimBlobs):
    """A store that ignores ``If-None-Match``."""

    def _create(self, key, data):
        self.objects[key] = data
        return True


def test_an_object_store_that_overwrites_is_found():
    assert simulation.explore(range(300), Overwriting)


def test_a_writer_that_does_not_look_for_its_trigger_is_found(monkeypatch):
    monkeypatch.setattr("sinara.store.writer.refuse_trigger", lambda *_: None)

    assert simulation.explore(range(300))


def test_a_writer_that_does_not_recognise_its_own_entry_is_found(monkeypatch):
    """A put that timed out, and was done, is found taken: by whom?"""
    monkeypatch.setattr(
        "sinara.store.objects.ObjectBackend._create",
        lambda self, key, data: self._again(lambda: self._blobs.create(key, data)),
    )
    monkeypatch.setattr(
        log_module.CommitLog,
        "_create",
        lambda self, sequence, body, original=log_module.CommitLog._create: original(
            self, sequence, {**body, "nonce": self._world.nonce()}
        ),
    )
    monkeypatch.setattr(RunWriter, "_is_published", lambda self, entry: False)
    monkeypatch.setattr(log_module, "_TRIES", 5)

    assert simulation.explore(range(300))


def test_run_ids_under_a_frozen_clock_never_meet():
    """F28: many processes, one moment."""
    reading, writing = os.pipe()
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            lines = "".join(f"{new_run_id()}\n" for _ in range(50))
            os.write(writing, lines.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = pipe.read().split()
    for _ in range(4):
        os.wait()

    assert len(set(names)) == 200
