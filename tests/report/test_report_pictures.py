"""Pictures: real ones inside the page, others not at all."""

from __future__ import annotations

import base64

import pytest

from sinara.report.pictures import data_address, joined, picture
from tests.report import pages


def test_a_picture_becomes_an_address_inside_the_page():
    assert data_address("image/png", pages.png()) == f"data:image/png;base64,{pages.png()}"


def test_line_breaks_of_a_notebook_file_are_taken_out():
    broken = [pages.png()[:10] + "\n", pages.png()[10:]]

    assert data_address("image/png", broken) == f"data:image/png;base64,{pages.png()}"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("image/png", "no base64!"),
        ("image/png", base64.b64encode(b"<script>").decode()),
        ("image/png", '"><script>'),
        ("image/jpeg", pages.png()),
        ("text/html", pages.png()),
        ("image/png", None),
        ("image/png", {"a": 1}),
        ("image/svg+xml", ""),
    ],
)
def test_what_is_no_picture_of_its_kind_is_not_shown(kind, value):
    assert data_address(kind, value) is None


def test_an_svg_is_a_picture_where_its_scripts_are_dead():
    shown = picture("image/svg+xml", "<svg onload='x'><script>y</script></svg>", "a", {})

    assert shown.startswith('<img src="data:image/svg+xml;base64,')
    assert "script" not in shown


@pytest.mark.parametrize(
    ("metadata", "size"),
    [
        ({"image/png": {"width": 300, "height": 200}}, ' width="300" height="200"'),
        ({"width": "40", "height": 20.5}, ' width="40" height="20"'),
        ({"width": '1" onload="x', "height": "<b>"}, ""),
        ({"width": -1, "height": 10**9}, ""),
        ({"width": "nan", "height": "inf"}, ""),
        ({"width": None, "height": [1]}, ""),
        ({"image/png": "x", "width": 7}, ' width="7"'),
    ],
)
def test_only_a_size_in_pixels_is_a_size(metadata, size):
    shown = picture("image/png", pages.png(), "x", metadata)

    assert shown.split('alt="x"')[1] == f"{size}>"


@pytest.mark.parametrize(
    ("value", "text"), [(["a", "b"], "ab"), ("a", "a"), (None, ""), (3, "3"), (b"\xff", "\ufffd")]
)
def test_a_value_of_a_notebook_is_a_text_or_its_lines(value, text):
    assert joined(value) == text
