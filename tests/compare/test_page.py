"""The page of a comparison: one file, no script, and hostile text stays text."""

from __future__ import annotations

import re

import pytest

from tests.compare.conftest import picture
from tests.report.xss_payloads import PAYLOADS


def written(command, folder):
    answer = command("run", "diff", "-o", str(folder / "d.html"))
    assert answer.code == 0, answer.err
    assert str(folder / "d.html") in answer.err
    return (folder / "d.html").read_text("utf-8")


@pytest.fixture
def page(executed, command, folder):
    """A page with something of everything."""
    executed(
        ["a = 1", {"source": "plot(a)", "outputs": [picture()]}],
        metrics={"acc": 0.5},
        outputs={"raw": 10},
    )
    gif = picture("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==", "image/gif")
    executed(
        ["a = 2", {"source": "plot(a)", "outputs": [gif]}],
        metrics={"acc": 0.75},
        outputs={"raw": 8},
    )
    return written(command, folder)


def test_it_needs_nothing_but_itself_and_runs_no_script(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]

    assert "default-src 'none'" in policy
    assert "script-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?:https?:|//)", page)


def test_it_shows_values_rows_and_pictures_side_by_side(page):
    assert "data:image/png;base64," in page
    assert "data:image/gif;base64," in page
    assert "+0.25 (+50 %)" in page
    assert "10 -&gt; 8 (-20 %)" in page


@pytest.mark.slow
def test_it_opens_in_a_browser_without_a_call_or_a_complaint(page, visit):
    seen = visit(page)

    assert seen.alarms == []
    assert seen.page.locator("h1").inner_text() == "load: what changed"
    assert seen.page.locator("table.pairs img").count() == 2


@pytest.mark.slow
def test_hostile_text_in_every_place_stays_text(executed, command, folder, visit):
    evil = list(PAYLOADS)[:60]
    cells = [
        {"source": text, "outputs": [picture(text, "image/svg+xml"), picture(text)]}
        for text in evil
    ]
    values = {text: text for text in evil}
    executed(["a = 1"], params={"a": 1}, metrics={"b": 1})
    executed(
        cells, params=values, metrics=values, versions=values, commit=evil[0], dirty=tuple(evil),
        message=evil[1], raw=[(evil[0], text) for text in evil], step_params=values,
    )  # fmt: skip

    seen = visit(written(command, folder))

    assert seen.alarms == []
    assert (
        seen.page.evaluate(
            "document.querySelectorAll('main script, main iframe, main form').length"
        )
        == 0
    )


def test_a_page_that_cannot_be_written_is_one_line(executed, command, folder):
    executed(), executed()

    answer = command("run", "diff", "-o", str(folder / "nosuch" / "d.html"))

    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
