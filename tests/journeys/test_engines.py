"""What one engine writes to an output, every other engine reads at the URL that a notebook gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.steps import cell, notebook, run_script, write_step

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROWS = [(1, "a"), (2, "a"), (3, "b"), (4, "c")]
SETUP = """\
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

frame = pd.DataFrame({"v": [1, 2, 3, 4], "g": ["a", "a", "b", "c"]})
table, lazy = pa.table({name: frame[name].tolist() for name in frame}), pl.from_pandas(frame).lazy()
outputs = substep.outputs()"""
# Output -> how it is written: one file at the URL, files below it, a folder per value of g.
# polars puts g into the files of a partitioned table, too, which pyarrow refuses to read.
WRITERS = {
    "pandas_file": "frame.to_parquet(outputs.pandas_file)",
    "pandas_folder": 'frame.to_parquet(f"{outputs.pandas_folder}/part.parquet")',
    "pandas_hive": 'frame.to_parquet(outputs.pandas_hive, partition_cols=["g"])',
    "polars_file": "lazy.collect().write_parquet(outputs.polars_file)",
    "polars_folder": 'lazy.collect().write_parquet(f"{outputs.polars_folder}/part.parquet")',
    "polars_sink": 'lazy.sink_parquet(f"{outputs.polars_sink}/part.parquet")',
    "arrow_file": "pq.write_table(table, outputs.arrow_file)",
    "arrow_folder": 'pq.write_table(table, f"{outputs.arrow_folder}/part.parquet")',
    "arrow_dataset": 'pa.dataset.write_dataset(table, outputs.arrow_dataset, format="parquet")',
    "arrow_hive": 'pq.write_to_dataset(table, outputs.arrow_hive, partition_cols=["g"])',
    "duckdb_file": "duckdb.sql(f\"copy frame to '{outputs.duckdb_file}' (format parquet)\")",
    "duckdb_hive": "duckdb.sql(f\"copy frame to '{outputs.duckdb_hive}' "
    '(format parquet, partition_by (g))")',
    "written": 'substep.write("written", lazy)',
}
FLAT = [name for name in WRITERS if not name.endswith("_hive")]


def run(folder: Path, outputs: list[str], *cells: str) -> dict[str, str]:
    """Run a step with one notebook; return output -> URL."""
    made = notebook(*map(cell, cells), outputs=[{"ENTITY_NAME": name} for name in outputs])
    done = run_script(write_step(folder, {"write.ipynb": made}))
    assert done.returncode == 0, done.stderr
    [record] = (folder.parent / "sinara_data").rglob("_runs/*/record.json")
    entities = json.loads(record.read_text())["substeps"][0]["outputs"]
    assert {entity["rows"] for entity in entities} == {len(ROWS)}
    return {entity["name"]: entity["url"] for entity in entities}


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every output of a run that wrote each in another way."""
    for engine in ("duckdb", "polars"):
        pytest.importorskip(engine, reason=f"needs: pip install {engine}")
    folder = tmp_path_factory.mktemp("engines") / "pipe-write"
    return run(folder, list(WRITERS), SETUP, *WRITERS.values())


def by_pandas(url: str) -> list[tuple[int, str]]:
    read = pd.read_parquet(url)
    return list(zip(read["v"], read["g"].astype(str), strict=True))


def by_polars(url: str) -> list[tuple[int, str]]:
    import polars

    return [tuple(row) for row in polars.read_parquet(url).select("v", "g").rows()]


def by_polars_lazily(url: str) -> list[tuple[int, str]]:
    import polars

    return [tuple(row) for row in polars.scan_parquet(url).select("v", "g").collect().rows()]


def by_arrow(url: str) -> list[tuple[int, str]]:
    import pyarrow.dataset

    read = pyarrow.dataset.dataset(url, partitioning="hive").to_table().to_pydict()
    return list(zip(read["v"], read["g"], strict=True))


def by_duckdb(url: str) -> list[tuple[int, str]]:
    import duckdb

    return duckdb.sql(f"select v, g from read_parquet('{url}')").fetchall()


def by_duckdb_files(url: str) -> list[tuple[int, str]]:
    return by_duckdb(f"{url}/*.parquet")


ENGINES = [by_pandas, by_polars, by_polars_lazily, by_arrow, by_duckdb]
Engine = Callable[[str], list[tuple[int, str]]]


@pytest.mark.parametrize("output", WRITERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_written_is_read_at_its_url(urls, engine: Engine, output: str):
    assert sorted(engine(urls[output])) == ROWS


@pytest.mark.parametrize("output", FLAT)
def test_a_tool_that_insists_on_files_gets_them(urls, output: str):
    assert sorted(by_duckdb_files(urls[output])) == ROWS


# -- Spark -----------------------------------------------------------------------------------

SPARK_SETUP = """\
from sinara.spark import SinaraSpark
spark = SinaraSpark.run_session()
frame = spark.createDataFrame([(1, "a"), (2, "a"), (3, "b"), (4, "c")], "v bigint, g string")
outputs = substep.outputs()"""
SPARK_WRITERS = {
    "spark": "frame.write.parquet(outputs.spark)",
    "spark_again": 'frame.write.parquet(outputs.spark_again, mode="overwrite")',
    "spark_hive": 'frame.write.partitionBy("g").parquet(outputs.spark_hive)',
}


leaves_sockets = pytest.mark.filterwarnings("ignore::ResourceWarning")  # py4j does


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A session in this process."""
    pytest.importorskip("pyspark", reason="needs: pip install 'sinara[spark]', and Java")
    from sinara.errors import MissingExtraError
    from sinara.spark import SinaraSpark

    try:
        yield SinaraSpark.run_session()
    except MissingExtraError as error:
        pytest.skip(str(error))
    SinaraSpark.stop_session()


@leaves_sockets
def test_what_any_engine_wrote_is_read_by_spark(urls, spark):
    for output, url in urls.items():
        read = spark.read.parquet(url).select("v", "g").collect()

        assert sorted((row["v"], row["g"]) for row in read) == ROWS, output


@leaves_sockets
def test_what_spark_wrote_is_read_by_every_engine(spark, tmp_path):
    pytest.importorskip("duckdb", reason="needs: pip install duckdb")
    pytest.importorskip("polars", reason="needs: pip install polars")
    urls = run(tmp_path / "pipe-write", list(SPARK_WRITERS), SPARK_SETUP, *SPARK_WRITERS.values())

    for output, url in urls.items():
        for engine in ENGINES:
            assert sorted(engine(url)) == ROWS, (output, engine.__name__)
