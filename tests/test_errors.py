"""The errors: the tree that is drawn is the tree that is, and messages say what to do."""

from __future__ import annotations

import pickle
import re

import pytest

from sinara import errors
from sinara.errors import EntityNotFoundError, MissingExtraError, SinaraError, suggest


def own_classes():
    return [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, SinaraError)]


def test_the_tree_that_is_drawn_has_every_class_with_its_exit_code():
    drawn = dict(re.findall(r"(\w+Error)\s.*?(\d+)$", errors.__doc__, flags=re.MULTILINE))

    assert {name: int(code) for name, code in drawn.items()} == {
        c.__name__: c.exit_code for c in own_classes()
    }


@pytest.mark.parametrize("cls", own_classes())
def test_an_error_survives_a_process_boundary(cls):
    error = cls("one", "two")

    back = pickle.loads(pickle.dumps(error))

    assert (type(back), back.lines, str(back)) == (cls, ("one", "two"), "one\ntwo")


def test_a_near_miss_is_suggested_and_nothing_else():
    assert suggest("trian", ["train", "test"]) == "Did you mean 'train'?"
    assert suggest("zebra", ["train", "test"]) == ""


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ((), "has no published run"),
        (("raw", "clean"), "it wrote clean, raw. Did you mean 'raw'?"),
        (("other",), "Add it to that step's outputs."),
    ],
)
def test_a_missing_entity_says_what_is_there_and_what_to_do(written, words):
    assert words in str(EntityNotFoundError.for_entity("raww", "load", written))


def test_a_missing_extra_is_named_with_its_command():
    assert "pip install 'sinara[spark]'" in str(MissingExtraError.for_extra("pyspark", "spark"))
