"""The types that a parameter may have: what each takes, and the Python it becomes.

A type is one class with two members: ``text``, how messages call it, and ``convert``, which
takes a JSON-like value and gives a :class:`Converted`: the value as it is recorded, and the
source that makes it in the notebook. What does not fit raises :class:`Mismatch`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from sinara.params import render
from sinara.params.text import plain_scalar
from sinara.params.values import found, nearest

Path = tuple[str, ...]
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Converted:
    """A value that fits: JSON-like as it is recorded, and the source that makes it."""

    value: Any
    code: str


@dataclass(frozen=True)
class Given:
    """A value on its way to a parameter.

    Attributes:
        value: JSON-like.
        path: Where it is, from the parameter's name on.
        texts: What was typed on the command line, by path: it decides where the value, typed
            by how it looks, does not fit.
    """

    value: Any
    path: Path
    texts: Mapping[Path, str] = field(default_factory=dict)

    @property
    def text(self) -> str | None:
        """What was typed for this very value."""
        return self.texts.get(self.path)

    def inside(self, name: str, value: Any) -> Given:
        """Return a value inside this one."""
        return Given(value, (*self.path, name), self.texts)


class Mismatch(Exception):
    """A value does not fit its type.

    Attributes:
        findings: The place inside the parameter (``""`` for itself) and what is wrong there.
        private: The parameter is a secret: no other text may be made of the value.
    """

    def __init__(self, *findings: tuple[str, str], private: bool = False) -> None:
        super().__init__(*findings)
        self.findings = findings
        self.private = private


class ParamType(Protocol):
    """What the types of this module have in common."""

    @property
    def text(self) -> str:
        """The type in the words of the notebook: ``int | None``."""

    def convert(self, given: Given) -> Converted:
        """Return the value as it is recorded and as source.

        Raises:
            Mismatch: If it does not fit.
        """


def expected(kind: ParamType, given: Given) -> Mismatch:
    """Return the mismatch that names the type and what was found."""
    if is_reference(given.value):
        return Mismatch(("", f"has to be {kind.text}; found a secret. Annotate it as Secret."))
    name = given.path[0] if given.path else ""
    return Mismatch(("", f"has to be {kind.text}; found {found(name, given.value)}."))


def is_reference(value: Any) -> bool:
    """Return whether a value is, or was meant to be, a reference to a secret."""
    return isinstance(value, dict) and ("$env" in value or "$file" in value)


@dataclass(frozen=True)
class AnyType:
    """Anything that JSON can hold."""

    text: str = "Any"

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        return Converted(given.value, render.literal(given.value))


@dataclass(frozen=True)
class Scalar:
    """``str``, ``int``, ``float``, ``bool`` or ``None``; an int is a float, a bool is no int."""

    text: str
    KINDS: ClassVar[dict[str, type]] = {
        "str": str,
        "int": int,
        "float": float,
        "bool": bool,
        "None": type(None),
    }

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        kind, value = self.KINDS[self.text], given.value
        if type(value) is kind:
            return Converted(value, render.literal(value))
        if kind is float and type(value) is int:
            exact = float(value) == value
            return Converted(value, repr(float(value) if exact else value))
        if given.text is not None:
            return self._from_text(given, given.text.strip())
        raise expected(self, given)

    def _from_text(self, given: Given, text: str) -> Converted:
        if self.text == "str":
            return Converted(given.text, render.literal(given.text))
        if self.text == "bool" and text.lower() in _TRUE | _FALSE:
            return Converted(text.lower() in _TRUE, repr(text.lower() in _TRUE))
        value = plain_scalar(_LEADING_ZEROS.sub("", text))
        if self.text in ("int", "float") and type(value) in (int, float):
            return Scalar(self.text).convert(Given(value, given.path))
        raise expected(self, given)


@dataclass(frozen=True)
class LiteralType:
    """One of the values that are written in the annotation."""

    options: tuple[Any, ...]

    @property
    def text(self) -> str:
        """The type in words."""
        return "one of " + ", ".join(repr(option) for option in self.options)

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        value = given.value
        for option in self.options:
            if type(option) is type(value) and option == value:
                return Converted(option, render.literal(option))
        for option in self.options:
            if given.text is not None and str(option) == given.text.strip():
                return Converted(option, render.literal(option))
        words = [option for option in self.options if isinstance(option, str)]
        near = nearest(value, words) if isinstance(value, str) else ""
        raise Mismatch(("", f"{expected(self, given).findings[0][1]} {near}".rstrip()))


@dataclass(frozen=True)
class UnionType:
    """The first option, in the order written, that takes the value."""

    options: tuple[ParamType, ...]

    @property
    def text(self) -> str:
        """The type in words."""
        return " or ".join(option.text for option in self.options)

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        options = self.options
        if type(given.value) is int:  # an int stays an int where the union has one
            options = tuple(sorted(options, key=lambda option: option.text != "int"))
        private: Mismatch | None = None
        # First by the type that the value has; only then by what was typed.
        for texts in ({}, given.texts) if given.texts else (given.texts,):
            for option in options:
                try:
                    return option.convert(Given(given.value, given.path, texts))
                except Mismatch as mismatch:
                    private = mismatch if mismatch.private else private
        raise private or expected(self, given)


def convert_all(items: list[tuple[str, ParamType, Given]]) -> list[Converted]:
    """Convert every item, and raise one mismatch that holds the findings of all."""
    results: list[Converted] = []
    findings: list[tuple[str, str]] = []
    for place, kind, given in items:
        try:
            results.append(kind.convert(given))
        except Mismatch as mismatch:
            dot = "" if place.startswith("[") else "."
            findings += [(f"{dot}{place}{inner}", why) for inner, why in mismatch.findings]
    if findings:
        raise Mismatch(*findings)
    return results
