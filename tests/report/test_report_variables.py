"""The variables at a failure on a substep's page."""

from __future__ import annotations

from sinara.postmortem import Frame, Variable, Variables
from sinara.record import Failure, RunRecord, SubstepRecord
from sinara.report import substep_page

FAILURE = Failure("cell", "ValueError: no", cell=0)
SUBSTEP = SubstepRecord("fit.ipynb", "failed", failure=FAILURE)
RECORD = RunRecord("run-1", "user", "p", "z", "s", "failed", "2025-01-01T00:00:00+00:00")


def page(kept: Variables | None) -> str:
    return substep_page(RECORD, SUBSTEP, None, kept)


def test_each_frame_is_a_table_and_everything_in_it_is_text():
    odd = "<script>alert(1)</script>"
    variable = Variable(odd, odd, odd, dtype=odd, columns=((odd, odd),), note=odd)
    table = Variable("df", "pandas.DataFrame", shape=(1797, 2), columns=(("a", "int64"),))

    html = page(Variables("", (Frame(odd, 3, odd, odd, (variable, table)),)))

    assert "Variables at the failure" in html
    assert odd not in html
    assert "1,797 x 2" in html
    assert "a: int64" in html


def test_frames_of_packages_are_folded():
    html = page(Variables("", (Frame("/lib/site-packages/x.py", 1, "f"), Frame("own.py", 1, "g"))))

    assert html.count('<details class="frame" open>') == 1


def test_that_nothing_was_kept_is_said():
    assert "its variables are gone" in page(Variables("The process died: its variables are gone."))


def test_a_page_without_a_failure_file_says_nothing_of_variables():
    assert "Variables at the failure" not in page(None)
