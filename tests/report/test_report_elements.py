"""Elements: what is text stays text, and only what is listed becomes markup."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.report.elements import Html, clean, el, escape, is_link, join


class Reader(HTMLParser):
    """Notes every tag and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@given(st.text())
def test_any_text_is_shown_and_never_becomes_a_tag(text):
    read = Reader(el("p", None, text))

    assert [tag for tag, _ in read.tags] == ["p"]
    assert read.text == clean(text)


@given(st.text())
def test_any_text_stays_inside_its_attribute(text):
    written = el("p", {"title": text})

    assert Reader(written).tags == [("p", {"title": clean(text)})]


@given(st.text(st.characters()))
def test_text_is_always_fit_for_utf_8(text):
    assert unescape(escape(text).encode("utf-8").decode("utf-8")) is not None


@pytest.mark.parametrize(
    "character", ["\ud800", "\x00", "\x1b", "\x08", "\u202e", "\u2066", "\x9b"]
)
def test_a_character_that_a_browser_would_act_on_is_marked(character):
    assert clean(f"a{character}b") == "a\ufffdb"


def test_markup_is_not_escaped_twice():
    assert join(el("b", None, "x"), [Html("<hr>"), None, 3, "<"]) == "<b>x</b><hr>3&lt;"


def test_an_element_that_is_not_listed_is_a_mistake():
    with pytest.raises(ValueError, match="<object> is not an element"):
        el("object")


def test_an_attribute_that_is_not_listed_is_a_mistake():
    with pytest.raises(ValueError, match="onclick is not an attribute"):
        el("p", {"onclick": "x"})


@pytest.mark.parametrize(
    ("attributes", "written"),
    [
        ({"open": True}, " open"),
        ({"open": False, "title": None}, ""),
        ({"href": "https://example.org/?a=1&b"}, ' href="https://example.org/?a=1&amp;b"'),
        ({"href": "mailto:a@example.org"}, ' href="mailto:a@example.org"'),
        ({"href": "#cell-3"}, ' href="#cell-3"'),
        ({"href": "../index.html"}, ' href="../index.html"'),
        (
            {"href": "reports_a_ipynb/report.html#cell-3"},
            ' href="reports_a_ipynb/report.html#cell-3"',
        ),
        ({"href": "javascript:alert(1)"}, ""),
        ({"href": " javascript:alert(1)"}, ""),
        ({"href": "JaVaScRiPt:alert(1)"}, ""),
        ({"href": "data:text/html,x"}, ""),
        ({"href": "//example.org"}, ""),
        ({"href": "/etc/passwd"}, ""),
        ({"href": "../../../etc/passwd"}, ""),
        ({"href": "file:///etc/passwd"}, ""),
        ({"src": "data:image/png;base64,iVBO"}, ' src="data:image/png;base64,iVBO"'),
        ({"src": "https://example.org/x.png"}, ""),
        ({"src": "data:text/html;base64,iVBO"}, ""),
    ],
)
def test_an_address_that_could_do_more_than_be_opened_is_left_out(attributes, written):
    assert el("a", attributes) == f"<a{written}></a>"


@pytest.mark.parametrize("address", ["ftp://x", "https:x", "http://a b", "https://x\\y", ""])
def test_only_web_and_mail_addresses_are_links(address):
    assert not is_link(address)
