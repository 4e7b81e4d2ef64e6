"""The second layer: markup cut down to what is worth showing, quickly, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.report.sanitise import sanitise
from sinara.report.scanner import Tag, Text, scan


@pytest.mark.parametrize(
    ("markup", "left"),
    [
        pytest.param("<b>a<i>b</b>c", "<b>a<i>b</i></b>c", id="closed in order"),
        pytest.param("<table><tr><td>1", "<table><tr><td>1</td></tr></table>", id="cut short"),
        pytest.param("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d", id="no markup at all"),
        pytest.param("<script>alert(1)</script>x", "x", id="script"),
        pytest.param("<SCRIPT src=x>y</sCript >z", "z", id="script in capitals"),
        pytest.param("a<script>b", "a", id="script with no end"),
        pytest.param("<p onclick=x ONLOAD=y id=z>a</p>", '<p id="z">a</p>', id="handlers"),
        pytest.param("<a href=java&#115;cript:x>a</a>", "<a>a</a>", id="script address"),
        pytest.param('<img src="https://example.org/x">', "<img>", id="outside picture"),
        pytest.param(
            '<img src="data:image/png;base64,AA" width=3>',
            '<img src="data:image/png;base64,AA" width="3">',
            id="inside picture",
        ),
        pytest.param(
            "<link rel=preconnect href=x><base href=y><meta http-equiv=refresh>a", "a", id="head"
        ),
        pytest.param(
            "<iframe src=x>a</iframe><object data=x>b</object><embed src=y>c", "c", id="frames"
        ),
        pytest.param("<form action=x><input><button>a</button></form>", "a", id="form"),
        pytest.param("<!-- a --> b <!x> c <?y> d", " b  c  d", id="comments"),
        pytest.param("<!--a--!>b-->c", "c", id="comment that ends late"),
        pytest.param(
            "<style>p{color:red}</style><p>a", "<style>p{color:red}</style><p>a</p>", id="style"
        ),
        pytest.param(
            "<style>@import 'x';p{background:URL( http://x)}</style>",
            "<style>none( 'x';p{background:none( http://x)}</style>",
            id="style that loads",
        ),
        pytest.param(
            "<svg><style><img src=x onerror=y></style></svg>",
            "<svg><style>\\3c img src=x onerror=y></style></svg>",
            id="style that is markup elsewhere",
        ),
        pytest.param(
            "<svg><circle r=3 /><text>x</text></svg><div/>a",
            '<svg><circle r="3"></circle><text>x</text></svg><div>a</div>',
            id="empty elements",
        ),
        pytest.param(
            "<svg><title>t</title></svg><title>u</title>v",
            "<svg><title>t</title></svg>v",
            id="titles",
        ),
        pytest.param("<template><b>x</b></template>y", "y", id="template"),
        pytest.param("</p></div>a", "a", id="ends with no start"),
        pytest.param("<b></b", "<b>&lt;/b</b>", id="end tag cut short"),
        pytest.param("<p a='>", "<p></p>", id="start tag cut short"),
        pytest.param("<template></b></template>y", "y", id="end tag in what is left out"),
        pytest.param("<template></b>a", "", id="left out to the end"),
        pytest.param("<x-y>a</x-y>", "a", id="unknown element"),
        pytest.param(
            "<p a=1 a=2 title='x\"y' q>b", '<p a="1" title="x&quot;y" q>b</p>', id="attributes"
        ),
        pytest.param(
            "&lt;script&gt;&amp;nbsp;", "&lt;script&gt;&amp;nbsp;", id="character references"
        ),
    ],
)
def test_what_is_left(markup, left):
    assert sanitise(markup).html == left


def test_a_link_opens_in_a_tab_of_its_own():
    left = sanitise('<a href="https://example.org/?a&b" target="_top" ping="https://x">a</a>').html

    assert left == (
        '<a href="https://example.org/?a&amp;b" target="_blank" rel="noopener noreferrer">a</a>'
    )


def test_dropped_scripts_and_frames_are_counted():
    left = sanitise("<script></script><script src=x></script><iframe></iframe><embed>")

    assert (left.scripts, left.frames) == (2, 2)


@given(st.text("<>/!-='\" abscriptyle&;x[]", max_size=60))
def test_cleaning_twice_changes_nothing_more(markup):
    once = sanitise(markup).html

    assert sanitise(once).html == once


@given(st.text())
def test_scanning_never_raises_and_keeps_plain_text(text):
    plain = text.replace("<", "").replace("&", "")

    assert "".join(token.text for token in scan(plain)) == plain
    assert all(isinstance(token, (Tag, Text)) for token in scan(text))


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<!--",
        "<!",
        "<a ",
        "<a b='",
        "</",
        "&",
        "<![",
        "<style>",
        "<a href=",
        "<b>",
        "<div><p>",
        "url(",
    ],
)
def test_hostile_markup_of_400_kb_takes_no_minutes(piece):
    """Python's own parser needs ten minutes for this, or raises; the test's time limit is less."""
    sanitise(piece * (400_000 // len(piece)))


def test_very_deep_markup_is_cut():
    assert sanitise("<div>" * 100_000).html.count("<div>") < 300
    assert sanitise("<template>" * 100_000 + "a").html == ""
