"""substep.read and substep.write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinara.errors import StoreError, UsageError
from sinara.substep import ENTITY_NAME, STEP_NAME, NotebookSubstep, UnknownEntityError, tables
from sinara.substep import batches as batching
from sinara.substep.tables import read_table, write_table

TABLE = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})


def batches() -> Iterator[pa.RecordBatch]:
    yield from TABLE.to_batches(max_chunksize=1)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(lambda: TABLE, id="table"),
        pytest.param(lambda: TABLE.to_batches()[0], id="batch"),
        pytest.param(lambda: TABLE.to_reader(1), id="reader"),
        pytest.param(batches, id="generator"),
        pytest.param(lambda: [TABLE.slice(0, 1), TABLE.slice(1)], id="list of tables"),
        pytest.param(lambda: TABLE.to_pandas(), id="pandas"),
        pytest.param(lambda: pl.from_arrow(TABLE), id="polars"),
        pytest.param(lambda: pl.from_arrow(TABLE).lazy(), id="polars, lazy"),
        pytest.param(
            lambda: duckdb.sql("FROM values (1, 'x'), (2, NULL), (3, 'z') t(a, b)"), id="duckdb"
        ),
    ],
)
def test_every_kind_of_table_can_be_written(tmp_path, table):
    rows = write_table(str(tmp_path / "e"), table(), {})

    assert rows == 3
    assert pl.read_parquet(tmp_path / "e").to_dict(as_series=False) == TABLE.to_pydict()


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("pandas", pd.DataFrame),
        ("polars", pl.DataFrame),
        ("arrow", pa.Table),
        ("batches", pa.RecordBatchReader),
    ],
)
def test_every_kind_of_table_can_be_read(tmp_path, form, kind):
    write_table(str(tmp_path / "e"), TABLE, {})

    read = read_table(str(tmp_path / "e"), form, ["b"], {})

    assert isinstance(read, kind)
    names = read.schema.names if form in ("arrow", "batches") else list(read.columns)
    assert names == ["b"]


def test_a_pandas_index_comes_back(tmp_path):
    frame = pd.DataFrame({"a": [1.5]}, index=pd.Index(["k"], name="key"))

    write_table(str(tmp_path / "e"), frame, {})

    pd.testing.assert_frame_equal(read_table(str(tmp_path / "e"), "pandas", None, {}), frame)


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    assert write_table(str(tmp_path / "e"), TABLE.slice(0, 0), {}) == 0

    assert read_table(str(tmp_path / "e"), "arrow", None, {}).schema.names == ["a", "b"]


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8))
def test_rows_keep_their_order_however_they_are_cut(tmp_path_factory, sizes):
    url = str(tmp_path_factory.mktemp("t") / "e")
    column = iter(range(sum(sizes)))
    parts = [pa.table({"n": pa.array([next(column) for _ in range(n)], pa.int64())}) for n in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "PART_BYTES", 200)
        patch.setattr(batching, "GROUP_BYTES", 80)

        rows = write_table(url, parts, {})

    assert rows == sum(sizes)
    assert read_table(url, "arrow", None, {})["n"].to_pylist() == list(range(sum(sizes)))


def test_large_tables_are_cut_into_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_BYTES", 8_000)
    monkeypatch.setattr(batching, "GROUP_BYTES", 4_000)

    write_table(str(tmp_path / "e"), pa.table({"n": range(4_000)}), {})

    parts = sorted(path.name for path in (tmp_path / "e").iterdir())
    assert parts == [f"part-{n:05d}.parquet" for n in range(4)]
    assert pq.ParquetFile(tmp_path / "e" / parts[0]).num_row_groups == 2


def test_a_second_write_replaces_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_BYTES", 1)
    monkeypatch.setattr(batching, "GROUP_ROWS", 1)
    write_table(str(tmp_path / "e"), TABLE, {})

    write_table(str(tmp_path / "e"), TABLE.slice(0, 1), {})

    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    assert read_table(str(tmp_path / "e"), "arrow", None, {}).num_rows == 1


def test_a_lone_file_is_replaced_too(tmp_path):
    (tmp_path / "e").write_text("of another writer")

    write_table(str(tmp_path / "e"), TABLE, {})

    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    assert read_table(str(tmp_path / "e"), "arrow", None, {}) == TABLE


def failing() -> Iterator[pa.RecordBatch]:
    yield from batches()
    raise RuntimeError("the source dried up")


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    write_table(str(tmp_path / "e"), TABLE, {})

    with pytest.raises(RuntimeError, match="dried up"):
        write_table(str(tmp_path / "e"), failing(), {})

    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    assert read_table(str(tmp_path / "e"), "arrow", None, {}) == TABLE


def test_a_write_that_cannot_be_put_in_place_leaves_what_was_there(tmp_path, monkeypatch):
    """The disk may refuse at the last moment."""
    write_table(str(tmp_path / "e"), TABLE, {})
    rename = Path.rename

    def refuse(self, target):
        if self.name.endswith(".new"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="Input/output"):
        write_table(str(tmp_path / "e"), TABLE.slice(0, 1), {})

    assert [path.name for path in tmp_path.iterdir()] == ["e"]
    assert read_table(str(tmp_path / "e"), "arrow", None, {}) == TABLE


@pytest.mark.parametrize("table", [1, "text", {"a": [1]}, b"bytes", None, [1, 2]])
def test_what_is_no_table_is_refused(tmp_path, table):
    with pytest.raises(UsageError, match="is no table"):
        write_table(str(tmp_path / "e"), table, {})

    assert list(tmp_path.iterdir()) == []


def test_no_batch_at_all_is_refused(tmp_path):
    with pytest.raises(UsageError, match="nothing tells the columns"):
        write_table(str(tmp_path / "e"), iter([]), {})


def test_batches_of_different_columns_are_refused(tmp_path):
    with pytest.raises(StoreError, match=r"columns \(a int64\), the first one had \(a string\)"):
        write_table(str(tmp_path / "e"), [pa.table({"a": ["x"]}), pa.table({"a": [1]})], {})

    assert list(tmp_path.iterdir()) == []


def test_an_entity_that_is_no_table_says_so(tmp_path):
    (tmp_path / "e").mkdir()
    with pytest.raises(UsageError, match="it holds no file"):
        read_table(str(tmp_path / "e"), "pandas", None, {})
    (tmp_path / "e" / "a.csv").write_text("a,b\n")

    with pytest.raises(UsageError, match="cannot be read as a parquet table"):
        read_table(str(tmp_path / "e"), "pandas", None, {})


@pytest.mark.parametrize(
    ("form", "columns", "message"),
    [("panda", None, "Did you mean 'pandas'"), ("arrow", ["c"], "no column 'c'; it has a, b")],
)
def test_a_wrong_question_is_answered_with_what_there_is(tmp_path, form, columns, message):
    write_table(str(tmp_path / "e"), TABLE, {})

    with pytest.raises(UsageError, match=message):
        read_table(str(tmp_path / "e"), form, columns, {})


def test_memory_does_not_grow_with_the_number_of_batches(tmp_path):
    """A gigabyte passes through a process that is allowed a good half of it."""
    script = """
import resource, sys, pyarrow as pa
from sinara.substep.tables import read_table, write_table
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
column = pa.array(range(1_000_000), pa.int64())
batch = pa.record_batch({name: column for name in "abcdefgh"})
assert write_table(sys.argv[1], (batch for _ in range(16)), {}) == 16_000_000
assert sum(b.num_rows for b in read_table(sys.argv[1], "batches", ["a", "b"], {})) == 16_000_000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "e")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) < 600  # MB


# -- through the substep ---------------------------------------------------------------------


def test_a_declared_input_is_read_by_its_name(job, publish):
    commit = publish("prep", "labels", "rows")
    job()
    substep = NotebookSubstep()
    substep.interface(
        inputs=[{STEP_NAME: "prep", ENTITY_NAME: name} for name in ("labels", "rows")]
    )

    assert substep.read("rows")["run"].tolist() == [commit.run_id]
    assert substep.read("rows", "prep", as_="polars").shape == (1, 1)


def test_an_input_of_two_steps_has_to_be_named_with_its_step(job, publish):
    publish("prep", "rows")
    other = publish("load", "rows")
    job()
    substep = NotebookSubstep()
    substep.interface(inputs=[{STEP_NAME: step, ENTITY_NAME: "rows"} for step in ("prep", "load")])

    with pytest.raises(UsageError, match="Several steps have an input 'rows': prep, load"):
        substep.read("rows")
    assert substep.read("rows", step_name="load")["run"].tolist() == [other.run_id]


def test_an_input_that_is_not_declared_is_answered_with_the_nearest_name(job, publish):
    publish("prep", "rows")
    job()
    substep = NotebookSubstep()
    substep.interface(inputs=[{STEP_NAME: "prep", ENTITY_NAME: "rows"}])

    with pytest.raises(UsageError, match=r"No input 'row' is declared; there is rows\. Did"):
        substep.read("row")
    with pytest.raises(UsageError, match="No input 'rows' from step 'load' is declared"):
        substep.read("rows", "load")


def test_a_declared_output_is_written_and_every_engine_reads_its_url(job):
    job()
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "model"}])

    url = substep.write("model", TABLE)

    assert url == substep.outputs().model
    assert pd.read_parquet(url)["a"].tolist() == [1, 2, 3]
    assert pyarrow.dataset.dataset(url).to_table() == TABLE
    with pytest.raises(UnknownEntityError):
        substep.write("modle", TABLE)


# -- on an object store ----------------------------------------------------------------------


def test_an_object_store_is_written_and_read(bucket, monkeypatch):
    url = "s3://bucket/run/e"
    write_table(url, TABLE, bucket)

    write_table(url, TABLE.slice(0, 1), bucket)
    monkeypatch.setattr(tables, "PART_BYTES", 1)
    monkeypatch.setattr(batching, "GROUP_ROWS", 1)
    with pytest.raises(RuntimeError, match="dried up"):
        write_table(url, failing(), bucket)

    assert read_table(url, "arrow", None, bucket) == TABLE.slice(0, 1)
    assert [b.num_rows for b in read_table(url, "batches", ["a"], bucket)] == [1]
