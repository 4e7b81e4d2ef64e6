"""The pages in a real browser: what they show, and that nothing gets out of them."""

from __future__ import annotations

import pytest

from sinara.report import business_page, frame, run_page, substep_page
from sinara.report.elements import clean
from sinara.report.frame import HIGHEST
from sinara.report.sanitise import Sanitised
from tests.report import pages
from tests.report.xss_payloads import PAYLOADS, SINGLE, VECTORS

SOME = tuple(dict.fromkeys([*VECTORS, *SINGLE[::2], *PAYLOADS[::20]]))


def test_some_is_fifty():
    assert len(SOME) >= 50


def poisoned_pages(payload):
    record, substep = pages.poisoned_run(payload)
    notebook = pages.poisoned_notebook(payload)
    yield run_page(record, log_tail=[payload])
    yield substep_page(record, substep, notebook)
    yield business_page(record, substep, notebook)


def page_with(html):
    cell = pages.code("x = 1", pages.shown({"text/html": html}))
    return substep_page(pages.run(), pages.substep(), pages.notebook(cell))


def ran_in(page):
    """The documents of a page in which a script of a payload ran."""
    ours = [f for f in page.frames if f.url.startswith(("file:", "about:srcdoc"))]
    return [frame.url for frame in ours if _set_in(frame) is not None]


def _set_in(frame, tries: int = 20):
    """What a script set in a frame; one that is just being filled is asked again."""
    playwright = pytest.importorskip("playwright.sync_api")
    for left in reversed(range(tries)):
        try:
            return frame.evaluate("window.__xss")
        except playwright.Error:
            if not left:
                raise
            frame.wait_for_load_state()
    return None


def is_broken_picture(alarm):
    """Say whether the browser only complains of a ``data:`` picture that is none."""
    return alarm == "console Failed to load resource: net::ERR_INVALID_URL"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(4))
def test_no_payload_runs_a_script_or_calls_out(visit, port, part):
    seen = visit("")
    for payload in SOME[part::4]:
        for html in poisoned_pages(payload.replace("PORT", str(port.number))):
            seen.show(html)

            assert ran_in(seen.page) == [], payload
            assert [alarm for alarm in seen.alarms if not is_broken_picture(alarm)] == [], payload

    assert port.calls == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(2))
def test_the_frame_holds_even_where_sanitising_lets_everything_through(
    visit, port, monkeypatch, part
):
    """Sanitising is no boundary, so without it there is still no script and no request."""
    monkeypatch.setattr(frame, "sanitise", lambda markup: Sanitised(clean(markup), 0, 0))
    seen = visit("")
    for payload in SOME[part::2]:
        seen.show(page_with(payload.replace("PORT", str(port.number))))

        assert ran_in(seen.page) == [], payload
        assert [
            alarm for alarm in seen.alarms if alarm.startswith(("dialog", "popup", "download"))
        ] == []
        assert seen.page.url.endswith("page.html")

    requests = [call for call in port.calls if call.startswith((b"GET", b"POST", b"HEAD"))]
    assert requests == []


def test_a_frame_is_as_high_as_what_it_shows(visit):
    rows = "".join(f"<tr><td>{i}</td></tr>" for i in range(60))

    seen = visit(page_with(f"<table>{rows}</table>"))
    seen.page.wait_for_function("document.querySelector('iframe').style.height !== ''")

    shown, inner = seen.page.locator("iframe").bounding_box(), seen.page.frames[1]
    assert shown["height"] == pytest.approx(inner.evaluate("document.body.scrollHeight"), abs=3)
    assert shown["height"] > 1000


def test_a_frame_that_claims_to_be_huge_is_believed_within_bounds(visit):
    seen = visit(page_with("<p>a</p>"))

    for claim in ("1e9", "'9'", "-5", "NaN", "{}", "Infinity"):
        seen.page.frames[1].evaluate(f"parent.postMessage({{sinaraHeight: {claim}}}, '*')")
    seen.page.wait_for_timeout(200)

    assert seen.page.locator("iframe").bounding_box()["height"] <= HIGHEST


def test_a_frame_cannot_reach_its_page(visit):
    seen = visit(page_with("<p>a</p>"))
    inner = seen.page.frames[1]

    assert inner.evaluate("self.origin") == "null"
    with pytest.raises(Exception, match=r"SecurityError|cross-origin"):
        inner.evaluate("parent.document.title")


def test_a_link_in_a_frame_opens_beside_the_page(visit, port):
    seen = visit(page_with(f'<a href="http://127.0.0.1:{port.number}/">docs</a>'))

    with seen.page.context.expect_page():
        seen.page.frames[1].click("a")

    assert seen.page.frames[1].url == "about:srcdoc"
    assert seen.page.frames[1].evaluate("document.body.innerText").strip() == "docs"


def test_a_link_to_the_failed_cell_leads_there(visit):
    cells = [pages.code("x\n" * 30, pages.stream("y\n" * 30), count=i) for i in range(20)]
    cells.append(pages.code("fail", pages.raised()))
    substep = pages.substep(status="failed")
    seen = visit(substep_page(pages.run(substep), substep, pages.notebook(*cells)))

    seen.page.click("text=Go to the failed cell")

    place = seen.page.locator("#cell-20").bounding_box()
    head = seen.page.locator("header.top").bounding_box()
    assert head["height"] <= place["y"] <= 700
    assert seen.alarms == []


def test_code_can_be_hidden_with_no_script(visit):
    notebook = pages.notebook(pages.code("some_code()", pages.stream("some output")))
    seen = visit(substep_page(pages.run(), pages.substep(), notebook), java_script_enabled=False)

    seen.page.check("#hide-code")

    assert not seen.page.locator("pre.code").is_visible()
    assert seen.page.locator("text=some output").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background_in_both_schemes(visit, scheme):
    notebook = pages.notebook(pages.code("", pages.shown({"text/html": "<p>a</p>"})))
    seen = visit(substep_page(pages.run(), pages.substep(), notebook), color_scheme=scheme)

    colours = (
        "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        ".map(c => c.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0))"
    )
    text, background = seen.page.eval_on_selector("body", colours)
    inside, _ = seen.page.frames[1].eval_on_selector("body", colours)

    assert abs(text - background) > 400
    assert abs(inside - background) > 400


def test_a_narrow_window_does_not_scroll_sideways(visit):
    entities = pages.poisoned_run("a_long_name_without_any_space_in_it_" * 4)
    seen = visit(run_page(entities[0]), viewport={"width": 400, "height": 800})

    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 400
