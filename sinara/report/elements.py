"""HTML that is safe by construction: the only place where the pages get their angle brackets.

:func:`el` escapes every text that it is given and writes only the elements and attributes
listed here, so what comes from a notebook, a parameter or a name can be text and never markup.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias


class Html(str):
    """Text that is HTML already; anything else is escaped."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"
Attributes: TypeAlias = Mapping[str, object]

VOID = frozenset({"br", "hr", "img", "input", "meta", "col"})
_ELEMENTS = """html head title style script body header main footer section nav article div p h1 h2
h3 h4 h5 h6 a span strong em code pre del sub sup blockquote ul ol li dl dt dd table caption
colgroup thead tbody tfoot tr th td details summary label time iframe figure figcaption kbd b
svg rect line"""
ELEMENTS = VOID | frozenset(_ELEMENTS.split())
_ATTRIBUTES = """class id href title alt src srcdoc sandbox open colspan rowspan scope lang type for
datetime width height viewbox preserveaspectratio x y rx start role aria-label charset name content
http-equiv rel target referrerpolicy checked disabled"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
# Text as a browser shows it, minus what it would act on: control characters, lone surrogates,
# and the marks that reorder a line so that it reads other than it runs ("Trojan Source").
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\\]+", re.IGNORECASE)
_RELATIVE = re.compile(r"#[^\s#]*|(?:\.\./)?[\w%][\w%.-]*(?:/[\w%][\w%.-]*)*(?:#[\w%.-]*)?")
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/]*={0,2}")


def clean(value: object) -> str:
    """Return ``value`` as text that any browser and any encoder takes."""
    return _UNSHOWN.sub("\ufffd", str(value)).replace("\r\n", "\n").replace("\r", "\n")


def escape(value: object) -> Html:
    """Return ``value`` as HTML text."""
    return Html(html.escape(clean(value)))


def join(*children: Child) -> Html:
    """Return the children one after the other; None is nothing."""
    return Html("".join(_flat(children)))


def _flat(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, (str, int, float)):
            yield escape(child)
        else:
            yield from _flat(child)


def el(tag: str, attributes: Attributes | None = None, *children: Child) -> Html:
    """Return one element.

    Args:
        tag: One of :data:`ELEMENTS`.
        attributes: Of :data:`ATTRIBUTES`. True is an attribute with no value; None and False
            are left out, and so is an address that could do more than be opened.
        children: Text, which is escaped, or :class:`Html`.

    Raises:
        ValueError: The element or an attribute is not listed: a mistake in this package.
    """
    if tag not in ELEMENTS:
        raise ValueError(f"<{tag}> is not an element that a report may hold")
    written = "".join(_attribute(*item) for item in (attributes or {}).items())
    if tag in VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(*children)}</{tag}>")


def _attribute(name: str, value: object) -> str:
    if name.lower() not in ATTRIBUTES:
        raise ValueError(f"{name} is not an attribute that a report may hold")
    if value is None or value is False or not _is_harmless(name, value):
        return ""
    return f" {name}" if value is True else f' {name}="{escape(value)}"'


def _is_harmless(name: str, value: object) -> bool:
    """Say whether an address can only be opened or shown: no script, no outside picture."""
    if name == "href":
        return is_link(str(value)) or _RELATIVE.fullmatch(str(value)) is not None
    if name == "src":
        return _IMAGE.fullmatch(str(value)) is not None
    return True


def is_link(address: str) -> bool:
    """Say whether ``address`` is a web or mail address that a person may open."""
    return _LINK.fullmatch(address) is not None
