"""Types whose values are objects in the notebook: dates, paths, decimals, enums, secrets.

The source that makes the object calls its class as the annotation does: that name is there.
"""

from __future__ import annotations

import datetime as dt
import decimal
from dataclasses import dataclass
from typing import Any, ClassVar

from sinara.params import render
from sinara.params.kinds import Converted, Given, Mismatch, expected
from sinara.secret import read_reference

SECRET_WANTED = (
    "is a Secret, and its text must not be in a file or an argument. "
    'Give where it is: {"$env": "NAME"} or {"$file": "path"}'
)


@dataclass(frozen=True)
class Temporal:
    """``date``, ``datetime`` or ``time``, written as ISO 8601 text."""

    kind: str
    code: str  # how the notebook calls the class
    KINDS: ClassVar[dict[str, Any]] = {"date": dt.date, "datetime": dt.datetime, "time": dt.time}
    EXAMPLES: ClassVar[dict[str, str]] = {
        "date": "2025-01-31",
        "datetime": "2025-01-31T12:30:00",
        "time": "12:30:00",
    }

    @property
    def text(self) -> str:
        """The type in words."""
        return f"{self.kind} ({self.EXAMPLES[self.kind]})"

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        value = given.value if isinstance(given.value, str) else given.text
        try:
            moment = self.KINDS[self.kind].fromisoformat(value)
        except (TypeError, ValueError):
            raise expected(self, given) from None
        text = moment.isoformat()
        return Converted(text, f"{self.code}.fromisoformat({text!r})")


@dataclass(frozen=True)
class FromText:
    """``Path`` or ``Decimal``: a class called with a text."""

    kind: str
    code: str  # how the notebook calls the class

    @property
    def text(self) -> str:
        """The type in words."""
        return "Path (text)" if self.kind == "Path" else "Decimal (a number, or text like '0.10')"

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        value = given.value
        if given.text is not None and not isinstance(value, str):
            value = given.text.strip()
        if self.kind == "Decimal" and not self._is_decimal(value):
            raise expected(self, given)
        if self.kind == "Path" and (not isinstance(value, str) or not value or "\0" in value):
            raise expected(self, given)
        return Converted(
            given.value if given.text is None else value, f"{self.code}({str(value)!r})"
        )

    @staticmethod
    def _is_decimal(value: Any) -> bool:
        if type(value) not in (int, float, str):
            return False
        try:
            return decimal.Decimal(str(value)).is_finite()
        except decimal.InvalidOperation:
            return False


@dataclass(frozen=True)
class EnumType:
    """A member of an enum class of the notebook, given by its name or by its value."""

    name: str
    code: str  # how the notebook calls the class
    members: tuple[tuple[str, Any], ...]  # name and value; UNKNOWN if only running tells

    @property
    def text(self) -> str:
        """The type in words."""
        return f"{self.name} ({', '.join(name for name, _ in self.members)})"

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        value = given.value
        for name, _ in self.members:
            if name in (value, given.text):
                return Converted(name, f"{self.code}[{name!r}]")
        for name, own in self.members:
            if type(own) is type(value) and own == value:
                return Converted(value, f"{self.code}[{name!r}]")
        for name, own in self.members:
            if given.text is not None and str(own) == given.text.strip():
                return Converted(own, f"{self.code}[{name!r}]")
        raise expected(self, given)


@dataclass(frozen=True)
class SecretType:
    """A secret, given by reference only; messages never show what was given instead."""

    text: str = 'Secret ({"$env": "NAME"} or {"$file": "path"})'

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        reference = read_reference(given.value)
        if reference is None:
            raise Mismatch(("", SECRET_WANTED), private=True)
        return Converted(reference.as_json(), render.secret(reference))
