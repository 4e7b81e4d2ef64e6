"""Cells: a true status for each, whatever the notebook says."""

from __future__ import annotations

import pytest

from sinara.record import CellRecord, Failure
from sinara.report.budget import Budget
from sinara.report.cells import cell_section, read_cells, time_strip
from tests.report import pages

DIED = Failure("kernel died", "The kernel was killed by signal 9.", cell=1, signal=9)


def statuses(notebook, substep):
    return [cell.status for cell in read_cells(notebook, substep)]


def test_the_record_knows_better_than_the_notebook():
    notebook = pages.notebook(pages.code("a"), pages.code("b"), pages.code("c"))
    cells = (CellRecord(0, "done"), CellRecord(1, "failed"), CellRecord(2, "not run"))

    assert statuses(notebook, pages.substep(cells=cells)) == ["done", "failed", "not run"]


def test_the_cell_in_which_a_kernel_died_is_the_failed_one():
    notebook = pages.notebook(pages.code("a"), pages.code("b"), pages.code("c", count=None))

    assert statuses(notebook, pages.substep(failure=DIED)) == ["done", "failed", "not run"]


def test_with_no_record_the_mark_in_the_cell_counts():
    cell = pages.code("a", sinara={"status": "failed", "cause": "timeout", "seconds": 2})

    (found,) = read_cells(pages.notebook(cell), pages.substep())

    assert (found.status, found.cause, found.seconds) == ("failed", "timeout", 2.0)


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        (pages.code("a"), "done"),
        (pages.code("a", count=None), "not run"),
        (pages.code("a", pages.stream("x"), count=None), "done"),
        (pages.code("a", pages.raised()), "failed"),
        (pages.code("", count=None), "done"),
        (pages.code("a", sinara={"status": "great"}), "done"),
    ],
)
def test_with_no_mark_either_the_cell_itself_tells(cell, status):
    assert statuses(pages.notebook(cell), pages.substep()) == [status]


def section(cell, **more):
    (found,) = read_cells(pages.notebook(cell), pages.substep(**more))
    return cell_section(found, "ipython3", Budget())


def test_a_failed_cell_is_marked_with_its_cause_and_can_be_linked_to():
    shown = section(pages.code("x = 1\ny"), failure=Failure("cell", "NameError: y", 0, 2))

    assert '<section class="cell code is-failed" id="cell-0">' in shown
    assert "<strong>Failed. </strong>Line 2: NameError: y" in shown
    assert '<span class="hll">' in shown


def test_a_cell_that_did_not_run_says_so():
    shown = section(pages.code("x", count=None))

    assert "is-not-run" in shown
    assert '<span class="took">not run</span>' in shown


def test_a_cell_shows_its_number_its_tags_and_its_time():
    shown = section(
        pages.code("x", count=7, tags=["parameters"]), cells=(CellRecord(0, "done", 1.25),)
    )

    assert '<a class="number" href="#cell-0">cell 1 · [7]</a>' in shown
    assert '<span class="tag">parameters</span>' in shown
    assert '<span class="took">1.2 s</span>' in shown


def test_a_running_cell_says_so():
    assert "Running when this page was written." in section(
        pages.code("x"), cells=(CellRecord(0, "running"),)
    )


@pytest.mark.parametrize(
    "metadata",
    [{"jupyter": {"source_hidden": True}}, {"tags": ["hide-input"]}, {"tags": ["hide_input"]}],
)
def test_a_source_that_its_author_folded_stays_folded(metadata):
    cell = {**pages.code("x"), "metadata": metadata}

    assert '<details class="source"><summary>' in section(cell)


def test_text_cells_are_shown_as_text():
    assert "<em>a</em>" in section(pages.markdown("*a*"))
    assert '<pre class="raw">&lt;b&gt;' in section({"cell_type": "raw", "source": "<b>"})


@pytest.mark.parametrize("cells", [None, 3, "ab", [1, None, "x"], {}])
def test_what_is_no_cell_is_passed_over(cells):
    assert read_cells({"cells": cells}, pages.substep()) == ()


def test_the_strip_has_a_piece_per_cell_that_leads_to_it():
    cells = (CellRecord(0, "done", 3.0), CellRecord(2, "failed", 1.0))
    notebook = pages.notebook(pages.code("a"), pages.markdown("b"), pages.code("c"))

    strip = time_strip(read_cells(notebook, pages.substep(cells=cells)))

    assert strip.count("<rect") == 2
    assert '<a href="#cell-2"><rect class="s-failed"' in strip
    assert "<title>cell 1: done, 3.0 s</title>" in strip


def test_there_is_no_strip_where_nothing_took_time():
    assert (
        time_strip(read_cells(pages.notebook(pages.code("a"), pages.code("b")), pages.substep()))
        is None
    )
