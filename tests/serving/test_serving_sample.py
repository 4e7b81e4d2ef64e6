"""What a sample says about the input of a model, and what it refuses."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sinara.errors import UsageError
from sinara.serving.sample import MOST_ROWS, read_sample
from sinara.serving.shipped.sinara_served import as_input, as_json

FRAME = pd.DataFrame(
    {
        "size (cm)": [1.5, None],
        "count": [1, 2],
        "name": ["a", "b"],
        "is big": [True, False],
        "seen": pd.to_datetime(["2026-01-01T00:00:00", "2026-01-02T03:04:05"]),
        "day": [datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)],
        "kind": pd.Categorical(["x", "y"], categories=["x", "y", "z"]),
        "whole": pd.array([1, None], dtype="Int64"),
    }
)


def test_a_frame_gives_a_type_to_each_column():
    found = read_sample(FRAME)

    types = {c["name"]: (c["type"], c["nullable"]) for c in found.input["columns"]}
    assert types == {
        "size (cm)": ("number", True),
        "count": ("integer", False),
        "name": ("string", False),
        "is big": ("boolean", False),
        "seen": ("timestamp", False),
        "day": ("date", False),
        "kind": ("string", False),
        "whole": ("integer", True),
    }


def test_its_rows_are_json_and_come_back_with_the_same_types():
    found = read_sample(FRAME)

    assert found.rows[1]["size (cm)"] is None
    assert found.rows[1]["seen"] == "2026-01-02T03:04:05"
    pd.testing.assert_frame_equal(as_input({"input": found.input}, found.rows), FRAME)


def test_times_of_a_zone_whose_hours_change_come_back():
    seen = pd.to_datetime(pd.Series(["2026-01-01", "2026-07-01"])).dt.tz_localize("Europe/Riga")
    frame = pd.DataFrame({"seen": seen})

    found = read_sample(frame)

    pd.testing.assert_frame_equal(as_input({"input": found.input}, found.rows), frame)


def test_columns_of_arrow_come_back_as_such_and_need_it():
    frame = FRAME.drop(columns=["kind", "day", "name"]).convert_dtypes(dtype_backend="pyarrow")

    found = read_sample(frame)

    pd.testing.assert_frame_equal(as_input({"input": found.input}, found.rows), frame)
    assert "pyarrow" in found.modules


def test_columns_can_be_made_optional():
    found = read_sample(FRAME, optional=["count"])

    assert next(c for c in found.input["columns"] if c["name"] == "count")["nullable"]
    table = as_input({"input": found.input}, [{"name": "a"}, {"name": "b", "count": 3}])
    assert table["count"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "make", [pa.Table.from_pandas, lambda frame: frame], ids=["arrow", "pandas"]
)
def test_only_the_first_rows_are_kept(make):
    found = read_sample(make(pd.DataFrame({"x": range(1000)})))

    assert len(found.rows) == MOST_ROWS


def test_polars_is_a_table_too():
    import polars as pl

    found = read_sample(pl.DataFrame({"x": [1, 2]}))

    assert found.rows == ({"x": 1}, {"x": 2})


def test_an_entity_is_read_by_its_url(tmp_path):
    pd.DataFrame({"x": [1.0, 2.0]}).to_parquet(tmp_path / "part-0.parquet")

    assert read_sample(str(tmp_path)).rows == ({"x": 1.0}, {"x": 2.0})


def test_an_array_keeps_its_shape_and_type():
    found = read_sample(np.ones((3, 2, 2), dtype="float32"))

    assert found.input == {"kind": "array", "dtype": "float32", "shape": [2, 2]}
    assert as_input({"input": found.input}, found.rows).shape == (3, 2, 2)


def test_a_row_of_another_shape_is_refused():
    found = read_sample(np.ones((3, 2)))

    with pytest.raises(ValueError, match="shape"):
        as_input({"input": found.input}, [[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    ("texts", "kind"), [(["a", "b"], "string"), ([1, 2.5], "number"), (pd.Series(["a"]), "string")]
)
def test_a_list_of_single_values_is_an_input(texts, kind):
    assert read_sample(texts).input == {"kind": "list", "type": kind}


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        (pd.DataFrame({"x": []}), "no rows"),
        (pd.DataFrame({1: [2]}), "have to be texts"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "each once"),
        (pd.DataFrame({"x": [1 + 2j]}), "'x'"),
        (pd.DataFrame({"x": [b"1"]}), "'x'"),
        (pd.DataFrame({"x": [None]}), "is empty"),
        (np.array([np.nan]), "NaN"),
        (np.float64(3), "array of float64"),
        (["a", 1], "a list of"),
        ([{"x": 1}], "a list of"),
        (object(), "of type object"),
    ],
)
def test_what_is_no_sample_is_told_in_one_line(sample, told):
    with pytest.raises(UsageError) as caught:
        read_sample(sample)

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_optional_column_is_told():
    with pytest.raises(UsageError, match="'cuont'"):
        read_sample(FRAME, optional=["cuont"])


def test_predictions_become_json():
    assert as_json(np.array([1.5, np.nan, np.inf])) == [1.5, None, None]
    assert as_json(pd.DataFrame({"p": [1.0], "q": ["a"]})) == [{"p": 1.0, "q": "a"}]
    assert as_json((np.int64(3), {"a": np.float32(0.5)})) == [3, {"a": 0.5}]
