"""What engines and people leave in an output folder becomes data, or one clear line."""

from __future__ import annotations

import contextlib
import os
import socket
import unicodedata
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.errors import OutputError, SinaraError
from sinara.names import new_run_id
from sinara.store.trees import bad_path, partitions
from tests.store.harness import story

DATA = story.parquet(3)


@pytest.fixture
def writer(step):
    with step.claim(new_run_id()) as made:
        yield made


@pytest.fixture
def folder(writer):
    """The folder of output "data", with one parquet file in it."""
    made = Path(writer.entity_url("data"))
    made.mkdir()
    (made / "part-0.parquet").write_bytes(DATA)
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_lone_parquet_file_becomes_a_folder(writer):
    pd.DataFrame({"a": [1, 2]}).to_parquet(writer.entity_url("data"))

    info = writer.settle("data")

    assert names(Path(info.url)) == ["part-00000.parquet"]
    assert (info.rows, info.files, info.columns) == (2, 1, (("a", "int64"),))


def test_a_lone_file_of_another_kind_becomes_data(writer):
    Path(writer.entity_url("data")).write_text("a,b\n1,2\n")

    info = writer.settle("data")

    assert names(Path(info.url)) == ["data"]
    assert (info.rows, info.columns) == (None, ())


def test_settling_again_changes_nothing(writer):
    Path(writer.entity_url("data")).write_bytes(DATA)

    assert writer.settle("data") == writer.settle("data")


def test_settling_that_was_cut_off_is_finished_by_the_next(writer):
    url = Path(writer.entity_url("data"))
    aside = url.with_name("_settling-data")
    aside.mkdir()
    (aside / "part-00000.parquet").write_bytes(DATA)

    assert writer.settle("data").rows == 3
    assert names(url) == ["part-00000.parquet"]
    assert not aside.exists()


def test_a_write_after_a_settling_that_was_cut_off_wins(writer):
    url = Path(writer.entity_url("data"))
    url.with_name("_settling-data").mkdir()
    url.write_bytes(story.parquet(9))

    assert writer.settle("data").rows == 9


def test_the_litter_of_spark_and_of_editors_goes(writer, folder):
    (folder / "_SUCCESS").write_text("spark says so")
    for name in (
        "._SUCCESS.crc",
        ".part-0.parquet.crc",
        "_committed_123",
        "_started_123",
        ".DS_Store",
        "notes.txt~",
    ):
        (folder / name).write_bytes(b"x")
    (folder / "_temporary" / "0").mkdir(parents=True)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "x.parquet").write_bytes(b"x")
    (folder / ".#lock").symlink_to("nobody@nowhere")

    info = writer.settle("data")

    assert info.files == 1
    assert names(folder) == ["part-0.parquet"]


def test_names_that_begin_with_an_underscore_can_be_data(writer, folder):
    (folder / "_delta_log").mkdir()
    (folder / "_delta_log" / "00.json").write_text("{}")
    (folder / "_metadata").write_bytes(b"x")

    assert writer.settle("data").files == 3


@pytest.mark.parametrize(
    "left",
    ["_temporary/0/task/part-1.parquet", ".part-0.inprogress.5", "a/x.inprogress", ".nfs0001"],
)
def test_a_write_that_did_not_finish_fails(writer, folder, left):
    (folder / left).parent.mkdir(parents=True, exist_ok=True)
    (folder / left).write_bytes(b"x")

    with pytest.raises(OutputError, match="left by a write that did not finish"):
        writer.settle("data")


def test_links_and_devices_are_refused_one_line_each(writer, folder):
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "folder-link").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    # a socket's path may be no longer than 107 bytes
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(folder):
        listening.bind("socket")

    with pytest.raises(OutputError) as refused:
        writer.settle("data")

    lines = "\n".join(sorted(refused.value.lines))
    assert len(refused.value.lines) == 4
    assert lines.count("is a symbolic link") == 2
    assert lines.count("is no regular file") == 2


def test_an_output_that_is_itself_a_link_is_refused(writer, tmp_path):
    (tmp_path / "mine.parquet").write_bytes(DATA)
    Path(writer.entity_url("data")).symlink_to(tmp_path / "mine.parquet")

    with pytest.raises(OutputError, match="'data' is a symbolic link"):
        writer.seal("data")


def test_a_file_that_has_a_second_name_is_refused(writer, folder, tmp_path):
    (tmp_path / "mine").write_bytes(b"x")
    os.link(tmp_path / "mine", folder / "mine")

    with pytest.raises(OutputError, match="'mine' is a hard link"):
        writer.settle("data")


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", DATA[:-1], DATA[:100], b"\0" * 500, b"PAR1" + b"\xff" * 50 + b"PAR1"]
)
def test_a_parquet_file_that_cannot_be_read_fails_and_is_named(writer, folder, content):
    (folder / "part-1.parquet").write_bytes(content)

    with pytest.raises(OutputError, match=r"'data': 'part-1.parquet' is no readable parquet file"):
        writer.settle("data")


def test_rows_and_columns_are_summed_over_all_parquet_files(writer, folder):
    pl.DataFrame({"number": [1], "extra": ["x"]}).write_parquet(folder / "part-1.parquet")

    info = writer.settle("data")

    assert info.rows == 4
    assert [name for name, _ in info.columns] == ["number", "extra"]


def test_the_keys_of_hive_partitions_are_columns(writer):
    frame = pd.DataFrame({"year": [2024, 2025], "value": [1.0, 2.0]})
    frame.to_parquet(writer.entity_url("data"), partition_cols=["year"])

    info = writer.settle("data")

    assert info.rows == 2
    assert ("year", "partition") in info.columns


def test_every_engine_reads_a_published_entity_by_its_url(step, writer, folder):
    writer.seal("data")
    commit = writer.commit(**story.ARGUMENTS)

    url = step.open(commit, "data").url

    assert pd.read_parquet(url)["number"].tolist() == [0, 1, 2]
    assert pl.read_parquet(url)["number"].to_list() == [0, 1, 2]
    assert pl.read_parquet(f"{url}/*.parquet").height == 3
    assert ds.dataset(url).count_rows() == 3
    assert duckdb.sql(f"select count(*) from read_parquet('{url}/*.parquet')").fetchall() == [(3,)]


# -- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "part-0.parquet",
        "year=2025/month=1/a.parquet",
        "Größe 1.csv",
        "数据.parquet",
        "_delta_log/0.json",
        "a+b,c(1)~@#%$!'.bin",
    ],
)
def test_ordinary_names_are_fine(path):
    assert bad_path(path) is None


@pytest.mark.parametrize(
    "path",
    [
        *("a*b", "a?b", "a[1]", "a:b", "a\\b", "a\nb", "a\0b", " a", "a ", "a.", "..", "a/../b"),
        *("a//b", "a/", "con\u202etxt", "\ud800", "x" * 256, "a/" * 600 + "a"),
        unicodedata.normalize("NFD", "é"),
    ],
)
def test_names_that_some_system_takes_amiss_are_refused(path):
    assert bad_path(path)


@given(st.text(max_size=40))
def test_a_name_that_passes_is_one_safe_relative_path(path):
    if path and bad_path(path) is None:
        parts = Path(path).parts
        assert "/".join(parts) == path
        assert not Path(path).is_absolute()
        assert ".." not in parts
        assert path.isprintable()
        assert not set('*?[]:"<>|\\') & set(path)


def test_partition_keys_come_in_their_order():
    assert partitions(["y=1/m=2/a", "y=2/m=1/b", "c/=x/d"]) == ("y", "m")


def test_a_folder_that_is_swapped_for_a_link_again_and_again_leads_nowhere(step, tmp_path):
    """T9: while runs are sealed, somebody swaps a folder of theirs for a link to outside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = outside / "part.bin"
    secret.write_bytes(b"secret" * 1000)
    secret.chmod(0o644)
    before = (secret.stat().st_mode, secret.stat().st_mtime_ns, sorted(outside.iterdir()))
    noticed = 0
    for _ in range(60):
        writer = step.claim(new_run_id())
        inner = Path(writer.entity_url("data")) / "inner"
        inner.mkdir(parents=True)
        (inner / "part.bin").write_bytes(b"mine")
        pid = os.fork()
        if pid == 0:
            _swap_forever(inner, outside)
        try:
            writer.seal("data")
            writer.commit(**story.ARGUMENTS)
        except SinaraError:  # whichever way it is noticed, it is an error of ours
            noticed += 1
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            writer.release()

    assert (secret.stat().st_mode, secret.stat().st_mtime_ns, sorted(outside.iterdir())) == before
    for commit in step.commits():
        manifest = step._reader.manifest(commit, "data")
        assert manifest.files.get("inner/part.bin", (4, ""))[0] == 4


def _swap_forever(inner: Path, outside: Path) -> None:
    aside = inner.with_name("aside")
    while True:
        try:
            inner.rename(aside)
            inner.symlink_to(outside)
            inner.unlink()
            aside.rename(inner)
        except OSError:
            os._exit(0)
