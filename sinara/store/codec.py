"""Sealed JSON: a body and its digest in one file, in one way of writing only.

::

    {"body":{...},"sha256":"<SHA-256 of the body's bytes as they stand>"}

The encoding is canonical (sorted keys, no spaces, UTF-8), and a file that is not byte
for byte what encoding its body gives is refused. So every flipped bit is found, even
one that JSON would forgive.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sinara.errors import CorruptError


def canonical(value: Any) -> bytes:
    """Return ``value`` as canonical JSON.

    Raises:
        ValueError: If the value holds NaN or an infinity.
        TypeError: If the value is not JSON.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def seal(body: dict[str, Any]) -> tuple[bytes, str]:
    """Return the bytes of a sealed file, and the SHA-256 of its body in hex."""
    inner = canonical(body)
    digest = hashlib.sha256(inner).hexdigest()
    return _wrap(inner, digest), digest


def unseal(data: bytes, where: str) -> tuple[dict[str, Any], str]:
    """Return the body of a sealed file, and its SHA-256 in hex.

    Args:
        data: What the file holds.
        where: The file, for the error.

    Raises:
        CorruptError: If the file is not what :func:`seal` gave.
    """
    try:
        body = json.loads(data)["body"]
        inner = canonical(body)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CorruptError(f"{where} is damaged: it is no sealed JSON.") from error
    digest = hashlib.sha256(inner).hexdigest()
    if not isinstance(body, dict) or data != _wrap(inner, digest):
        raise CorruptError(f"{where} is damaged: it differs from its digest.")
    return body, digest


def _wrap(inner: bytes, digest: str) -> bytes:
    return b'{"body":' + inner + b',"sha256":"' + digest.encode("ascii") + b'"}\n'
