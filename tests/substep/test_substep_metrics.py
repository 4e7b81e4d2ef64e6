"""Metrics become what JSON can hold, or an error."""

from __future__ import annotations

import json
from datetime import date
from enum import Enum, IntEnum
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.errors import UsageError
from sinara.substep import NotebookSubstep
from sinara.substep.metrics import plain_metric

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Colour(str, Enum):  # noqa: UP042 - as people have them
    RED = "red"


class Grade(IntEnum):
    GOOD = 1


@given(plain)
def test_what_is_json_already_stays_as_it_is(value):
    assert plain_metric("m", value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.25),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(7), 7),
        (pd.Series([1.5, 2.5]), [1.5, 2.5]),
        (pd.Timestamp("2025-01-01"), "2025-01-01T00:00:00"),
        (date(2025, 1, 2), "2025-01-02"),
        (PurePosixPath("a/b"), "a/b"),
        (Grade.GOOD, 1),
        (Colour.RED, "red"),
        ((1, {2}), [1, [2]]),
        ({1: np.float32(1)}, {"1": 1.0}),
        (float("nan"), "NaN"),
        (np.float32("inf"), "Infinity"),
        ([float("-inf")], ["-Infinity"]),
    ],
)
def test_values_of_other_libraries_become_plain(value, expected):
    result = plain_metric("m", value)

    assert result == expected
    assert json.loads(json.dumps(result, allow_nan=False)) == expected


@pytest.mark.parametrize("value", [object(), lambda: 1, np.array([object()]), b"bytes"])
def test_what_has_no_plain_form_is_refused_by_name(value):
    with pytest.raises(UsageError, match="Metric 'm' is"):
        plain_metric("m", value)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_metric_needs_a_name(name):
    with pytest.raises(UsageError, match="A metric's name"):
        plain_metric(name, 1)


def test_metrics_are_told_to_the_driver_at_once_and_kept_as_given(job, capsys):
    run = job()
    substep = NotebookSubstep()

    substep.add_metric("auc", np.float32(0.5))
    substep.add_metric("loss", float("nan"))
    substep.print_metrics()

    assert run.handback.metrics == {"auc": 0.5, "loss": "NaN"}
    assert substep.metrics["run_id"] == run.context.run_id
    assert np.isnan(substep.metrics["loss"])
    assert "auc" in capsys.readouterr().out


def test_a_metric_that_is_refused_leaves_the_others(job):
    run = job()
    substep = NotebookSubstep()
    substep.add_metric("auc", 1)

    with pytest.raises(UsageError):
        substep.add_metric("auc", object())

    assert run.handback.metrics == {"auc": 1}
    assert substep.metrics["auc"] == 1
