"""Rows with values that another row has, found in bounded memory."""

from __future__ import annotations

import datetime as dt
import decimal

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from sinara.contract import unique
from sinara.contract.files import open_table
from sinara.contract.unique import Repeats, find_repeats
from tests.contract.tables import write

NUMBERS = st.integers(-(2**63), 2**63 - 1)
FEW = st.integers(-3, 3)


def repeats(folder, *parts, names=("x",)) -> Repeats:
    return find_repeats(open_table(str(write(folder, *parts)), {}), list(names))


def test_numbers_that_rise_are_known_without_looking_back(tmp_path, monkeypatch):
    monkeypatch.setattr(unique, "_equal_words", None)

    assert repeats(tmp_path, {"x": [1, 2, 5]}, {"x": [6, 9]}) == Repeats()


def test_numbers_that_rise_in_each_file_may_stand_in_both(tmp_path):
    assert repeats(tmp_path, {"x": [1, 2, 3]}, {"x": [3, 4]}) == Repeats(1, (2, 3))


def test_numbers_in_any_order_are_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(unique, "_equal_words", None)
    numbers = np.random.default_rng(1).permutation(np.arange(-500, 500))

    assert repeats(tmp_path, {"x": numbers}) == Repeats()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([5, 2**62, 5, -(2**62)]),
        pa.array([1, 2**64 - 1, 1], pa.uint64()),
        pa.array([0.0, 1.5, -0.0]),
        pa.array(["a", "b", "a"]),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.array([b"a", b"b", b"a"]),
        pa.array([True, False, True]),
        pa.array([decimal.Decimal("1.2"), decimal.Decimal("1.3"), decimal.Decimal("1.2")]),
        pa.array([dt.date(2024, 1, 2), dt.date(2024, 1, 1), dt.date(2024, 1, 2)]),
        pa.array([3, 1, 3], pa.timestamp("ns")),
        pa.array([3, 1, 3], pa.time64("ns")),
        pa.array([3, 1, 3], pa.time32("s")),
        pa.array([3, 1, 3], pa.duration("ms")),
        pa.array([dt.date(2024, 1, 2), dt.date(2024, 1, 1), dt.date(2024, 1, 2)], pa.date64()),
        pa.array([0.5, 1, 0.5], pa.float16()),
    ],
    ids=lambda array: str(array.type),
)
def test_a_value_that_stands_there_twice_is_found_in_any_type(tmp_path, values):
    found = repeats(tmp_path, pa.table({"x": values}))

    assert found == Repeats(1, (0, 2))


def test_a_missing_value_repeats_nothing(tmp_path):
    texts = {"x": ["a", None, None, "b"]}
    numbers = {"x": pa.array([1.5, None, float("nan"), float("nan")], pa.float64())}
    whole = {"x": pa.array([0, None, None, 1], pa.int64())}

    for place, part in enumerate((texts, numbers, whole)):
        assert repeats(tmp_path / str(place), part) == Repeats()


def test_a_key_of_several_columns_is_one_value(tmp_path):
    part = {"a": ["x", "x", "y", "x"], "b": [1, 2, 1, 2]}

    assert repeats(tmp_path / "1", part, names=("a", "b")) == Repeats(1, (1, 3))
    assert (
        repeats(tmp_path / "2", {"a": ["x", "1"], "b": ["1", "x"]}, names=("a", "b")) == Repeats()
    )


def test_rows_whose_words_are_equal_by_chance_are_compared_by_their_values(tmp_path, monkeypatch):
    monkeypatch.setattr(
        unique, "_text_words", lambda array: np.zeros(len(array), np.uint64)
    )  # the worst hash there is

    assert repeats(tmp_path / "1", {"x": ["a", "b", "c"]}) == Repeats()
    assert repeats(tmp_path / "2", {"x": ["a", "b", "a"]}).places == (0, 2)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    numbers=st.lists(st.one_of(st.none(), NUMBERS, FEW), max_size=40), most=st.sampled_from([4, 64])
)
def test_as_many_rows_repeat_as_counting_says(tmp_path_factory, monkeypatch, numbers, most):
    monkeypatch.setattr(unique, "MOST_WORDS", most)  # several parts
    there = [number for number in numbers if number is not None]

    found = repeats(tmp_path_factory.mktemp("e"), {"x": pa.array(numbers, pa.int64())})

    assert found.rows == len(there) - len(set(there))
    assert all(there.count(numbers[place]) > 1 for place in found.places)
    assert len(found.places) == min(3, sum(there.count(n) > 1 for n in there))
