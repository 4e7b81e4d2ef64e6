"""More than 200 payloads in every field that can hold text: the pages stay the pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from sinara.report import business_page, run_page, substep_page
from sinara.report.elements import ATTRIBUTES, ELEMENTS, is_link
from sinara.report.frame import LISTENER, SANDBOX
from tests.report import pages
from tests.report.xss_payloads import PAYLOADS

RELATIVE = re.compile(
    r"(#cell-\d+|\.\./index\.html|report\.ipynb|business_report\.html|[\w%./-]+(#cell-\d+)?)"
)
IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=]*")


class Inspector(HTMLParser):
    """Notes all that a page should not have outside its frames; ``srcdoc`` is but text here."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.policies = 0
        self._inside = ""
        self._title = page[page.index("<title>") : page.index("</title>")]
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        if tag not in ELEMENTS:
            self.wrong.append(f"<{tag}>")
        if tag == "iframe" and dict(attrs).get("sandbox") != SANDBOX:
            self.wrong.append("a frame with no sandbox")
        if tag == "meta" and dict(attrs).get("http-equiv") not in (None, "Content-Security-Policy"):
            self.wrong.append("a meta element that acts")
        self.policies += tag == "meta" and "http-equiv" in dict(attrs)
        for name, value in attrs:
            if name not in ATTRIBUTES or not self._is_harmless(name, value or ""):
                self.wrong.append(f"{name}={value}")

    def _is_harmless(self, name, value):
        if name == "href":
            return bool(is_link(value) or RELATIVE.fullmatch(value))
        return name != "src" or bool(IMAGE.fullmatch(value))

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script" and data != LISTENER:
            self.wrong.append(f"script {data[:100]}")

    def handle_comment(self, data):
        self.wrong.append(f"comment {data[:100]}")

    def unknown_decl(self, data):
        self.wrong.append(f"declaration {data[:100]}")


def test_there_are_more_than_200_payloads():
    assert len(set(PAYLOADS)) > 200


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 20))
def test_a_payload_in_every_field_leaves_only_listed_markup(start):
    for payload in PAYLOADS[start : start + 20]:
        record, substep = pages.poisoned_run(payload)
        notebook = pages.poisoned_notebook(payload)

        made = {
            "run": run_page(record, log_tail=[payload]),
            "substep": substep_page(record, substep, notebook),
            "business": business_page(record, substep, notebook),
        }

        for name, page in made.items():
            found = Inspector(page)
            assert found.wrong == [], (name, payload)
            assert found.policies == 1, (name, payload)
            assert "cannot be built" not in page, (name, payload)
            assert "cannot be shown" not in page, (name, payload)
            page.encode("utf-8")


def test_the_inspector_sees_what_it_is_there_for():
    """A check that finds nothing has to be able to find something."""
    page = run_page(pages.run())

    for bad in ("<object>", "<p onclick=x>", "<script>x</script>", "<iframe srcdoc=x>", "<!--x-->"):
        assert Inspector(page.replace("</main>", bad + "</main>")).wrong, bad
    assert Inspector(page.replace("</main>", '<a href="javascript:x">a</a></main>')).wrong
    assert Inspector(page).wrong == []
