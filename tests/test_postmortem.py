"""What is told of a value, what is masked, and what becomes of a damaged file."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sinara.postmortem import Frame, Variable, Variables, read, to_json
from sinara.postmortem.masks import Masks
from sinara.postmortem.preview import describe, text
from sinara.postmortem.values import MOST_TEXT
from sinara.secret import Secret

CANARY = "canary-9f3e7c1d"
NONE = Masks()


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("looked at")


class LoudList(list):
    def __repr__(self) -> str:
        return "loud"


@dataclass
class Login:
    user: str
    password: str


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        ([1, "a", None], "[1, 'a', None]"),
        ((1,), "(1)"),
        ({"a": {1, 2}}, "{'a': {1, 2}}"),
        (deque([1]), "[1]"),
        (OrderedDict(a=1), "{'a': 1}"),
        (defaultdict(int, a=1), "{'a': 1}"),
        (list(range(100)), "[0, 1, 2, 3, 4, 5, …]"),
        ([[[[[1]]]]], "[[[[[…]]]]]"),
        (10**1000, "<int of 3322 bits>"),
        ((n for n in ()), "<generator>"),
        (ValueError("no"), "ValueError('no')"),
        (len, "<builtin_function_or_method len>"),
        (np.float64(0.5), "np.float64(0.5)"),
        (LoudList(), "loud"),
    ],
)
def test_a_value_is_told_in_a_few_words(value, shown):
    assert text(value, NONE) == shown


def test_a_long_text_is_cut_and_never_copied_whole():
    shown = text("x" * 100_000_000, NONE)

    assert len(shown) < MOST_TEXT + 10
    assert shown.endswith("…'")


@pytest.mark.parametrize("value", [iter([1]), open, Loud, {"deep": [Loud]}])
def test_what_is_read_by_being_looked_at_is_not_looked_at(value):
    assert "looked" not in text(value, NONE)


@pytest.mark.parametrize(
    ("value", "shape", "columns"),
    [
        (pd.DataFrame({"a": [1, 2]}), [2, 1], [["a", "int64"]]),
        (pl.DataFrame({"a": [1, 2]}), [2, 1], [["a", "Int64"]]),
        (pa.table({"a": [1, 2]}), [2, 1], [["a", "int64"]]),
    ],
)
def test_of_a_table_shape_and_columns_are_told(value, shape, columns):
    told = describe("table", value, NONE)

    assert (told["shape"], told["columns"]) == (shape, columns)


@pytest.mark.parametrize(
    "value", [pd.Series([1, 2]), np.array([1, 2]), pl.Series([1, 2]), pa.array([1, 2])]
)
def test_of_a_column_dtype_and_first_items_are_told(value):
    told = describe("column", value, NONE)

    assert (told["value"], told["dtype"].lower()) == ("[1, 2]", "int64")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_token", CANARY),
        ("apiKey", CANARY),
        ("password", 12345678),
        ("headers", {"Authorization": CANARY}),
        ("login", Login("me", CANARY)),
        ("url", f"https://me:{CANARY}@host/path"),
        ("query", f"https://host/?access_token={CANARY}&x=1"),
        ("header", f"Bearer {CANARY}"),
        ("secret", Secret(CANARY)),
        ("secrets", [Secret(CANARY)]),
    ],
)
def test_what_looks_like_a_secret_is_masked(name, value):
    told = str(describe(name, value, NONE))

    assert CANARY not in told
    assert "12345678" not in told


def test_a_secret_is_also_found_in_other_values_and_over_a_cut():
    masks = Masks([{"api_token": CANARY, "held": Secret("another-secret-1")}])
    long = "x" * (MOST_TEXT - 5) + CANARY

    for value in (f"{CANARY}!", [CANARY], {"a": "another-secret-1"}, long, Loud()):
        told = describe("other", value, masks)["value"] if value.__class__ is not Loud else ""

        assert CANARY[:6] not in told
        assert "another" not in told


def test_a_copy_of_the_environment_is_not_told(monkeypatch):
    monkeypatch.setenv("HARMLESS", CANARY)

    assert CANARY not in text({"HARMLESS": CANARY}, NONE)


@pytest.mark.parametrize(("name", "value"), [("key", "a"), ("n_tokens", 5), ("author", "me")])
def test_what_only_sounds_like_a_secret_is_told(name, value):
    assert "note" not in describe(name, value, NONE)


def test_what_is_written_can_be_read():
    table = Variable("df", "pandas.DataFrame", shape=(2, 1), columns=(("a", "int64"),))
    kept = Variables("", (Frame("Cell In [1]", 2, "<module>", "f()", (table,), 3),), 4)

    assert read(to_json(kept)) == kept
    assert table.size == "2 x 1"


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"{",
        b"[]",
        b'{"schema_version": 2}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_none_is_no_error(written):
    assert read(written) is None


def test_what_does_not_fit_in_a_file_is_left_out():
    variables = [{"name": 1, "shape": "x", "columns": [1, ["a"]]}, None]
    odd = {"schema_version": 1, "frames": [7, {"file": 1, "line": "x", "variables": variables}]}

    kept = read(json.dumps(odd))

    assert kept is not None
    assert kept.frames == (Frame("", 0, "", "", (Variable("", ""),)),)
