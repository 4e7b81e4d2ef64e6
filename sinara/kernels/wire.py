"""Jupyter's messages on the wire: five JSON parts, signed, over ZeroMQ.

Source:
    https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol

A message is ``[identities..., "<IDS|MSG>", signature, header, parent header, metadata,
content, buffers...]``. What a kernel sends can be of any size, so a content beyond
``limit`` is not parsed: a stream keeps its beginning, anything else is left out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DELIMITER = b"<IDS|MSG>"
VERSION = "5.3"


@dataclass(frozen=True)
class Message:
    """One message of a kernel."""

    kind: str
    parent: str  # id of the request that it belongs to, or ""
    content: dict[str, Any] = field(default_factory=dict)
    time: str = ""  # ISO 8601, from the kernel
    dropped: int = 0  # bytes of content that were not kept


class Wire:
    """Writes and reads the messages of one session."""

    def __init__(self, key: str, limit: int = 64_000_000) -> None:
        self.limit = limit
        self._key = hmac.new(key.encode(), digestmod=hashlib.sha256) if key else None
        self._session = uuid.uuid4().hex
        self._count = 0

    def request(self, kind: str, content: dict[str, Any]) -> tuple[str, list[bytes]]:
        """Return a new request: its id and its parts."""
        self._count += 1
        identity = f"{self._session}_{os.getpid()}_{self._count}"
        header = {
            "msg_id": identity,
            "session": self._session,
            "username": "sinara",
            "date": datetime.now(UTC).isoformat(),
            "msg_type": kind,
            "version": VERSION,
        }
        parts = [_pack(header), b"{}", b"{}", _pack(content)]
        return identity, [DELIMITER, self._sign(parts), *parts]

    def read(self, frames: Sequence[memoryview]) -> Message | None:
        """Return the message in ``frames``, or ``None`` if it is not one that we can trust."""
        start = next((i for i, frame in enumerate(frames) if frame == DELIMITER), None)
        if start is None or len(frames) < start + 6:
            return None
        signature, header, parent, metadata, content = frames[start + 1 : start + 6]
        if self._key is not None:
            expected = self._sign([header, parent, metadata, content])
            if not hmac.compare_digest(expected, bytes(signature)):
                return None
        try:
            head, above = _unpack(header), _unpack(parent)
            kind = str(head["msg_type"])
            body, dropped = self._content(kind, content)
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return Message(kind, str(above.get("msg_id", "")), body, str(head.get("date", "")), dropped)

    def _content(self, kind: str, content: memoryview) -> tuple[dict[str, Any], int]:
        if len(content) <= self.limit:
            return _unpack(content), 0
        kept = content[: self.limit]
        if kind != "stream":
            return {}, len(content)
        name = "stderr" if b'"stderr"' in bytes(kept[:64]) else "stdout"
        start = bytes(kept[:64]).find(b'"text": "')
        if start < 0:
            return {"name": name, "text": ""}, len(content)
        return {"name": name, "text": _cut_string(bytes(kept[start + 9 :]))}, len(
            content
        ) - self.limit

    def _sign(self, parts: Sequence[bytes | memoryview]) -> bytes:
        if self._key is None:
            return b""
        signer = self._key.copy()
        for part in parts:
            signer.update(part)
        return signer.hexdigest().encode()


def _pack(value: dict[str, Any]) -> bytes:
    # Escapes keep a lone surrogate in the source of a cell sendable.
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode()


def _unpack(part: memoryview) -> dict[str, Any]:
    value = json.loads(str(part, "utf-8", "replace"))
    if not isinstance(value, dict):
        raise TypeError(type(value))
    return value


def _cut_string(data: bytes) -> str:
    r"""Return the text of a JSON string that was cut somewhere, perhaps within ``\u00e9``."""
    for back in range(14):  # the longest escape is a pair of surrogates, twelve bytes
        try:
            text: str = json.loads(
                b'"' + data[: len(data) - back].decode("utf-8", "ignore").encode() + b'"'
            )
        except ValueError:
            continue
        # The first half of a pair of surrogates is nothing without the second.
        return text[:-1] if "\ud800" <= text[-1:] < "\udc00" else text
    return ""
