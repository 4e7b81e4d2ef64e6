"""A first contract, learned from data."""

from __future__ import annotations

import ast
import datetime as dt
import decimal

import hypothesis.strategies as st
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from sinara.contract import as_literal, read_contract
from sinara.contract.check import check_data, check_rows
from sinara.contract.files import open_table
from sinara.contract.learn import learn
from sinara.contract.told import literal_text
from tests.contract.tables import write

VALUES = {
    "int8": st.integers(-128, 127),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(st.characters(codec="utf-8"), max_size=5),
    "large_string": st.sampled_from(["a", "b", "c"]),
    "bool_": st.booleans(),
    "date32": st.dates(dt.date(1800, 1, 1), dt.date(2200, 1, 1)),
    "binary": st.binary(max_size=3),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Small tables of every type, with missing values, NaN, infinities, strange names."""
    rows = draw(st.integers(0, 30))
    names = draw(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
    columns = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(VALUES)))
        one = st.one_of(st.none(), VALUES[kind]) if draw(st.booleans()) else VALUES[kind]
        values = draw(st.lists(one, min_size=rows, max_size=rows))
        columns[name] = pa.array(values, getattr(pa, kind.replace("float", "float32") if kind == "float" else {"double": "float64"}.get(kind, kind))())  # fmt: skip
    return pa.table(columns)


def surrogate(name: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in name)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables().filter(lambda t: not any(map(surrogate, t.column_names))))
def test_data_keeps_the_contract_that_was_learned_from_it(tmp_path_factory, table):
    stored = open_table(str(write(tmp_path_factory.mktemp("e"), table)), {})

    learned = learn(stored)
    pasted, lines = read_contract(ast.literal_eval(f"{{{literal_text(learned)}}}")["contract"])

    assert lines == ()
    assert pasted == learned
    assert [r for r in check_data(learned, stored) if not r.kept] == []
    assert [r for r in check_rows(learned, table.num_rows, table.num_rows) if not r.kept] == []


def learned_from(folder, *parts) -> dict:
    return as_literal(learn(open_table(str(write(folder, *parts)), {})))


def test_what_is_learned_is_what_a_person_would_write(tmp_path):
    rows = 200
    part = {
        "id": [str(1000 + n) for n in range(rows)],
        "amount": [n * 4.13 for n in range(rows)],
        "change": [n - 87 for n in range(rows)],
        "kind": ["buy", "sell"] * (rows // 2),
        "note": [None if n % 7 == 0 else f"note {n}" for n in range(rows)],
        "at": [dt.datetime(2024, 1, 1)] * rows,
        "price": [decimal.Decimal("1.25")] * rows,
    }

    assert learned_from(tmp_path, part) == {
        "columns": {
            "id": {"type": "string", "null_share": 0},
            "amount": {"type": "double", "min": 0, "max": 830, "null_share": 0},
            "change": {"type": "int64", "min": -87, "max": 120, "null_share": 0},
            "kind": {"type": "string", "null_share": 0, "in": ["buy", "sell"]},
            "note": {"type": "string", "null_share": 0.15},
            "at": {"type": "timestamp[us]", "null_share": 0},
            "price": {"type": "decimal", "min": 0, "max": 1.3, "null_share": 0},
        },
        "key": ["id"],
        "rows": {"min": 1, "change": 0.1},
    }


def test_a_key_that_counts_up_has_no_largest_value(tmp_path):
    learned = learned_from(tmp_path, {"id": [1, 2, 3]})

    assert learned["columns"]["id"] == {"type": "int64", "min": 0, "null_share": 0}
    assert learned["key"] == ["id"]


def test_an_index_that_pandas_wrote_without_a_name_is_no_promise(tmp_path):
    pd.DataFrame({"x": [1, 2, 3]}, index=[0, 4, 9]).to_parquet(tmp_path / "part-0.parquet")
    stored = open_table(str(tmp_path), {})
    assert "__index_level_0__" in stored.columns

    assert list(as_literal(learn(stored))["columns"]) == ["x"]


def test_a_step_that_drops_a_fifth_of_its_rows_breaks_what_was_learned(tmp_path):
    learned = learn(open_table(str(write(tmp_path, {"x": list(range(100))})), {}))

    (broken,) = (r for r in check_rows(learned, 80, 100, "run-1") if not r.kept)

    assert broken.rule == "rows.change"
    assert broken.found == "-20 %: 100 rows in run-1, 80 now"


@pytest.mark.parametrize(
    "value", [float("inf"), -float("inf"), float("nan"), 1e308, -1e308, 5e-324]
)
def test_the_ends_of_floating_point_are_learned(tmp_path, value):
    stored = open_table(str(write(tmp_path, {"x": [1.0, value]})), {})

    assert all(r.kept for r in check_data(learn(stored), stored))


def test_the_literal_is_short_lines_that_can_be_pasted(tmp_path):
    part = {"kind": ["it's", 'a "b"'] * 60, "very_long_name_of_a_column" * 3: [1.5] * 120}

    text = literal_text(learn(open_table(str(write(tmp_path, part)), {})))

    assert text.splitlines()[0] == '"contract": {'
    assert text.splitlines()[-1] == "},"
    assert max(map(len, text.splitlines())) <= 100
    assert ast.literal_eval(f"{{{text}}}")["contract"]["columns"]["kind"]["in"] == ['a "b"', "it's"]
