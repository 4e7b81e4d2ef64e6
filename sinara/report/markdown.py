"""Markdown as HTML: parsed by nbconvert's parser, written by our own elements.

nbconvert knows what Jupyter calls Markdown (mathematics above all). Its parser gives a tree,
and each node of the tree becomes an element here, its text escaped. Markdown with HTML
in it does not go that way: :func:`sinara.report.outputs.markdown_block` shows it in a frame.

Mathematics stays TeX, set apart: to typeset it takes a library of megabytes in every page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import unescape
from typing import Any

from sinara.report.code import code
from sinara.report.elements import Html, clean, el, is_link, join

LARGEST = 50_000  # characters; longer texts are shown as they were typed

Node = Mapping[str, Any]
Pictures = Callable[[str], str | None]  # address in the text -> data: address, or None


class HasHtmlError(Exception):
    """The text holds HTML, so it is not for the page itself."""


@cache
def _parser() -> Any:
    from mistune import Markdown
    from mistune.plugins import import_plugin
    from nbconvert.filters.markdown_mistune import (
        MarkdownWithMath,
        MathBlockParser,
        MathInlineParser,
    )

    plugins = [import_plugin(name) for name in MarkdownWithMath.DEFAULT_PLUGINS]
    return Markdown(None, block=MathBlockParser(), inline=MathInlineParser(), plugins=plugins)


def markdown(text: str, pictures: Pictures = lambda _: None) -> Html:
    """Return Markdown ``text`` as HTML.

    Args:
        text: As it stands in the cell.
        pictures: Finds the picture of an address such as ``attachment:plot.png``.

    Raises:
        HasHtmlError: It holds HTML.
    """
    nodes = _parser()(clean(text))
    return el("div", {"class": "markdown"}, _Writer(pictures).nodes(nodes))


def headings(text: str) -> list[tuple[int, str]]:
    """Return the level and the text of the ``#`` headings of Markdown ``text``."""
    without_code = re.sub(r"^(```|~~~).*?^\1", "", clean(text), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t#]*$", without_code, re.MULTILINE)
    return [(len(marks), re.sub(r"[*_`]|\]\([^)]*\)|\[", "", title)) for marks, title in found]


_SIMPLE = {
    "paragraph": "p",
    "emphasis": "em",
    "strong": "strong",
    "strikethrough": "del",
    "block_quote": "blockquote",
    "list_item": "li",
    "table_row": "tr",
    "table_body": "tbody",
    "def_list": "dl",
    "def_list_head": "dt",
    "def_list_item": "dd",
}
_NESTING = frozenset({"block_text"})
_NOTHING = frozenset({"blank_line"})


class _Writer:
    """Writes the nodes of one text."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def nodes(self, nodes: Sequence[Node]) -> Html:
        return join([self._node(node) for node in nodes])

    def _node(self, node: Node) -> Html:
        kind = str(node.get("type"))
        if kind in ("block_html", "inline_html"):
            raise HasHtmlError
        if kind in _NOTHING:
            return Html("")
        children = self.nodes(node.get("children") or [])
        if kind in _NESTING:
            return children
        if kind in _SIMPLE:
            return el(_SIMPLE[kind], None, children)
        write = getattr(self, f"_{kind}", None)
        return write(node, children) if write else join(node.get("raw"), children)

    def _heading(self, node: Node, children: Html) -> Html:
        return el(f"h{min(max(int(node['attrs']['level']), 1), 6)}", None, children)

    def _list(self, node: Node, children: Html) -> Html:
        attributes = node.get("attrs") or {}
        if not attributes.get("ordered"):
            return el("ul", None, children)
        return el("ol", {"start": attributes.get("start")}, children)

    def _task_list_item(self, node: Node, children: Html) -> Html:
        box = {"type": "checkbox", "disabled": True, "checked": bool(node["attrs"].get("checked"))}
        return el("li", {"class": "task"}, el("input", box), " ", children)

    def _table(self, _: Node, children: Html) -> Html:
        return el("div", {"class": "scroll"}, el("table", {"class": "grid"}, children))

    def _table_head(self, _: Node, children: Html) -> Html:
        return el("thead", None, el("tr", None, children))

    def _table_cell(self, node: Node, children: Html) -> Html:
        attributes = node.get("attrs") or {}
        align = attributes.get("align")
        side = f"align-{align}" if align in ("left", "right", "center") else None
        return el("th" if attributes.get("head") else "td", {"class": side}, children)

    def _text(self, node: Node, _: Html) -> Html:
        return join(node.get("raw"))

    def _codespan(self, node: Node, _: Html) -> Html:
        return el("code", None, node.get("raw"))

    def _linebreak(self, _: Node, __: Html) -> Html:
        return el("br")

    def _softbreak(self, _: Node, __: Html) -> Html:
        return join("\n")

    def _thematic_break(self, _: Node, __: Html) -> Html:
        return el("hr")

    def _block_code(self, node: Node, _: Html) -> Html:
        words = str((node.get("attrs") or {}).get("info") or "").split()
        return code(str(node.get("raw", "")).rstrip("\n"), words[0] if words else "text")

    def _link(self, node: Node, children: Html) -> Html:
        address = str(node["attrs"].get("url", ""))
        if not (is_link(address) or address.startswith("#")):
            return el("span", {"title": address}, children)
        away = {"target": "_blank", "rel": "noopener noreferrer"} if is_link(address) else {}
        return el("a", {"href": address, "title": node["attrs"].get("title"), **away}, children)

    def _image(self, node: Node, children: Html) -> Html:
        address = str(node["attrs"].get("url", ""))
        words = unescape(re.sub(r"<[^>]*>", "", children))
        found = self._pictures(address)
        if found is None:
            return el("span", {"class": "note"}, f"[picture not included: {address}]")
        return el("img", {"src": found, "alt": words})

    def _inline_math(self, node: Node, _: Html) -> Html:
        return el("code", {"class": "math"}, node.get("raw"))

    def _block_math(self, node: Node, _: Html) -> Html:
        return el("code", {"class": "math block"}, str(node.get("raw", "")).strip())

    def _latex_environment(self, node: Node, _: Html) -> Html:
        return el("code", {"class": "math block"}, str(node["attrs"].get("body", "")).strip())
