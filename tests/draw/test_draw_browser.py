"""The page in a browser: nothing gets out of its texts, and its tools work."""

from __future__ import annotations

import pytest

from sinara.draw import page, svg
from tests.draw.graphs import CHAIN, CIRCLE, graph_of, history_of
from tests.draw.test_draw_forms import hostile
from tests.report.conftest import chromium, visit  # noqa: F401 - fixtures
from tests.report.xss_payloads import PAYLOADS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
BOX = ".level:not([hidden]) .boxes > g"
CARD = ".level:not([hidden]) .cards > g"


@pytest.fixture
def chain(visit):  # noqa: F811
    graph = graph_of(CHAIN)
    return visit(page(graph, history_of(graph, columns=(("price", "double"),), rows_before=100)))


def transform(seen) -> str:
    return seen.page.locator("#view").get_attribute("transform")


def test_a_click_tells_all_of_a_node_and_lights_up_what_it_is_connected_to(chain):
    chain.page.locator(BOX, has_text="model").click()

    told = chain.page.locator("aside").inner_text()
    for word in (
        "user.p.zone.train.model",
        "Written by",
        "s1.ipynb",
        "80 rows",
        "▼ 20 %",
        "price",
        "double",
    ):
        assert word.lower() in told.lower()
    lit = chain.page.locator(f"{BOX}.on").all_text_contents()
    assert any("raw" in text for text in lit)
    assert not any("test" in text.split() for text in lit)
    assert chain.alarms == []


def test_parameters_and_the_last_run_of_a_substep_are_told(chain):
    chain.page.locator(BOX, has_text="s2.ipynb").click()

    told = chain.page.locator("aside").inner_text()
    for word in ("substep of prep", "rows", "100", "succeeded", "2.5 s", "2026-01-01 00:00 UTC"):
        assert word in told


def test_the_panel_leads_from_node_to_node_and_closes(chain):
    chain.page.locator(BOX, has_text="model").click()

    chain.page.locator("aside .go").first.click()
    assert "substep of train" in chain.page.locator("aside").inner_text()

    chain.page.keyboard.press("ArrowRight")
    assert "user.p.zone.train.model" in chain.page.locator("aside").inner_text()

    chain.page.keyboard.press("Escape")
    assert not chain.page.locator("aside").is_visible()


def test_search_marks_counts_and_jumps(chain):
    chain.page.keyboard.press("/")
    chain.page.keyboard.type("model")
    assert chain.page.locator("#count").inner_text() == "1 found"
    before = transform(chain)

    chain.page.keyboard.press("Enter")

    assert chain.page.locator(".hit").count() == 1
    assert transform(chain) != before
    assert "user.p.zone.train.model" in chain.page.locator("aside").inner_text()


def test_dragging_moves_the_wheel_zooms_and_fit_goes_back(chain):
    first = transform(chain)
    mouse = chain.page.mouse
    mouse.move(600, 700)
    mouse.down()
    mouse.move(700, 760, steps=4)
    mouse.up()
    dragged = transform(chain)
    assert dragged != first
    assert not chain.page.locator("aside").is_visible()

    mouse.wheel(0, -400)
    chain.page.wait_for_timeout(100)
    assert float(transform(chain).split("scale(")[1][:-1]) > float(dragged.split("scale(")[1][:-1])

    chain.page.locator("#fit").click()
    assert transform(chain) == first


def test_the_steps_alone_are_shown_at_a_press(chain):
    assert chain.page.locator(BOX).count() == 11

    chain.page.locator("#level").click()

    assert chain.page.locator(BOX).count() == 0
    assert chain.page.locator(CARD).count() == 4
    chain.page.locator(CARD, has_text="prep").click()
    assert "s2.ipynb" in chain.page.locator("aside").inner_text()
    chain.page.locator("aside .go", has_text="s2.ipynb").click()
    assert chain.page.locator(BOX).count() == 11
    assert chain.alarms == []


def test_a_problem_leads_to_where_it_is(visit):  # noqa: F811
    seen = visit(page(graph_of(CIRCLE)))

    seen.page.locator("#problems li").first.click()

    assert "read from each other" in seen.page.locator("aside").inner_text()


def test_without_a_script_the_picture_is_there(visit):  # noqa: F811
    seen = visit(page(graph_of(CHAIN)), java_script_enabled=False)

    assert seen.page.locator(BOX, has_text="model").is_visible()
    assert not seen.page.locator(".tools").is_visible()


@pytest.mark.parametrize("part", range(6))
def test_hostile_texts_stay_texts(visit, part):  # noqa: F811
    seen = visit("")
    for word in PAYLOADS[part::6][:14]:
        graph, history = hostile(word)
        seen.show(page(graph, history))
        seen.page.evaluate(
            "document.querySelectorAll('.level:not([hidden]) .boxes > g')[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        )
        seen.page.evaluate(
            "document.querySelectorAll('.level:not([hidden]) .cards > g')[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        )
        assert seen.alarms == [], word
        assert seen.page.locator("aside h2").count() == 1
        seen.show(svg(graph, history), "picture.svg")
        assert seen.alarms == [], word
