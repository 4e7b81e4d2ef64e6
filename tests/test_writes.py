"""A file below an output can be written before the output's folder exists."""

# The calls of os and open() are what is tested:
# ruff: noqa: PTH102, PTH110, PTH112, PTH113, PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from sinara import writes

# Otherwise Python does not trace the audit hook, and it would count as never run.
writes._before.__cantrace__ = True  # type: ignore[attr-defined]

FRAME = pd.DataFrame({"a": [1, 2]})
POLARS = pl.DataFrame({"a": [1, 2]})
TABLE = pa.table({"a": [1, 2]})


@pytest.fixture(autouse=True)
def nothing_else_is_watched() -> Iterator[None]:
    """Forget the outputs of other tests: a process watches what it was told of to its end."""
    before, writes._outputs = writes._outputs, ()
    yield
    writes._outputs = before


@pytest.fixture
def output(tmp_path: Path) -> str:
    """An output that is watched; its run's folder is there, and nothing in it."""
    run = tmp_path / "run-25-01-01-000000"
    run.mkdir()
    writes.watch([str(run / "entity")])
    return str(run / "entity")


WRITERS: dict[str, Callable[[str], object]] = {
    "open": lambda url: Path(f"{url}/f").write_text("x"),
    "open, append": lambda url: open(f"{url}/f", "a").close(),
    "open, exclusive": lambda url: open(f"{url}/f", "xb").close(),
    "open, deep": lambda url: open(f"{url}/year=2025/f", "w").close(),
    "open, bytes": lambda url: open(os.fsencode(f"{url}/f"), "w").close(),
    "os.open": lambda url: os.close(os.open(f"{url}/f", os.O_CREAT | os.O_WRONLY)),
    "os.mkdir": lambda url: os.mkdir(f"{url}/f"),
    "shutil.copy": lambda url: shutil.copy(__file__, f"{url}/f"),
    "os.symlink": lambda url: os.symlink(__file__, f"{url}/f"),
    "numpy": lambda url: np.save(f"{url}/f.npy", np.zeros(2)),
    "sqlite": lambda url: sqlite3.connect(f"{url}/f").close(),
    "pandas parquet": lambda url: FRAME.to_parquet(f"{url}/f.parquet"),
    "pandas csv": lambda url: FRAME.to_csv(f"{url}/f.csv"),
    "pandas json": lambda url: FRAME.to_json(f"{url}/f.json"),
    "pandas pickle": lambda url: FRAME.to_pickle(f"{url}/f.pkl"),
    "pandas feather": lambda url: FRAME.to_feather(f"{url}/f.feather"),
    "pandas html": lambda url: FRAME.to_html(f"{url}/f.html"),
    "pandas path": lambda url: FRAME.to_parquet(Path(url) / "f.parquet"),
    "polars parquet": lambda url: POLARS.write_parquet(f"{url}/f.parquet"),
    "polars csv": lambda url: POLARS.write_csv(f"{url}/f.csv"),
    "polars ipc": lambda url: POLARS.write_ipc(f"{url}/f.arrow"),
    "polars ndjson": lambda url: POLARS.write_ndjson(f"{url}/f.ndjson"),
    "polars keyword": lambda url: POLARS.write_parquet(file=Path(url) / "f.parquet"),
    "polars lazy": lambda url: POLARS.lazy().sink_parquet(f"{url}/f.parquet"),
    "pyarrow table": lambda url: pq.write_table(TABLE, f"{url}/f.parquet"),
    "pyarrow writer": lambda url: pq.ParquetWriter(f"{url}/f.parquet", TABLE.schema).close(),
    "pyarrow csv": lambda url: pa.csv.write_csv(TABLE, f"{url}/f.csv"),
    "pyarrow feather": lambda url: pa.feather.write_feather(TABLE, f"{url}/f.feather"),
    "pyarrow ipc": lambda url: pa.ipc.new_file(f"{url}/f.arrow", TABLE.schema).close(),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_folder_of_a_file_is_made(output, write):
    write(output)

    assert os.path.isdir(output)
    assert len(os.listdir(output)) == 1


def test_a_file_is_moved_in(output, tmp_path):
    (tmp_path / "f").write_text("x")

    shutil.move(tmp_path / "f", f"{output}/f")

    assert os.listdir(output) == ["f"]


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(FRAME.to_parquet, id="pandas"),
        pytest.param(POLARS.write_parquet, id="polars"),
        pytest.param(lambda url: pq.write_table(TABLE, url), id="pyarrow"),
        pytest.param(lambda url: Path(url).write_text("x"), id="open"),
    ],
)
def test_a_bare_url_still_gets_one_file(output, write):
    write(output)

    assert os.path.isfile(output)


def test_a_folder_of_partitions_is_left_to_its_writer(output):
    FRAME.to_parquet(output, partition_cols=["a"])

    assert sorted(os.listdir(output)) == ["a=1", "a=2"]


def test_looking_for_a_file_makes_nothing(output):
    with pytest.raises(FileNotFoundError):
        open(f"{output}/f").close()
    with pytest.raises(FileNotFoundError):
        open(f"{output}/f", "r+").close()

    assert not os.path.exists(output)


@pytest.mark.parametrize("beside", ["entity2/f", "../other/f", "entity/../entity2/f", "entit/f"])
def test_nothing_is_made_beside_an_output(output, beside):
    with pytest.raises(FileNotFoundError):
        open(f"{os.path.dirname(output)}/{beside}", "w").close()


def test_a_relative_path_below_an_output_counts(output, monkeypatch):
    monkeypatch.chdir(os.path.dirname(output))

    Path("entity/f").write_text("x")

    assert os.listdir(output) == ["f"]


def test_a_file_where_the_folder_should_be_is_the_writers_own_error(output):
    Path(output).write_text("x")

    with pytest.raises(NotADirectoryError):
        open(f"{output}/f", "w").close()


def test_remote_outputs_are_passed_over():
    writes.watch(["s3://bucket/run/entity"])

    assert writes._outputs == ()


def test_an_output_is_watched_once(output):
    writes.watch([output, output])

    assert writes._outputs == (output,)


def in_a_new_process(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_libraries_that_are_imported_later_are_served_too(tmp_path):
    in_a_new_process(
        """
import sys
from sinara import writes
writes.watch([f"{sys.argv[1]}/{name}" for name in "abc"])
import pandas, polars
pandas.DataFrame({"a": [1]}).to_parquet(f"{sys.argv[1]}/a/f.parquet")
polars.DataFrame({"a": [1]}).write_parquet(f"{sys.argv[1]}/b/f.parquet")
import pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), f"{sys.argv[1]}/c/f.parquet")
""",
        str(tmp_path),
    )

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_library_of_another_version_is_left_alone(tmp_path, output, monkeypatch):
    """Wrapped names that are not there, or cannot be replaced, are passed over."""
    for package, module, source in (
        ("xgboost", "core", "Booster = 3\nx = 4\n"),
        ("h5py", "_hl", "__path__ = []"),  # a package without the module that is looked for
        ("lightgbm", "basic", "class Booster:\n    save_model = 'not to be called'\n"),
        ("torch", "serialization", "import os\ndef save(o, f):\n    open(f, 'x').close()\n"),
    ):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / module).with_suffix(".py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    modules = [
        importlib.import_module(name)
        for name in ("xgboost.core", "lightgbm.basic", "torch.serialization")
    ]
    with pytest.raises(ImportError):
        importlib.import_module("h5py._hl.files")
    modules[2].save({}, f"{output}/model.pt")

    assert (modules[0].Booster, modules[0].x) == (3, 4)
    assert modules[1].Booster.save_model == "not to be called"
    assert os.listdir(output) == ["model.pt"]
    for name in list(sys.modules):
        if name.partition(".")[0] in {"xgboost", "h5py", "lightgbm", "torch"}:
            del sys.modules[name]


def test_what_cannot_be_replaced_is_left_alone():
    class Sealed:
        __slots__ = ()

        def exec_module(self, module: object) -> None:
            """Do as a loader does."""

    writes._wrap_loader(Sealed())
    writes._wrap_loader(None)
    writes._wrap(int, "from_bytes")

    assert int.from_bytes(b"\x01", "big") == 1


class Odd(os.PathLike[str]):
    def __fspath__(self) -> str:
        raise TypeError


@pytest.mark.parametrize("path", ["s3://bucket/f", "a\0b", 3, None, b"\xff/f", Odd()])
def test_what_is_no_local_path_is_left_alone(output, path):
    writes.make_parents(path)

    assert not os.path.exists(output)


def test_without_outputs_nothing_is_installed():
    printed = in_a_new_process(
        """
import sys
before = list(sys.meta_path)
from sinara import writes
writes.watch([])
writes.watch(["s3://bucket/entity"])
print(sys.meta_path == before, "pandas" in sys.modules)
"""
    )

    assert printed == "True False\n"
