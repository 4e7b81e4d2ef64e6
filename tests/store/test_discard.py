"""An output emptied for a second try: all of it, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinara.errors import BadNameError, OutputError, StoreError
from sinara.names import new_run_id
from sinara.store import open_store
from sinara.store.disk import Disk
from tests.store.harness import story

DATA = story.parquet(3)


@pytest.fixture
def writer(step):
    with step.claim(new_run_id()) as made:
        yield made


def write(writer, entity: str, name: str = "part-0.parquet") -> Path:
    """Write one file of an entity, and return the entity's folder."""
    folder = Path(writer.entity_url(entity))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(DATA)
    return folder


def test_all_of_an_output_goes_and_its_neighbours_stay(writer):
    folder = write(writer, "data", "year=2025/part-0.parquet")
    write(writer, "data", "_temporary/0/x")
    neighbours = [write(writer, "data2"), write(writer, "dat")]

    writer.discard("data")

    assert not folder.exists()
    assert [len(list(other.iterdir())) for other in neighbours] == [1, 1]


def test_what_is_written_afterwards_is_published_alone(writer):
    write(writer, "data", "part-0.parquet")
    writer.settle("data")
    writer.discard("data")
    folder = write(writer, "data", "part-1.parquet")

    writer.seal("data")
    commit = writer.commit(**story.ARGUMENTS)

    assert [path.name for path in folder.glob("part-*")] == ["part-1.parquet"]
    assert commit.entities["data"].files == 1


def test_a_lone_file_goes_and_nothing_at_all_is_no_error(writer):
    lone = Path(writer.entity_url("data"))
    lone.write_bytes(DATA)

    writer.discard("data")
    writer.discard("data")

    assert not lone.exists()


def test_links_are_removed_and_never_followed(writer, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    folder = write(writer, "data")
    (folder / "in").symlink_to(outside)
    (folder / "file").symlink_to(outside / "kept")
    Path(writer.entity_url("other")).symlink_to(outside)

    writer.discard("data")
    writer.discard("other")

    assert not folder.exists()
    assert not os.path.lexists(writer.entity_url("other"))
    assert (outside / "kept").read_text() == "kept"


def test_a_run_folder_that_became_a_link_is_not_followed(writer, tmp_path):
    run = Path(writer.url)
    moved = tmp_path / "moved"
    run.rename(moved)
    run.symlink_to(moved)
    (moved / "data").mkdir()
    (moved / "data" / "kept").write_text("kept")

    with pytest.raises(StoreError):
        writer.discard("data")

    assert (moved / "data" / "kept").exists()


def test_a_read_only_folder_is_emptied_too(writer):
    folder = write(writer, "data", "inner/part-0.parquet")
    (folder / "inner").chmod(0o500)

    writer.discard("data")

    assert not folder.exists()


def test_what_a_cut_off_settling_left_goes_too(writer):
    aside = Path(writer.url) / "_settling-data"
    aside.mkdir()
    (aside / "part-00000.parquet").write_bytes(DATA)

    writer.discard("data")

    assert not aside.exists()
    assert writer.settle("data") is None


def test_an_output_that_somebody_still_writes_to_is_told(root):
    class Busy(Disk):
        def point(self, op, path, call, *args):
            done = super().point(op, path, call, *args)
            if op == "rmdir" and path.endswith("/data"):
                Path(path).write_bytes(b"late")
            return done

    step = open_store(str(root), disk=Busy()).step(story.STEP)
    with step.claim(new_run_id()) as writer:
        write(writer, "data")

        with pytest.raises(OutputError, match="is still being written"):
            writer.discard("data")


def test_a_sealed_output_is_kept(writer):
    folder = write(writer, "data")
    writer.seal("data")

    with pytest.raises(StoreError, match="is kept"):
        writer.discard("data")

    assert (folder / "part-0.parquet").exists()


def test_a_published_run_is_kept(writer):
    folder = write(writer, "data")
    writer.seal("data")
    writer.commit(**story.ARGUMENTS)

    for entity in ("data", "other"):
        with pytest.raises(StoreError, match="is kept"):
            writer.discard(entity)

    assert (folder / "part-0.parquet").exists()


def test_a_draft_is_kept(step):
    with step.claim(new_run_id(), draft=True) as draft, pytest.raises(StoreError, match="is kept"):
        draft.discard("data")


def test_a_name_that_climbs_out_is_refused(writer):
    with pytest.raises(BadNameError):
        writer.discard("../other")


def test_a_temporary_entity_goes_with_all_its_files(root):
    step = open_store(str(root)).step(story.STEP)
    run_id = new_run_id()
    folder = Path(step.entity_url(run_id, "scratch"))
    folder.mkdir(parents=True)
    (folder / "x").write_text("x")

    step.discard_temporary(run_id, "scratch")
    step.discard_temporary(run_id, "never_there")

    assert not folder.exists()
    with pytest.raises(BadNameError):
        step.discard_temporary("../x", "scratch")
