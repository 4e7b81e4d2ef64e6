"""Conditions are read as trees and never executed."""

from __future__ import annotations

import pytest

from sinara.settings.conditions import Name, parse_condition

VALUES = {"eval.accuracy": 0.93, "prep.rows.rows": 1000, "eval.best": "forest", "eval.good": True}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("eval.accuracy >= 0.9", True),
        ("eval.accuracy > 0.95", False),
        ("0.9 < eval.accuracy < 0.95", True),
        ("eval.accuracy >= 0.9 and prep.rows.rows > 5000", False),
        ("eval.accuracy >= 0.99 or prep.rows.rows == 1000", True),
        ("not eval.good", False),
        ("eval.best == 'forest'", True),
        ("eval.accuracy > -1", True),
        ('"eval".accuracy != 1', True),
    ],
)
def test_a_condition_holds_or_not(text, holds):
    condition = parse_condition(text)

    assert condition.holds(lambda name: VALUES[str(name)]) is holds


def test_a_condition_says_what_it_asks_for():
    condition = parse_condition("a.b > 1 and (c.d.rows < 2 or a.b == 3)")

    assert condition.names == (Name("a", ("b",)), Name("c", ("d", "rows")))


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", 3, None, "accuracy > 1", "eval.accuracy >", "__import__('os').system('x') > 1",
        "eval.f() > 1", "eval.x[0] > 1", "[e.v for e in eval.all]", "lambda: a.b", "a.b if a.c else 1",
        "a.b + 1 > 2", "1 > 0", "a.b in (1, 2)", "(x := a.b) > 1", "a.b > 1; a.c", "a.b" * 400,
        "a.b is 1", "f'{a.b}' == '1'", "a.b > 1j", "a.b == b'x'",
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"condition|asks for no value") as error:
        parse_condition(text)

    assert "\n" not in str(error.value)


def test_values_that_cannot_be_compared_are_told():
    with pytest.raises(ValueError, match="'forest' and 1 cannot be compared"):
        parse_condition("eval.best > 1").holds(lambda name: "forest")
