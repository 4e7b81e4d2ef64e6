"""Which values are secrets, by what they are called and by what they are.

The driver blots out the secrets that it knows; this is for those that only the notebook
knows. When in doubt a value is masked: its type and length are told all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "****"
SHORTEST, LONGEST = 8, 4096  # characters of a secret that is looked for in other values
_NAME = (
    r"(?:secret|passw|pwd|passphrase|credential|connection_?string|authorization|bearer"
    r"|(?:api|access|account|private|auth|signing|encryption|ssh)_?key)"
)
_SECRET = re.compile(_NAME, re.IGNORECASE)
_TOKEN = re.compile("token", re.IGNORECASE)  # of a service, or of a text: numbers are no secret
_PAIR = re.compile(
    rf"(\w*(?:{_NAME}|token)\w*['\"]?\s*[=:]\s*)(?:'[^']*'?|\"[^\"]*\"?|[^\s,;&)\]}}]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[^\s'\",]+", re.IGNORECASE)
_USER = re.compile(r"(://[^\s/:@'\"]*):[^\s/@'\"]*@")


def is_secret(name: object, value: object) -> bool:
    """Say whether a variable, key or attribute called ``name`` is to be masked."""
    if not isinstance(name, str) or value is None or isinstance(value, bool):
        return False
    number = isinstance(value, int | float)
    by_name = _SECRET.search(name) or (_TOKEN.search(name) and not number)
    # What stands in the environment is nobody's business, whatever copied it from there.
    return bool(by_name) or (isinstance(value, str) and os.environ.get(name) == value)


class Masks:
    """Blots out the secrets that are found among some variables."""

    def __init__(self, scopes: Iterable[Mapping[str, Any]] = ()) -> None:
        found = {text for scope in scopes for text in _secrets(scope)}
        forms = {form for text in found for form in (text, repr(text)[1:-1])}
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self.reach = max(map(len, ordered), default=0)  # how far one may stand over a cut

    def values(self, text: str) -> str:
        """Return ``text`` without the secrets that were found."""
        return self._known.sub(MASK, text) if self._known else text

    def text(self, text: str) -> str:
        """Return ``text`` without them and without what looks like ``password=...``."""
        text = _PAIR.sub(rf"\1{MASK}", self.values(text))
        return _USER.sub(rf"\1:{MASK}@", _BEARER.sub(rf"\1 {MASK}", text))


def _secrets(scope: Mapping[str, Any]) -> Iterable[str]:
    for name, value in list(scope.items()):
        inner = value.items() if type(value) is dict and len(value) < 1000 else ()
        for key, item in [(name, value), *inner]:
            text = _revealed(item) if is_secret_object(item) else item
            masked = text is not item or is_secret(key, item)
            if masked and type(text) is str and SHORTEST <= len(text) <= LONGEST:
                yield text


def is_secret_object(value: object) -> bool:
    """Say whether ``value`` is a :class:`sinara.secret.Secret`."""
    kind = type(value)
    return (kind.__module__, kind.__name__) == ("sinara.secret", "Secret")


def _revealed(value: Any) -> str:
    return str(value.reveal())
