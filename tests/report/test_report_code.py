"""Highlighting: what nbconvert would show, and plain text where it cannot be."""

from __future__ import annotations

import re
import sys
from html import unescape

import pytest
from nbconvert.filters.highlight import Highlight2HTML

from sinara.report.code import code, notebook_language

SOURCES = (
    "x = 1",
    "def f(a: int = 3) -> str:\n    '''Text.'''\n    return f'{a}<&>'\n",
    "%matplotlib inline\n!ls -l\nimport os\nos?\n",
    "files = !ls\n",
    "class A(B):\n    pass  # <b>comment</b>",
)


@pytest.mark.parametrize("source", SOURCES)
def test_a_cell_has_the_colours_that_nbconvert_gives_it(source):
    theirs = re.search(r"<span></span>(.*)</pre>", Highlight2HTML()(source), re.DOTALL)

    assert code(source).removeprefix('<pre class="code"><code>').removesuffix("</code></pre>") == (
        theirs[1].rstrip("\n")
    )


@pytest.mark.parametrize("language", ["no-such-language", "<script>", "", "a" * 100, "text"])
def test_an_unknown_language_is_shown_plain(language):
    assert code("a < b", language) == '<pre class="code"><code>a &lt; b</code></pre>'


def test_a_language_that_pygments_knows_is_coloured():
    assert "<span" in code("SELECT 1", "sql")


def test_a_very_long_source_is_shown_plain():
    assert "<span" not in code("x = 1\n" * 20_000)


def test_the_failed_line_is_marked_also_after_empty_lines():
    shown = code("\n\nx = 1\ny = 2\n", marked_line=4)

    marked = re.search(r'<span class="hll">(.*?)\n</span>', shown, re.DOTALL)
    assert unescape(re.sub("<[^>]*>", "", marked[1])) == "y = 2"


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"language_info": {"name": "python", "pygments_lexer": "ipython3"}}, "ipython3"),
        ({"language_info": {"name": "R"}}, "R"),
        ({"language_info": {"pygments_lexer": {"name": "ipython", "version": 3}}}, "ipython"),
        ({"language_info": {"pygments_lexer": ["x"]}}, "ipython3"),
        ({"language_info": "x"}, "ipython3"),
        ({}, "ipython3"),
        (None, "ipython3"),
    ],
)
def test_the_language_is_the_kernels(metadata, language):
    assert notebook_language({"metadata": metadata}) == language


def test_without_ipythons_lexer_a_cell_is_read_as_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipython_pygments_lexers", None)

    assert '<span class="n">ls</span>' in code("!ls")
