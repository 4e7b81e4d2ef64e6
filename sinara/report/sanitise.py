"""HTML from a notebook, cut down to what is worth showing in a frame.

This is no boundary: the frame's sandbox and policy are (:mod:`sinara.report.frame`). It
keeps a report quiet and whole: what a policy would block anyway leaves no error in the console,
``<link rel=preconnect>``, which no policy blocks, is gone, a link opens in a tab of its own and
not in the frame, and markup that was cut short is closed again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from sinara.report.elements import clean, is_link
from sinara.report.scanner import RAW, Tag, Text, scan

_HTML = """a abbr address article aside b bdi bdo big blockquote br caption center cite code col
colgroup dd del details dfn div dl dt em fieldset figcaption figure font footer h1 h2 h3 h4 h5 h6
header hr i img ins kbd label legend li main mark meter nav ol p pre progress q rp rt ruby s samp
section small span strike strong style sub summary sup table tbody td tfoot th thead time tr tt u ul
var wbr"""
_SVG = """svg g path rect circle ellipse line polyline polygon text tspan textpath defs use symbol
clippath mask pattern lineargradient radialgradient stop marker title desc image filter
feGaussianBlur feOffset feBlend feColorMatrix feFlood feComposite feMerge feMergeNode"""
_MATHML = """math mi mn mo ms mtext mspace mrow mfrac msqrt mroot mstyle mpadded mphantom msub msup
msubsup munder mover munderover mtable mtr mtd semantics annotation menclose merror"""
_ALLOWED = frozenset(f"{_HTML} {_SVG} {_MATHML}".lower().split())
_VOID = frozenset({"br", "hr", "img", "col", "wbr"})
# Elements that go with all that is in them: their text is not for people.
_SILENT = frozenset({"template", "object", "applet"}) | (RAW - {"style", "title"})
_FRAMES = frozenset({"iframe", "object", "embed", "applet", "frame"})
_ADDRESSES = frozenset({"href", "xlink:href", "src"})
_NOT_KEPT = """action autofocus background cite data dynsrc formaction longdesc lowsrc manifest ping
poster profile srcdoc srcset usemap xml:base target rel http-equiv integrity nonce"""
_DROPPED = frozenset(_NOT_KEPT.split())
_ATTRIBUTE = re.compile(r"[A-Za-z_][\w:.-]*")
_DATA_IMAGE = re.compile(r"data:image/[a-z+.-]+[;,]", re.IGNORECASE)
# What a style would load, and the policy would only complain about.
_LOADS = re.compile(r"url\((?!\s*['\"]?(?:data:|#))|@import", re.IGNORECASE)
_DEEPEST = 200


@dataclass(frozen=True)
class Sanitised:
    """What is left of some HTML."""

    html: str
    scripts: int  # <script> elements that were dropped
    frames: int  # frames and plug-ins that were dropped


def sanitise(markup: str) -> Sanitised:
    """Return ``markup`` with listed elements only, closed in the order they were opened."""
    writer = _Writer()
    for token in scan(clean(markup)):
        if isinstance(token, Text):
            writer.text(token.text)
        elif token.is_end:
            writer.end(token.name)
        else:
            writer.start(token)
    return Sanitised(writer.result(), writer.scripts, writer.frames)


class _Writer:
    """Writes anew what was read, so nothing unlisted gets through by being odd."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._open: list[str] = []
        self._silent: list[str] = []
        self.scripts = 0
        self.frames = 0

    def result(self) -> str:
        return "".join(self._out) + "".join(f"</{tag}>" for tag in reversed(self._open))

    def start(self, tag: Tag) -> None:
        name = tag.name
        self.scripts += name == "script"
        self.frames += name in _FRAMES
        if name in _SILENT or (name == "title" and "svg" not in self._open):
            if not self._silent or len(self._silent) < _DEEPEST:
                self._silent.append(name)
            return
        if self._silent or name not in _ALLOWED or len(self._open) > _DEEPEST:
            return
        self._out.append(f"<{name}{''.join(_attribute(name, *pair) for pair in tag.attributes)}>")
        if tag.is_empty and self._is_drawing(name):
            self._out.append(f"</{name}>")
        elif name not in _VOID:
            self._open.append(name)

    def _is_drawing(self, name: str) -> bool:
        """Say whether ``/>`` closes an element: in SVG and MathML it does, in HTML it does not."""
        return any(root == name or root in self._open for root in ("svg", "math"))

    def end(self, name: str) -> None:
        if self._silent:
            if name == self._silent[-1]:
                self._silent.pop()
            return
        if name not in self._open:
            return
        while True:
            top = self._open.pop()
            self._out.append(f"</{top}>")
            if top == name:
                return

    def text(self, text: str) -> None:
        if self._silent:
            return
        if self._open and self._open[-1] == "style":
            self._out.append(_css(text.replace("<", "\\3c ")))  # no markup begins in a style
        else:
            self._out.append(escape(text, quote=False))


def _css(text: str) -> str:
    return _LOADS.sub("none(", text)


def _attribute(tag: str, name: str, value: str | None) -> str:
    if name.startswith("on") or name in _DROPPED or not _ATTRIBUTE.fullmatch(name):
        return ""
    if value is None:
        return f" {name}"
    if name == "style":
        return f' style="{escape(_css(value))}"'
    if name not in _ADDRESSES:
        return f' {name}="{escape(value)}"'
    if tag == "a" and is_link(value):
        return f' href="{escape(value)}" target="_blank" rel="noopener noreferrer"'
    inert = value.startswith("#") or (name == "src" and _DATA_IMAGE.match(value))
    return f' {name}="{escape(value)}"' if inert else ""
