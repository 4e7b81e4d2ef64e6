"""HTML cut into tags and text, in time that grows with its length and never with an error.

Python's ``html.parser`` takes minutes for 100 KB of unclosed tags and raises for ``<![<![``;
notebooks hold what they hold. This scanner keeps to the tokenizer of the HTML standard
(13.2.5) as far as tags, attributes, comments and raw text go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

# Elements whose text has no tags in it: it ends at their own end tag only.
_RAW = "script style title textarea xmp iframe noembed noframes noscript"
RAW = frozenset(_RAW.split())
_NAME = re.compile(r"[A-Za-z][^\s/>]*")
_BETWEEN = re.compile(r"[\s/]*")
_ATTRIBUTE_NAME = re.compile(r"=?[^\s/>=]*")
_EQUALS = re.compile(r"\s*=\s*")
_BARE_VALUE = re.compile(r"[^\s>]*")


@dataclass(frozen=True)
class Tag:
    """A start tag or an end tag; names in lower case."""

    name: str
    attributes: tuple[tuple[str, str | None], ...] = ()
    is_end: bool = False
    is_empty: bool = False  # it ends in "/>"


@dataclass(frozen=True)
class Text:
    """Text with its character references resolved; of a raw element, as it stands."""

    text: str


def scan(markup: str) -> Iterator[Tag | Text]:
    """Yield the tags and the text of ``markup`` in their order; comments are left out."""
    position, length = 0, len(markup)
    while position < length:
        start = markup.find("<", position)
        if start < 0 or markup.find(">", start) < 0:  # without an end no tag can follow
            yield Text(unescape(markup[position:]))
            return
        if start > position:
            yield Text(unescape(markup[position:start]))
        token, position = _token(markup, start)
        if token is not None:
            yield token
        if isinstance(token, Tag) and not token.is_end and token.name in RAW:
            end = _raw_end(markup, position, token.name)
            yield Text(markup[position:end])
            position = end


def _token(markup: str, start: int) -> tuple[Tag | Text | None, int]:
    """Return what begins with the ``<`` at ``start``, and where the rest begins."""
    if markup.startswith("<!--", start):
        return None, _after(markup, "-->", start + 4)
    if markup.startswith(("<!", "<?"), start):
        return None, _after(markup, ">", start)
    is_end = markup.startswith("</", start)
    name = _NAME.match(markup, start + 1 + is_end)
    if name is None:
        return (None, _after(markup, ">", start)) if is_end else (Text("<"), start + 1)
    attributes, end, is_empty = _attributes(markup, name.end())
    return Tag(name[0].lower(), attributes, is_end, is_empty), end


def _after(markup: str, mark: str, start: int) -> int:
    found = markup.find(mark, start)
    return len(markup) if found < 0 else found + len(mark)


_Attributes = tuple[tuple[str, "str | None"], ...]


def _attributes(markup: str, position: int) -> tuple[_Attributes, int, bool]:
    """Return the attributes of a tag, the first of each name; where it ends; if in ``/>``."""
    found: dict[str, str | None] = {}
    while True:
        start, position = position, _end(_BETWEEN, markup, position)
        if position >= len(markup):
            return (), position, False  # the tag never ends: a browser drops it
        if markup[position] == ">":
            is_empty = position > start and markup[position - 1] == "/"
            return tuple(found.items()), position + 1, is_empty
        name_end = _end(_ATTRIBUTE_NAME, markup, position)
        name = markup[position:name_end].lower()
        value, position = _value(markup, name_end)
        found.setdefault(name, value)


def _value(markup: str, position: int) -> tuple[str | None, int]:
    equals = _EQUALS.match(markup, position)
    if equals is None:
        return None, position
    position = equals.end()
    quote = markup[position : position + 1]
    if quote in ('"', "'") and quote:
        end = markup.find(quote, position + 1)
        end = len(markup) if end < 0 else end
        return unescape(markup[position + 1 : end]), end + 1
    end = _end(_BARE_VALUE, markup, position)
    return unescape(markup[position:end]), end


def _end(pattern: re.Pattern[str], markup: str, position: int) -> int:
    match = pattern.match(markup, position)
    return match.end() if match else position


def _raw_end(markup: str, position: int, name: str) -> int:
    """Return where the text of a raw element ends: at its end tag, or with everything."""
    found = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(markup, position)
    return found.start() if found else len(markup)
