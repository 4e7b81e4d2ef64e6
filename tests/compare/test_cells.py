"""Code cells are compared by what they mean: layout and order are no difference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.compare.cells import compare_cells
from sinara.reading import CellSource


def cells(*sources, tags=()):
    return [CellSource(n, "code", source, tuple(tags)) for n, source in enumerate(sources)]


def told(old, new):
    diff, _ = compare_cells(cells(*old), cells(*new))
    return diff.state, [(c.kind, c.old, c.new) for c in diff.cells]


def test_equal_cells_are_the_same():
    assert told(["a = 1", "b = 2"], ["a = 1", "b = 2"]) == ("same", [])


@pytest.mark.parametrize(
    "other",
    ["a=1", "a = 1  # one", "a = (1)", "\n\na = 1\n", "# first\na = 1", "a = \\\n    1", "a = 0x1"],
)
def test_spaces_comments_and_brackets_are_told_as_layout(other):
    assert told(["a = 1", "b = 2"], [other, "b = 2"])[0] in ("same", "formatting")


@pytest.mark.parametrize(
    "other", ["a = 2", "a = 1.0", "a = True", "b = 1", "a = '1'", "a = 1; b = 1"]
)
def test_another_meaning_is_a_change(other):
    assert told(["a = 1"], [other])[0] == "changed"


def test_reordered_cells_are_told_as_moved_and_nothing_else():
    state, changes = told(["a = 1", "b = 2", "c = 3"], ["b = 2", "c = 3", "a = 1"])

    assert state == "order"
    assert changes == [("moved", 0, 2)]


def test_two_cells_that_changed_places_are_one_move():
    assert told(["a = 1", "b = 2"], ["b = 2", "a = 1"])[1] in (
        [("moved", 0, 1)],
        [("moved", 1, 0)],
    )


def test_an_added_cell_moves_no_other():
    assert told(["a = 1", "b = 2"], ["a = 1", "x = 9", "b = 2"]) == (
        "changed",
        [("added", None, 1)],
    )


def test_a_removed_cell_is_told_where_it_was():
    assert told(["a = 1", "b = 2", "c = 3"], ["a = 1", "c = 3"])[1] == [("removed", 1, None)]


def test_an_edited_cell_is_shown_line_by_line():
    diff, _ = compare_cells(
        cells("import os\nrate = 0.1\nprint(rate)"), cells("import os\nrate = 0.2\nprint(rate)")
    )

    (change,) = diff.cells
    assert change.lines == (" import os", "-rate = 0.1", "+rate = 0.2", " print(rate)")


def test_two_cells_with_nothing_in_common_are_one_removed_and_one_added():
    state, changes = told(["x = 1", "import os\nos.getcwd()"], ["x = 1", "frame.plot(kind='bar')"])

    assert state == "changed"
    assert {kind for kind, *_ in changes} == {"added", "removed"}


def test_a_tag_that_changes_what_a_cell_does_is_a_change_and_any_other_is_none():
    one = cells("a = 1")

    assert compare_cells(one, cells("a = 1", tags=["business_report"]))[0].state == "same"
    diff, _ = compare_cells(one, cells("a = 1", tags=["skip-execution"]))
    assert diff.cells[0].lines == ("-tags: none", "+tags: skip-execution")


@pytest.mark.parametrize(
    "source", ["%matplotlib inline", "!ls", "%%bash\nls", "x <- 1", "df?", "a ="]
)
def test_what_is_no_python_is_compared_as_text(source):
    assert told([source], [source + "\n"])[0] in ("same", "formatting")
    assert told([source], [source + "\nz"])[0] == "changed"


def test_code_that_was_not_kept_is_not_called_the_same():
    diff, pairs = compare_cells(None, cells("a = 1"))

    assert (diff.state, pairs) == ("unknown", ())
    assert "first" in diff.why


def test_hundreds_of_rewritten_cells_are_compared_all_the_same():
    old = [f"a{n} = {n}\nprint(a{n} * 2)" for n in range(300)]
    new = [f"b{n} = {n}\nshow(b{n} ** 3)" for n in range(300)]

    diff, pairs = compare_cells(cells(*old), cells(*new))

    assert diff.state == "changed"
    assert sorted(p.old for p in pairs if p.old is not None) == list(range(300))


sources = st.lists(
    st.sampled_from(["a = 1", "b = 2", "b=2", "c = 3", "# d", "if x:", "e = 5\nf = 6"]), max_size=8
)


@given(sources, sources)
def test_every_cell_of_both_sides_is_told_once(old, new):
    _, pairs = compare_cells(cells(*old), cells(*new))

    assert sorted(p.old for p in pairs if p.old is not None) == list(range(len(old)))
    assert sorted(p.new for p in pairs if p.new is not None) == list(range(len(new)))


@given(sources, st.randoms())
def test_any_order_of_the_same_cells_is_no_change(old, random):
    new = list(old)
    random.shuffle(new)

    assert told(old, new)[0] in ("same", "formatting", "order")
