"""Every hostile archive of the corpus is refused, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinara.archive import SinaraArchive
from sinara.errors import ArchiveError
from sinara.extract import extract
from tests.hostile_archives import CORPUS, NAIVE, SMALL, Hostile

ESCAPING = [case for case in CORPUS if case.escapes]


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with a place to unpack to, two levels down, and one to reach for."""
    (tmp_path / "in" / "side").mkdir(parents=True)
    (tmp_path / "in" / "outside").mkdir()
    return tmp_path


def built(case: Hostile, world: Path) -> Path:
    path = world / f"archive.{case.kind}"
    case.build(path, world / "in" / "outside")
    return path


def unpack(case: Hostile, path: Path, dest: Path) -> None:
    if case.kind == "parquet":
        SinaraArchive(limits=SMALL).unpack_files_from_store_to_tmp(path, dest)
    else:
        extract(path, dest, limits=SMALL)


def test_the_corpus_is_large_and_no_archive_is_there_twice():
    assert len(CORPUS) >= 60
    assert len({case.name for case in CORPUS}) == len(CORPUS)
    assert len(ESCAPING) >= 15


@pytest.mark.parametrize("case", ESCAPING, ids=lambda case: case.name)
def test_a_naive_extraction_writes_outside(case: Hostile, world: Path):
    path = built(case, world)
    dest = world / "in" / "dest"
    dest.mkdir()
    before = set(snapshot(world))

    NAIVE[case.kind](path, dest)

    dest_name = str(dest.relative_to(world))
    assert [name for name in set(snapshot(world)) - before if not name.startswith(dest_name)] or (
        (world / "in" / "outside" / "secret").stat().st_nlink > 1
        or (world / "in" / "outside" / "secret").read_bytes() != b"secret"
    )


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_it_is_refused_in_one_line_and_nothing_is_written(case: Hostile, world: Path):
    path = built(case, world)
    before = snapshot(world)

    with pytest.raises(ArchiveError) as caught:
        unpack(case, path, world / "in" / "dest")

    assert snapshot(world) == before
    assert len(str(caught.value).splitlines()) == 1
    assert case.says in str(caught.value)


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_a_folder_that_was_there_is_as_it_was(case: Hostile, world: Path):
    path = built(case, world)
    (world / "in" / "dest").mkdir()
    (world / "in" / "dest" / "good").write_bytes(b"mine")
    before = snapshot(world)

    with pytest.raises(ArchiveError):
        unpack(case, path, world / "in" / "dest")

    assert snapshot(world) == before
