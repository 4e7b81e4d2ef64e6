"""Take secrets out of what a notebook says, also when one is split over two pieces."""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from collections.abc import Sequence
from typing import Any

MASK = "****"


class Redactor:
    """Replaces every known secret by ``****``.

    A value is also found as ``repr``, JSON, HTML and URL write it.
    """

    def __init__(self, values: Sequence[str]) -> None:
        forms = {form for value in values if value for form in _forms(value)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    def text(self, text: str) -> str:
        """Return ``text`` without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets in its strings, keys included."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        return value

    def split(self, text: str) -> tuple[str, str]:
        """Return the clean text that is complete, and the tail that may begin a secret.

        The tail is given back by the caller in front of what comes next.
        """
        if self._pattern is None:
            return text, ""
        ends = [found.end() for found in self._pattern.finditer(text)]
        rest = text[ends[-1] :] if ends else text
        cut = len(text) - max(_overlap(rest, form) for form in self._forms)
        return self.text(text[:cut]), text[cut:]


def _forms(value: str) -> set[str]:
    return {
        value,
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        urllib.parse.quote(value, safe="", errors="replace"),
    }


def _overlap(text: str, form: str) -> int:
    """Return how much of the end of ``text`` is a proper beginning of ``form``."""
    start = text.find(form[0], max(0, len(text) - len(form) + 1))
    while start >= 0:
        if form.startswith(text[start:]):
            return len(text) - start
        start = text.find(form[0], start + 1)
    return 0
