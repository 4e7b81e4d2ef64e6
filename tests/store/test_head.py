"""The first rows of an entity."""

from __future__ import annotations

import pandas as pd
import pytest

from sinara.errors import StoreError
from sinara.store.head import read_head


def test_only_as_many_rows_as_asked(tmp_path):
    pd.DataFrame({"x": range(10)}).to_parquet(tmp_path / "part-0.parquet")
    (tmp_path / "_SUCCESS").touch()

    assert read_head(str(tmp_path), 3).to_pylist() == [{"x": 0}, {"x": 1}, {"x": 2}]


def test_partitions_are_columns(tmp_path):
    pd.DataFrame({"x": [1, 2], "day": ["a", "b"]}).to_parquet(tmp_path, partition_cols=["day"])

    assert read_head(str(tmp_path), 1).to_pylist() == [{"x": 1, "day": "a"}]


def test_an_entity_without_parquet_says_so(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"x")

    with pytest.raises(StoreError, match="no parquet"):
        read_head(str(tmp_path), 1)


def test_a_broken_file_is_one_line(tmp_path):
    (tmp_path / "part-0.parquet").write_bytes(b"PAR1 not really")

    with pytest.raises(StoreError, match="cannot be read"):
        read_head(str(tmp_path), 1)
