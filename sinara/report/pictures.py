"""Pictures as ``data:`` addresses: inert, and inside the page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sinara.report.elements import Html, el

_MAGIC = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
KINDS = tuple(_MAGIC)
_WIDEST = 10_000  # pixels


def data_address(kind: str, value: object) -> str | None:
    """Return the address of a picture, or None if ``value`` is no picture of that ``kind``.

    Args:
        kind: A MIME type of :data:`KINDS`, or ``image/svg+xml``.
        value: Base64 as a notebook has it; of an SVG, its source.
    """
    text = joined(value)
    if kind == "image/svg+xml":
        # As a picture an SVG runs no script and loads nothing: SVG 2, "secure static mode".
        data = text.encode("utf-8", "replace")
        return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}" if text else None
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        return None
    if not data.startswith(_MAGIC.get(kind, (b"\x00never",))):
        return None
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def picture(kind: str, value: object, alt: str, metadata: Mapping[str, Any]) -> Html | None:
    """Return a picture at the size that its output asks for, or None if it is none."""
    address = data_address(kind, value)
    if address is None:
        return None
    size = metadata.get(kind)
    wanted: Mapping[str, Any] = size if isinstance(size, Mapping) else metadata
    width, height = (_pixels(wanted.get(side)) for side in ("width", "height"))
    attributes = {"src": address, "alt": alt[:300], "width": width, "height": height}
    return el("img", attributes)


def _pixels(value: object) -> int | None:
    """Return a width or height in pixels; whatever is no number of pixels is none."""
    try:
        number = int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return number if 0 < number <= _WIDEST else None


def joined(value: object) -> str:
    """Return the text of a MIME value: notebooks hold a text or a list of its lines."""
    if isinstance(value, (list, tuple)):
        return "".join(str(line) for line in value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
