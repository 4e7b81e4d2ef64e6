"""``SinaraSpark``: a real session, entities written and read by it; one line where it cannot be."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinara.archive import SinaraArchive
from sinara.errors import MissingExtraError, UsageError
from sinara.spark import SinaraSpark, _cores, _master, _memory

HAS_PYSPARK = importlib.util.find_spec("pyspark") is not None
needs_spark = pytest.mark.skipif(
    not HAS_PYSPARK or not shutil.which("java"),
    reason="needs Spark and Java: pip install 'sinara[spark]', apt install openjdk-17-jre-headless",
)


@pytest.mark.parametrize("size", [1, 2, -1, float("nan")])
def test_a_cluster_is_refused_in_one_clear_line(size: float):
    with pytest.raises(UsageError, match="Spark runs on this machine only") as caught:
        SinaraSpark.run_session(clusterSize=size)

    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("size", "cores", "master"),
    [(0, "6", "local[6]"), (0.5, "6", "local[3]"), (0.01, "6", "local[1]")],
)
def test_the_size_counts_in_the_cores_that_the_server_gives(
    monkeypatch: pytest.MonkeyPatch, size: float, cores: str, master: str
):
    monkeypatch.setenv("SINARA_SERVER_CORES", cores)

    assert _master(size) == master


def test_without_a_server_the_cores_and_half_the_memory_of_this_machine_count():
    assert 1 <= _cores() <= (os.cpu_count() or 1)
    assert _memory() >= 1


def test_three_quarters_of_a_servers_memory_are_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SINARA_SERVER_MEMORY_LIMIT", str(8 << 30))

    assert _memory() == 6


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'sinara\[spark\]'"):
        SinaraSpark.run_session()


@pytest.mark.skipif(not HAS_PYSPARK, reason="needs pyspark: pip install 'sinara[spark]'")
def test_without_java_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(MissingExtraError, match=r"Java is not installed.*openjdk-17.*JAVA_HOME"):
        SinaraSpark.run_session()


def test_with_no_session_there_is_nothing_to_stop_and_no_address():
    SinaraSpark.stop_session()

    assert SinaraSpark.session_is_stopped()
    with pytest.raises(UsageError, match=r"No Spark session runs.*run_session"):
        SinaraSpark.ui_url()


def test_importing_it_is_light():
    program = "import sys, sinara.spark; print(sorted({'pyspark', 'pyarrow', 'IPython'} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


# -- with Spark ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spark")


@pytest.fixture
def job(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be the kernel of a run whose scratch folder is ``work/scratch``."""
    from sinara.context import CONTEXT_VARIABLE, RunContext, write_context

    context = RunContext(
        "run-25-01-01-000000",
        "user",
        "p",
        "zone",
        "s",
        "x.ipynb",
        str(work),
        work_path=str(work / "scratch"),
    )
    write_context(work / "context.json", context)
    monkeypatch.setenv(CONTEXT_VARIABLE, str(work / "context.json"))
    monkeypatch.setenv("SINARA_SERVER_MEMORY_LIMIT", str(2 << 30))
    monkeypatch.chdir(work)
    return work


@pytest.fixture(scope="module")
def stopped_at_the_end() -> Iterator[None]:
    yield
    SinaraSpark.stop_session()


@pytest.fixture
def spark(job: Path, stopped_at_the_end: None) -> Any:
    return SinaraSpark.run_session(app="tests", conf={"spark.sql.shuffle.partitions": "2"})


pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:pyspark", "ignore::ResourceWarning"
)


@needs_spark
def test_the_session_is_set_up_for_entities(spark: Any, job: Path):
    conf = spark.sparkContext.getConf()

    assert spark.sparkContext.master == f"local[{_cores()}]"
    assert spark.sparkContext.pythonExec == sys.executable
    assert conf.get("spark.sql.shuffle.partitions") == "2"
    assert conf.get("spark.sql.execution.arrow.pyspark.enabled") == "true"
    assert conf.get("spark.local.dir") == str(job / "scratch" / "spark")
    assert "PYSPARK_PYTHON" not in os.environ


@needs_spark
def test_the_same_session_is_given_again_and_another_one_for_other_words(spark: Any):
    again = SinaraSpark.run_session(app="tests", conf={"spark.sql.shuffle.partitions": "2"})
    assert again is spark

    other = SinaraSpark.run_session(app="other")

    assert other is not spark
    assert other.sparkContext.appName == "other"
    assert other.range(3).count() == 3


@needs_spark
def test_its_pages_listen_on_this_machine_only(spark: Any):
    url = SinaraSpark.ui_url()

    port = int(url.rpartition(":")[2])
    assert url == f"http://127.0.0.1:{port}"
    socket.create_connection(("127.0.0.1", port), timeout=10).close()
    with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
        socket.create_connection((_other_address(), port), timeout=10)


def _other_address() -> str:
    """Return an address of this machine that is not 127.0.0.1."""
    return "127.0.0.2" if sys.platform == "linux" else socket.gethostbyname(socket.gethostname())


@needs_spark
def test_what_it_writes_is_an_entity_and_what_others_wrote_it_reads(spark: Any, tmp_path: Path):
    import pyarrow.parquet as pq

    from sinara.names import StepName, new_run_id
    from sinara.store import open_store

    step = open_store(str(tmp_path / "root"), durability="fast").step(
        StepName("user", "p", "zone", "s")
    )
    writer = step.claim(new_run_id())
    url = writer.entity_url("numbers")

    spark.range(100).selectExpr("id", "id * 2 as twice").write.parquet(url)
    settled = writer.settle("numbers")
    sealed = writer.seal("numbers")
    commit = writer.commit(inputs={}, code={}, params_sha256="", substeps=[])
    writer.release()
    found = step.open(step.latest(["numbers"]), "numbers", verify="full")

    assert settled is not None
    assert sealed.rows == found.rows == 100
    assert commit.run_id in found.url
    assert pq.read_table(found.url)["twice"].to_pylist()[-1] >= 0
    assert spark.read.parquet(found.url).agg({"twice": "sum"}).first()[0] == 9900
    assert not [path for path in Path(found.url).iterdir() if path.name.endswith(".crc")]


@needs_spark
def test_its_workers_are_this_python(spark: Any):
    from pyspark.sql.functions import udf

    @udf("string")
    def executable(_: int) -> str:
        import sys

        return sys.executable

    assert spark.range(1).select(executable("id")).first()[0] == sys.executable


@needs_spark
def test_files_go_through_its_data_frames(spark: Any, job: Path, tmp_path: Path):
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "source" / "big").write_bytes(os.urandom((3 << 20) + 1))
    (tmp_path / "source" / "sub" / "small").write_bytes(b"small")
    archive = SinaraArchive(spark)

    frame = archive.pack_files_from_tmp_to_spark_df(str(tmp_path / "source"))
    archive.unpack_files_from_spark_df_to_tmp(frame.repartition(3), str(tmp_path / "back"))

    assert (tmp_path / "back" / "big").read_bytes() == (tmp_path / "source" / "big").read_bytes()
    assert (tmp_path / "back" / "sub" / "small").read_bytes() == b"small"
    assert "/sub/small" in [row.relPath for row in frame.select("relPath").collect()]


@needs_spark
def test_an_archive_that_spark_wrote_from_its_own_binary_files_is_read(spark: Any, tmp_path: Path):
    """The original's way of packing, with Spark's binaryFile source doing the work."""
    from pyspark.sql.functions import regexp_replace

    source = tmp_path / "source"
    (source / "big.parts").mkdir(parents=True)
    (source / "a.txt").write_bytes(b"a")
    for number in range(4):
        (source / "big.parts" / f"part-{number:04d}").write_bytes(bytes([number]) * 1000)
    (source / "big.parts" / "_PARTS").touch()
    frame = (
        spark.read.format("binaryFile")
        .option("recursiveFileLookup", "true")
        .load(f"file://{source}")
        .withColumn("relPath", regexp_replace("path", f"file:{source}", ""))
        .drop("path")
    )
    frame.repartition(15).write.option("parquet.block.size", 10 << 20).mode("overwrite").parquet(
        str(tmp_path / "store")
    )

    SinaraArchive().unpack_files_from_store_to_tmp(tmp_path / "store", tmp_path / "back")

    assert (tmp_path / "back" / "a.txt").read_bytes() == b"a"
    assert (tmp_path / "back" / "big").read_bytes() == b"".join(bytes([n]) * 1000 for n in range(4))


@needs_spark
def test_spark_reads_our_archive_in_the_columns_of_the_original(spark: Any, tmp_path: Path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.txt").write_bytes(b"abc")
    SinaraArchive().pack(tmp_path / "source", tmp_path / "store")

    frame = spark.read.parquet(str(tmp_path / "store"))

    assert frame.dtypes[:4] == [
        ("modificationTime", "timestamp"),
        ("length", "bigint"),
        ("content", "binary"),
        ("relPath", "string"),
    ]
    assert [(row.relPath, bytes(row.content)) for row in frame.collect()] == [("/a.txt", b"abc")]


@needs_spark
def test_a_setting_that_java_refuses_is_one_line(job: Path):
    SinaraSpark.stop_session()
    program = (
        "from sinara.spark import SinaraSpark\n"
        "from sinara.errors import UsageError\n"
        "try:\n"
        "    SinaraSpark.run_session(conf={'spark.driver.memory': 'none'})\n"
        "except UsageError as error:\n"
        "    print(str(error))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("Spark does not start: ")
    assert len(done.stdout.splitlines()) == 1
