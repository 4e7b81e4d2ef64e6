"""Lists, tuples, sets and dictionaries of types; JSON writes the first three as a list."""

from __future__ import annotations

from dataclasses import dataclass

from sinara.params.kinds import (
    AnyType,
    Converted,
    Given,
    ParamType,
    convert_all,
    expected,
    is_reference,
)
from sinara.params.values import join


@dataclass(frozen=True)
class SequenceType:
    """A list, tuple or set whose items have one type; JSON writes each as a list."""

    kind: str  # "list", "tuple", "set", "frozenset"
    item: ParamType

    @property
    def text(self) -> str:
        """The type in words."""
        inner = "" if isinstance(self.item, AnyType) else f"[{self.item.text}]"
        return f"{self.kind}{inner}"

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        if not isinstance(given.value, list):
            raise expected(self, given)
        items = convert_all(
            [(f"[{i}]", self.item, given.inside(str(i), v)) for i, v in enumerate(given.value)]
        )
        return Converted([item.value for item in items], _sequence_code(self.kind, items))


@dataclass(frozen=True)
class TupleType:
    """A tuple with a type for each place."""

    items: tuple[ParamType, ...]

    @property
    def text(self) -> str:
        """The type in words."""
        return f"tuple[{', '.join(item.text for item in self.items) or '()'}]"

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        if not isinstance(given.value, list) or len(given.value) != len(self.items):
            raise expected(self, given)
        pairs = enumerate(zip(self.items, given.value, strict=True))
        items = convert_all([(f"[{i}]", t, given.inside(str(i), v)) for i, (t, v) in pairs])
        return Converted([item.value for item in items], _sequence_code("tuple", items))


@dataclass(frozen=True)
class DictType:
    """A dictionary; JSON writes every key as text, so a key is converted from text."""

    key: ParamType
    value: ParamType

    @property
    def text(self) -> str:
        """The type in words."""
        if isinstance(self.key, AnyType) and isinstance(self.value, AnyType):
            return "dict"
        return f"dict[{self.key.text}, {self.value.text}]"

    def convert(self, given: Given) -> Converted:
        """Return the value as recorded and as source, or raise `Mismatch`."""
        if not isinstance(given.value, dict) or is_reference(given.value):
            raise expected(self, given)
        keys = convert_all(
            [(join("", k), self.key, Given(k, (k,), {(k,): k})) for k in given.value]
        )
        items = convert_all(
            [(join("", k), self.value, given.inside(k, v)) for k, v in given.value.items()]
        )
        pairs = ", ".join(f"{k.code}: {v.code}" for k, v in zip(keys, items, strict=True))
        record = {k: item.value for k, item in zip(given.value, items, strict=True)}
        return Converted(record, "{" + pairs + "}")


def _sequence_code(kind: str, items: list[Converted]) -> str:
    inner = ", ".join(item.code for item in items)
    if kind == "list":
        return f"[{inner}]"
    if kind == "tuple":
        return f"({inner},)" if items else "()"
    return f"{kind}([{inner}])"
