"""Outputs: each in its best form, cut where it is too long, never raising."""

from __future__ import annotations

from html import unescape

import pytest

from sinara.report import budget
from sinara.report.budget import Budget
from sinara.report.outputs import Place, markdown_block, outputs
from tests.report import pages


def show(*given, left=budget.PAGE, **more):
    return outputs(list(given), Place("cell 3", Budget(left), **more))


def test_pieces_of_a_stream_are_one_and_streams_stay_apart():
    shown = show(
        pages.stream("a"), pages.stream("b\n"), pages.stream("c", "stderr"), pages.stream("d")
    )

    assert shown.count("<pre>") == 3
    assert "<pre>ab\n</pre>" in shown
    assert 'class="out stream stderr"><pre>c</pre>' in shown


def test_a_traceback_keeps_its_colours():
    shown = show(pages.raised(traceback=("\x1b[31mValueError\x1b[0m", "line <2>")))

    assert '<span class="ansi-red-fg">ValueError</span>\nline &lt;2&gt;' in shown


def test_an_error_without_a_traceback_is_named():
    assert "KeyError: x" in show(pages.raised("KeyError", "x", []))


def test_a_business_report_names_an_error_in_a_line():
    shown = show(pages.raised("KeyError", "\x1b[31mx", ("File /a.py",)), tracebacks=False)

    assert shown == '<p class="alert">This cell failed: KeyError: x</p>'


def test_html_is_shown_in_a_frame_only():
    shown = show(
        pages.shown({"text/html": "<table><tr><td>a</td></tr></table>", "text/plain": "a"})
    )

    assert shown.startswith('<div class="out"><iframe class="output"')
    assert "<table>" not in shown
    assert "<table><tr><td>a</td></tr></table>" in unescape(shown)


def test_a_plot_that_needs_scripts_is_shown_as_its_picture_with_a_note():
    html = "<div id=plot></div><script>draw()</script>"

    shown = show(pages.shown({"text/html": html, "image/png": pages.png(), "text/plain": "Figure"}))

    assert "Scripts of an output do not run in a report" in shown
    assert "<img " in shown
    assert "<iframe" not in shown


def test_html_that_keeps_something_without_its_scripts_is_shown_with_a_note():
    shown = show(pages.shown({"text/html": "<p>left</p><script>x</script>"}))

    assert "<iframe" in shown
    assert "Scripts of an output do not run" in shown


def test_blank_html_gives_way_to_the_text():
    assert "<pre>the text</pre>" in show(
        pages.shown({"text/html": "<div></div>", "text/plain": "the text"})
    )


def test_a_widget_is_a_note_and_its_text():
    view = {
        "application/vnd.jupyter.widget-view+json": {"model_id": "x"},
        "text/plain": "IntSlider(3)",
    }

    shown = show(pages.shown(view))

    assert "open in JupyterLab" in shown
    assert "<pre>IntSlider(3)</pre>" in shown


def test_plotly_without_a_picture_is_a_note():
    assert "open in JupyterLab" in show(
        pages.shown({"application/vnd.plotly.v1+json": {"data": []}})
    )


def test_a_picture_is_described_by_the_text_that_came_with_it():
    shown = show(pages.shown({"image/png": pages.png(), "text/plain": "<Figure size 10x10>"}))

    assert 'alt="&lt;Figure size 10x10&gt;"' in shown


def test_a_damaged_picture_gives_way_to_the_text():
    assert "<pre>a figure</pre>" in show(pages.shown({"image/png": "!", "text/plain": "a figure"}))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"text/latex": "$$a<b$$"}, '<code class="math block">a&lt;b</code>'),
        ({"application/json": {"a": ["é"]}}, "<pre>{\n  &quot;a&quot;: [\n    &quot;é&quot;"),
        ({"text/markdown": "*a*"}, "<em>a</em>"),
        ({"text/markdown": "<b>a</b>"}, "<iframe"),
        ({"application/pdf": "x"}, "not shown here (application/pdf)"),
        ({}, "not shown here (nothing)"),
    ],
)
def test_each_kind_has_its_form(data, words):
    assert words in show(pages.shown(data))


def test_a_long_text_shows_both_ends_and_what_is_left_out():
    text = "first\n" + "x" * 1_000_000 + "\nlast"

    shown = show(pages.stream(text))

    assert len(shown) < budget.TEXT * 1.1
    assert shown.startswith('<div class="out stream stdout"><pre>first\n')
    assert shown.endswith("last</pre></div>")
    assert (
        '800,011 characters are left out here; the whole output is in <a href="report.ipynb">'
        in shown
    )


def test_long_html_is_cut_and_closed():
    shown = show(pages.shown({"text/html": "<table>" + "<tr><td>x</td></tr>" * 200_000}))

    assert "characters are left out here; the rest is in" in shown
    assert "</table></div>" in unescape(shown)


def test_a_large_picture_is_a_link():
    shown = show(pages.shown({"image/svg+xml": "<svg>" + "x" * budget.PICTURE}))

    assert "A picture of 8,000,005 characters is in" in shown
    assert "<img" not in shown


def test_a_page_takes_in_no_more_than_its_budget():
    shown = show(*[pages.stream("x" * 1000, str(i)) for i in range(100)], left=5_000)

    assert shown.count("x") < 6_000


@pytest.mark.parametrize(
    "strange",
    [
        None,
        3,
        "text",
        [3],
        [None],
        [{}],
        [{"output_type": "stream"}],
        [{"output_type": "stream", "text": 3, "name": []}],
        [{"output_type": "error", "traceback": 3}],
        [{"output_type": "error", "ename": None, "evalue": ["a"], "traceback": [None, 3]}],
        [{"output_type": "display_data", "data": []}],
        [{"output_type": "display_data", "data": {"text/html": None}, "metadata": 3}],
        [{"output_type": "display_data", "data": {3: 4}}],
        [{"output_type": "display_data", "data": {"text/plain": {"a": object()}}}],
    ],
)
def test_strange_outputs_are_shown_somehow(strange):
    assert outputs(strange, Place("cell 0", Budget())) is not None


def test_markdown_pictures_come_from_the_cell_and_nowhere_else():
    text = "![a](attachment:a.png) ![b](attachment:b.png) ![c](/etc/passwd)"
    attached = {"a.png": {"image/png": pages.png()}, "b.png": 3}

    shown = markdown_block(text, attached, Place("cell 0", Budget()))

    assert shown.count("<img") == 1
    assert "[picture not included: attachment:b.png]" in shown
    assert "[picture not included: /etc/passwd]" in shown


def test_very_long_markdown_is_shown_as_it_was_typed():
    shown = markdown_block("# a\n" * 50_000, None, Place("cell 0", Budget()))

    assert "<h1>" not in shown
    assert "# a\n# a" in shown
