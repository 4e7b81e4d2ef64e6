"""Markdown: nbconvert's reading of it, in our own elements."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown import markdown2html

from sinara.report.markdown import HasHtmlError, headings, markdown

TEXTS = (
    "# A *b*\n\ntext **c** `d` ~~e~~",
    "- a\n- b\n  1. c\n  2. d\n\n> quote  \n> hard",
    "| a | b |\n|---|:-:|\n| 1 | *2* |",
    "3. c\n4. d",
    "- [ ] open\n- [x] done",
    "```python\nx = 1\n```\n\n    indented",
    "term\n: what it is",
    "a & b < c > d",
    "***\n\nend",
)


def words(html):
    return unescape(re.sub(r"<[^>]*>", " ", html)).replace("¶", " ").split()


@pytest.mark.parametrize("text", TEXTS)
def test_the_words_are_those_that_nbconvert_shows(text):
    assert words(markdown(text)) == words(markdown2html(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# A *b*", "<h1>A <em>b</em></h1>"),
        ("3. c", '<ol start="3"><li>c</li></ol>'),
        (
            "[a](https://example.org 't')",
            '<a href="https://example.org" title="t" target="_blank" rel="noopener noreferrer">',
        ),
        ("[a](#b)", '<a href="#b">a</a>'),
        ("[a](javascript:x)", '<span title="javascript:x">a</span>'),
        ("[a](file:///etc/passwd)", '<span title="file:///etc/passwd">a</span>'),
        (
            "![a](https://example.org/x.png)",
            '<span class="note">[picture not included: https://example.org/x.png]</span>',
        ),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("$a<b$", '<code class="math">a&lt;b</code>'),
        ("$$\na\n$$", '<code class="math block">a</code>'),
        ("\\begin{align}\na&b\n\\end{align}", '<code class="math block">a&amp;b</code>'),
    ],
)
def test_a_piece_becomes_its_element(text, shown):
    assert shown in markdown(text)


def test_a_picture_that_the_cell_carries_is_shown():
    found = markdown(
        "![a *b*](attachment:x.png)", {"attachment:x.png": "data:image/png;base64,AA"}.get
    )

    assert '<img src="data:image/png;base64,AA" alt="a b">' in found


@pytest.mark.parametrize("text", ["a <b>c</b>", "<div>x</div>", "x <!-- y -->", "- <i>a</i>"])
def test_html_is_not_for_the_page(text):
    with pytest.raises(HasHtmlError):
        markdown(text)


@given(st.text("#*_`[]()!|-+>~$\\ \n:ab1.", max_size=80))
def test_any_marks_give_balanced_markup(text):
    shown = markdown(text)

    assert shown.count("<div") == shown.count("</div>")
    assert shown.count("<p>") == shown.count("</p>")


def test_deep_nesting_ends():
    """nbconvert's parser stops at six levels of quotes; emphasis has no such limit."""
    assert markdown("> " * 500 + "a")
    assert markdown("*a **b " * 200 + "**c* " * 200)


def test_headings_are_found_outside_code_only():
    text = "# One *a*\n```\n# no\n```\n## Two [b](c) ##\ntext # no"

    assert headings(text) == [(1, "One a"), (2, "Two b")]
