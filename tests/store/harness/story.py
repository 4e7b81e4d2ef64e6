"""What a process does with a store, told once and broken everywhere."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sinara.errors import StoreError
from sinara.names import StepName
from sinara.record import RunRecord
from sinara.store import open_store
from sinara.store.disk import Disk, write_all
from sinara.store.step import StepStore
from sinara.store.world import World
from sinara.store.writer import RunWriter

STEP = StepName("test", "pipe", "zone", "step")
ARGUMENTS = {"inputs": {}, "code": {"commit": "0"}, "params_sha256": "", "substeps": ["a.ipynb"]}
Ack = Callable[[str], None]


@functools.lru_cache(maxsize=8)
def parquet(rows: int) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table({"number": list(range(rows))}), file)
    return file.getvalue()


def tomorrow() -> datetime:
    """Return a time at which every file is old: what a story does never depends on haste."""
    return datetime.now(UTC) + timedelta(days=1)


def step_folder(root: Path) -> Path:
    return root / STEP.path


def open_step(root: Path, disk: Disk | None = None, world: World | None = None) -> StepStore:
    return open_store(
        str(root), disk=disk or Disk(threads=1), world=world or World(clock=tomorrow)
    ).step(STEP)


def run_id(number: int) -> str:
    return f"run-25-01-01-00{number // 60:02d}{number % 60:02d}-000000-0000000{number % 10}"


def record(name: str, status: str = "running") -> RunRecord:
    return RunRecord(name, "test", "pipe", "zone", "step", status, "2025-01-01T00:00:00+00:00")


def user_write(disk: Disk, path: str, data: bytes, *, folder: bool = False) -> None:
    """Write as a notebook does: without a sync, through the fault points all the same."""
    if folder and not Path(path).parent.exists():
        disk.point("mkdir", str(Path(path).parent), os.mkdir, str(Path(path).parent))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    fd = disk.point("create", path, os.open, path, flags, 0o666)
    try:
        disk.point("write", path, write_all, fd, data)
    finally:
        os.close(fd)


def notebook(writes: Callable[[], None]) -> None:
    """Run what a notebook does; the error that it meets is the cell's, and the run's."""
    try:
        writes()
    except OSError as error:
        raise StoreError(f"a cell failed: {error}") from error


def fill(disk: Disk, writer: RunWriter) -> None:
    """Write two entities, as pandas (one file) and as Spark (a folder with litter)."""
    user_write(disk, writer.entity_url("lone"), parquet(3))
    many = writer.entity_url("eval.many")
    user_write(disk, f"{many}/part-0.parquet", parquet(5), folder=True)
    user_write(disk, f"{many}/part-1.parquet", parquet(7), folder=True)
    user_write(disk, f"{many}/.part-1.parquet.crc", b"crc", folder=True)


def whole_run(step: StepStore, disk: Disk, name: str, ack: Ack, trigger: str | None) -> None:
    """Run once, from its claim to its record."""
    step.recover()
    step.write_record(record(name))
    with step.claim(name, trigger_key=trigger) as writer:
        notebook(lambda: fill(disk, writer))
        writer.settle("lone")
        writer.settle("eval.many")
        writer.add_files("reports.a.ipynb", {"report.html": b"<p>done</p>"})
        for entity in ("lone", "eval.many", "reports.a.ipynb"):
            writer.seal(entity)
        writer.commit(**ARGUMENTS)
        ack(name)
    step.write_record(record(name, "succeeded"))
    step.add_note(name, "tag", {"tag": name})


def snapshots(step: StepStore, disk: Disk, name: str, ack: Ack) -> None:
    """Work by hand: a draft, and four snapshots of it, so that old ones are taken back."""
    with step.claim(name, draft=True) as draft:
        folder = draft.entity_url("hand")
        for number in range(4):
            path, data = f"{folder}/part-{number}.parquet", parquet(number + 1)
            notebook(functools.partial(user_write, disk, path, data, folder=True))
            commit = draft.snapshot(["hand"], **ARGUMENTS)
            assert commit is not None
            if number == 3:
                ack(commit.run_id)


def take_back(step: StepStore, disk: Disk, name: str, ack: Ack) -> None:
    """Delete a published run."""
    step.tombstone(name, "too old")
