"""Contracts checked against real parquet."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path

import pyarrow as pa
import pytest

from sinara.contract import read_contract
from sinara.contract.check import check_data, check_rows
from sinara.contract.files import Table, open_table
from sinara.contract.told import broken_lines
from sinara.errors import ContractError
from tests.contract.tables import broken, checked, write

GOOD = {
    "id": [3, 1, 2],
    "amount": [0.5, None, 7.25],
    "kind": ["a", "b", "a"],
    "day": [dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2024, 1, 3)],
}
PROMISE = {
    "columns": {
        "id": {"type": "int64", "unique": True},
        "amount": {"type": "double", "min": 0, "max": 10, "null_share": 0.5},
        "kind": {"type": "string", "in": ["a", "b", "c"]},
        "day": {"type": "date", "min": "2024-01-01", "max": "2024-01-03"},
    },
    "other_columns": "refuse",
    "key": ["id"],
}


def test_data_that_keeps_its_contract_breaks_no_rule(tmp_path):
    results = checked(write(tmp_path / "e", GOOD), PROMISE)

    assert all(result.kept for result in results)
    assert {(r.column, r.rule) for r in results} == {
        ("id", "type"),
        ("id", "unique"),
        ("amount", "type"),
        ("amount", "min"),
        ("amount", "max"),
        ("amount", "null_share"),
        ("kind", "type"),
        ("kind", "in"),
        ("day", "type"),
        ("day", "min"),
        ("day", "max"),
        ("", "other_columns"),
        ("id", "key"),
    }


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("id", [1, 1, 2], [("id", "unique"), ("id", "key")]),
        ("id", [1, None, 2], [("id", "key")]),
        ("id", ["1", "2", "3"], [("id", "type")]),
        ("amount", [-0.1, 1, 2], [("amount", "min")]),
        ("amount", [1, 10.5, 2], [("amount", "max")]),
        ("amount", [1, None, float("nan")], [("amount", "null_share")]),
        ("amount", [1, None, None], [("amount", "null_share")]),
        ("kind", ["a", "d", "a"], [("kind", "in")]),
        ("day", [dt.date(2023, 12, 31)] * 3, [("day", "min")]),
        ("day", [dt.date(2024, 1, 4)] * 3, [("day", "max")]),
        ("more", [1, 2, 3], [("", "other_columns")]),
    ],
)
def test_a_rule_that_is_broken_is_told_with_its_column(tmp_path, column, values, told):
    data = {**GOOD, column: values}
    if column == "amount":
        data[column] = pa.array(values, pa.float64())

    assert broken(write(tmp_path / "e", data), PROMISE) == told


def test_up_to_three_rows_that_break_a_rule_are_shown_with_their_place_and_key(tmp_path):
    data = {"id": [5, 6, 7, 8, 9], "amount": [-1.0, 2.0, -3.0, -4.0, -5.0]}
    promise = {"columns": {"amount": {"min": 0}}, "key": "id"}

    (result,) = (r for r in checked(write(tmp_path / "e", data), promise) if not r.kept)

    assert result.found == "4 rows below it"
    assert result.sample == (
        "row 0: id=5, amount=-1.0",
        "row 2: id=7, amount=-3.0",
        "row 3: id=8, amount=-4.0",
    )
    assert broken_lines("Output 'e'", [result]) == (
        "Output 'e' breaks its contract: column amount, min 0: found 4 rows below it "
        "(row 0: id=5, amount=-1.0; row 2: id=7, amount=-3.0; row 3: id=8, amount=-4.0)",
    )


def test_a_row_is_found_by_its_place_in_the_second_file(tmp_path):
    folder = write(tmp_path / "e", {"x": list(range(10))}, {"x": [10, 99]})

    (result,) = (r for r in checked(folder, {"columns": {"x": {"max": 50}}}) if not r.kept)

    assert result.sample == ("row 11: x=99",)


def test_what_is_called_like_a_secret_is_never_shown(tmp_path):
    data = {"id": [1], "api_key": ["hunter2hunter2"], "note": ["password=hunter3hunter3"]}
    promise = {"columns": {"api_key": {"in": ["-"]}, "note": {"in": ["-"]}}, "key": ["id"]}

    results = checked(write(tmp_path / "e", data), promise)

    assert "hunter" not in str(results)
    shown = ("row 0: id=1, api_key=****, note='password=****",)
    assert [r.sample for r in results if r.rule == "in"] == [shown, shown]


def test_footers_alone_prove_limits_and_nothing_is_read(tmp_path, monkeypatch):
    folder = write(tmp_path / "e", {"id": [1, 2, 3], "x": [0.5, 1.5, 2.5]})

    def refuse(*_: object, **__: object):
        raise AssertionError("the data was read")

    monkeypatch.setattr(Table, "batches", refuse)
    columns = {"id": {"min": 1, "max": 3, "null_share": 0}, "x": {"min": 0, "max": 3}}

    assert broken(folder, {"columns": columns}) == []


def test_without_statistics_the_same_is_found_by_reading(tmp_path):
    folder = write(tmp_path / "e", GOOD, write_statistics=False)

    assert broken(folder, PROMISE) == []


def test_only_the_columns_that_the_contract_names_are_read(tmp_path, monkeypatch):
    folder = write(tmp_path / "e", {"a": ["x"], "b": ["y"], "c": ["z"]})
    read: list[str] = []
    batches = Table.batches

    def note(self, columns, **more):
        read.extend(columns)
        return batches(self, columns, **more)

    monkeypatch.setattr(Table, "batches", note)

    assert broken(folder, {"columns": {"b": {"in": ["y"]}}}) == []
    assert read == ["b"]


@pytest.mark.parametrize(
    ("values", "kind", "rules"),
    [
        ([1, 2], pa.int8(), {"min": -1000, "max": 1000.5}),
        ([1, 2**63 + 5], pa.uint64(), {"min": 1, "max": 2**63 + 5}),
        ([0.1, 0.2], pa.float32(), {"min": 0.1, "max": 0.2}),
        ([0.5, 1.5], pa.float16(), {"min": 0.5, "max": 1.5, "in": [0.5, 1.5]}),
        ([decimal.Decimal("1.20")], pa.decimal128(5, 2), {"min": 1.2, "max": 1.2, "in": [1.2]}),
        (["a", None], pa.large_string(), {"type": "string", "in": ["a"]}),
        (["a", None], pa.dictionary(pa.int8(), pa.string()), {"type": "string", "in": ["a"]}),
        ([True, None], pa.bool_(), {"in": [True]}),
        ([None, None], pa.int64(), {"min": 5, "in": [1], "unique": True}),
        ([], pa.float64(), {"min": 5, "in": [1], "unique": True, "null_share": 0}),
        ([dt.datetime(2024, 1, 1)], pa.timestamp("ns"), {"min": "2024-01-01", "max": "2500-01-01"}),
        (
            [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)],
            pa.timestamp("ms", tz="Europe/Berlin"),
            {"type": "timestamp", "min": "2024-01-01T01:00:00+01:00", "max": "2024-01-01"},
        ),
        ([dt.date(2024, 1, 1)], pa.date32(), {"in": ["2024-01-01"], "type": "date32[day]"}),
    ],
)
@pytest.mark.parametrize("statistics", [True, False])
def test_rules_hold_for_every_way_to_store_a_value(tmp_path, values, kind, rules, statistics):
    table = pa.table({"x": pa.array(values, kind)})

    folder = write(tmp_path / "e", table, write_statistics=statistics)

    assert broken(folder, {"columns": {"x": rules}}) == []


@pytest.mark.parametrize(
    ("values", "kind", "rules", "rule"),
    [
        ([1, 2], pa.int8(), {"min": 1000}, "min"),
        ([1, 2], pa.int64(), {"max": 1.5}, "max"),
        ([2**53 + 1], pa.int64(), {"max": 2**53}, "max"),
        ([decimal.Decimal("1.21")], pa.decimal128(5, 2), {"max": 1.2}, "max"),
        (["a"], pa.string(), {"in": [1, True]}, "in"),
        ([1], pa.int64(), {"in": [True, "1"]}, "in"),
        ([dt.datetime(2024, 1, 1)], pa.timestamp("ns"), {"min": "2500-01-01"}, "min"),
        ([dt.datetime(2024, 1, 1)], pa.timestamp("s"), {"min": "2024-01-01T00:00:00.5"}, "min"),
        (["a"], pa.string(), {"min": 1}, "min"),
        ([dt.date(2024, 1, 1)], pa.date32(), {"min": 1}, "min"),
        ([[1]], pa.list_(pa.int64()), {"in": [1]}, "in"),
        ([[1], [1]], pa.list_(pa.int64()), {"unique": True}, "unique"),
    ],
)
@pytest.mark.parametrize("statistics", [True, False])
def test_rules_are_broken_in_every_way_to_store_a_value(
    tmp_path, values, kind, rules, rule, statistics
):
    table = pa.table({"x": pa.array(values, kind)})

    folder = write(tmp_path / "e", table, write_statistics=statistics)

    assert broken(folder, {"columns": {"x": rules}}) == [("x", rule)]


def test_a_missing_column_is_told_with_the_nearest_name(tmp_path):
    folder = write(tmp_path / "e", {"amount": [1]})

    (result,) = checked(folder, {"columns": {"amuont": "int64"}})

    assert (result.rule, result.kept) == ("type", False)
    assert result.found == "no such column. Did you mean 'amount'?"


def test_a_column_that_is_missing_in_one_file_is_told_with_the_file(tmp_path):
    folder = write(tmp_path / "e", {"a": [1], "b": [1]}, {"a": [2]})

    (result,) = (r for r in checked(folder, {"columns": {"b": {}}, "key": ["a"]}) if not r.kept)

    assert (result.column, result.found) == ("b", "missing in part-00001.parquet")


def test_a_column_of_two_types_is_told_with_both_files(tmp_path):
    folder = write(tmp_path / "e", {"a": [1]}, {"a": ["x"]})

    (result,) = checked(folder, {"columns": {"a": "int64"}})

    assert result.found == "int64 in part-00000.parquet, string in part-00001.parquet"


def test_a_category_in_one_file_and_text_in_another_are_one_type(tmp_path):
    category = pa.table({"a": pa.array(["x", "y"]).dictionary_encode()})
    folder = write(tmp_path / "e", category, {"a": ["x", "z"]})

    assert broken(folder, {"columns": {"a": {"type": "string", "in": ["x", "y", "z"]}}}) == []
    assert broken(folder, {"columns": {"a": {"in": ["x", "y"]}}, "key": ["a"]}) == [
        ("a", "in"),
        ("a", "key"),
    ]


def test_keys_of_folders_are_columns(tmp_path):
    write(tmp_path / "e" / "year=2023", {"x": [1, 2]})
    write(tmp_path / "e" / "year=2024", {"x": [1, 2]})
    whole = {"columns": {"year": {"type": "integer", "min": 2023}}, "key": ["year", "x"]}

    assert broken(tmp_path / "e", whole) == []
    assert broken(tmp_path / "e", {**whole, "other_columns": "refuse", "key": ["x"]}) == [
        ("x", "key")
    ]
    assert broken(tmp_path / "e", {"columns": {"year": {"max": 2023}}}) == [("year", "max")]


def test_what_is_hidden_is_no_data(tmp_path):
    folder = write(tmp_path / "e", {"a": [1]})
    (folder / ".part.parquet").write_bytes(b"half")
    (folder / "_old").mkdir()
    (folder / "_old" / "x.parquet").write_bytes(b"half")

    assert broken(folder, {"columns": {"a": "int64"}}) == []


def test_what_is_no_table_breaks_any_contract(tmp_path):
    (tmp_path / "model.pickle").write_bytes(b"x")

    (result,) = checked(tmp_path, {"columns": {"a": "int64"}})

    assert (result.rule, result.kept) == ("table", False)
    assert [r.kept for r in check_rows(read_contract({"rows": {"min": 0}})[0], None)] == [False]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 is not enough PAR1")

    with pytest.raises(ContractError) as told:
        open_table(str(tmp_path), {})

    assert len(told.value.lines) == 1
    assert str(tmp_path) in str(told.value)


@pytest.mark.parametrize(
    ("rows", "before", "kept"),
    [(100, 100, True), (90, 100, True), (89, 100, False), (111, 100, False), (0, 0, True), (1, 0, False)],
)  # fmt: skip
def test_the_number_of_rows_is_compared_with_the_run_before(rows, before, kept):
    contract, _ = read_contract({"rows": {"change": 0.1}})

    (result,) = check_rows(contract, rows, before, "run-1")

    assert result.kept is kept
    assert f"{before} rows in run-1" in result.found


def test_the_first_run_has_none_to_compare_with():
    contract, _ = read_contract({"rows": {"min": 1, "max": 5, "change": 0.1}})

    assert [r.kept for r in check_rows(contract, 3)] == [True, True, True]
    assert [r.kept for r in check_rows(contract, 6)] == [True, False, True]
    assert [r.kept for r in check_rows(contract, 0)] == [False, True, True]


def test_a_table_on_a_remote_store_is_checked_the_same_way():
    import fsspec

    files = fsspec.filesystem("memory")
    table = pa.table({"a": [1, 2, 2]})
    with files.open("/contracts/e/part-0.parquet", "wb") as file:
        import pyarrow.parquet as pq

        pq.write_table(table, file)
    contract, _ = read_contract({"columns": {"a": {"max": 1}}, "key": ["a"]})

    results = check_data(contract, open_table("memory://contracts/e", {}))

    assert [(r.rule, r.kept) for r in results] == [("type", True), ("max", False), ("key", False)]
    assert Path("/contracts").exists() is False
