"""Annotations as types, read from the notebook's source.

What a name means is looked up in the imports, classes and assignments of the parameters
cell and of the cells before it; a name that none of them binds is taken for the one of the
standard library (it may come from a start-up file).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sinara.params.containers import DictType, SequenceType, TupleType
from sinara.params.kinds import AnyType, LiteralType, ParamType, Scalar, UnionType
from sinara.params.objects import EnumType, FromText, SecretType, Temporal
from sinara.params.source import UNKNOWN, NotPythonError, constant, parse

_SCALARS = {"str", "int", "float", "bool"}
_SEQUENCES = {
    "list": "list",
    "set": "set",
    "frozenset": "frozenset",
    "tuple": "tuple",
    "typing.List": "list",
    "typing.Sequence": "list",
    "typing.Iterable": "list",
    "typing.Collection": "list",
    "typing.MutableSequence": "list",
    "typing.Set": "set",
    "typing.FrozenSet": "frozenset",
    "typing.Tuple": "tuple",
}
_DICTS = {"dict", "typing.Dict", "typing.Mapping", "typing.MutableMapping"}
_ANY = {"typing.Any", "object"}
_TRANSPARENT = {"typing.Annotated", "typing.Final"}
_CLASSES: dict[str, tuple[str, Callable[[str, str], ParamType]]] = {
    "datetime.date": ("date", Temporal),
    "datetime.datetime": ("datetime", Temporal),
    "datetime.time": ("time", Temporal),
    "pathlib.Path": ("Path", FromText),
    "decimal.Decimal": ("Decimal", FromText),
}
SECRET = "sinara.secret.Secret"
_BARE = {
    name.rpartition(".")[2]: name
    for name in (*_SEQUENCES, *_DICTS, *_ANY, *_TRANSPARENT, *_CLASSES, SECRET)
} | {name: f"typing.{name}" for name in ("Literal", "Optional", "Union")}
_ENUMS = {"enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag"}
_MAX_DEPTH = 32


@dataclass
class Names:
    """What the names of a notebook stand for, as far as its source tells."""

    imports: dict[str, str] = field(default_factory=dict)  # local name -> full name
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)

    def add(self, statements: Iterable[ast.stmt]) -> None:
        """Note what the statements bind; a later binding replaces an earlier one."""
        for statement in statements:
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self._bind(name, imported=alias.name if alias.asname else name)
            elif isinstance(statement, ast.ImportFrom) and not statement.level:
                for alias in statement.names:
                    full = f"{statement.module}.{alias.name}"
                    self._bind(alias.asname or alias.name, imported=full)
            elif isinstance(statement, ast.ClassDef):
                self._bind(statement.name, defined=statement)
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self._bind(statement.targets[0].id, value=statement.value)
            elif isinstance(statement, ast.If | ast.Try):
                self.add(statement.body)

    def _bind(
        self,
        name: str,
        *,
        imported: str | None = None,
        defined: ast.ClassDef | None = None,
        value: ast.expr | None = None,
    ) -> None:
        tables: tuple[tuple[dict[str, Any], Any], ...] = (
            (self.imports, imported),
            (self.classes, defined),
            (self.values, value),
        )
        for table, item in tables:
            table.pop(name, None)
            if item is not None:
                table[name] = item

    def full(self, node: ast.expr) -> str:
        """Return the full name that an expression stands for, or an empty string."""
        if isinstance(node, ast.Attribute):
            owner = self.full(node.value)
            return _canonical(f"{owner}.{node.attr}") if owner else ""
        if not isinstance(node, ast.Name):
            return ""
        if node.id in self.imports:
            return _canonical(self.imports[node.id])
        if node.id in self.classes or node.id in self.values:
            return ""
        return _BARE.get(node.id, node.id)


def _canonical(name: str) -> str:
    """Return one spelling for the modules that hold the same types."""
    module, _, last = name.rpartition(".")
    if module in ("collections.abc", "typing_extensions"):
        return f"typing.{last}"
    if module == "sinara.substep" and last == "Secret":
        return SECRET
    return name.removeprefix("builtins.")


def read_type(node: ast.expr, names: Names, notes: list[str]) -> ParamType:
    """Return the type that an annotation stands for.

    Args:
        node: The annotation.
        names: What the notebook's names mean.
        notes: Gets one text for each part that is not understood and is taken for ``Any``.
    """
    return _Reader(names, notes).read(node, 0)


@dataclass
class _Reader:
    names: Names
    notes: list[str]

    def read(self, node: ast.expr, depth: int) -> ParamType:
        if depth > _MAX_DEPTH:
            return self.unknown(node)
        if isinstance(node, ast.Constant):
            return self.constant(node, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.union([node.left, node.right], depth)
        if isinstance(node, ast.Subscript):
            return self.subscript(node, depth)
        return self.name(node, depth)

    def constant(self, node: ast.Constant, depth: int) -> ParamType:
        if node.value is None:
            return Scalar("None")
        if not isinstance(node.value, str):
            return self.unknown(node)
        try:
            quoted = parse(node.value.strip()).body
        except NotPythonError:
            return self.unknown(node)
        if len(quoted) == 1 and isinstance(quoted[0], ast.Expr):
            return self.read(quoted[0].value, depth + 1)
        return self.unknown(node)

    def name(self, node: ast.expr, depth: int) -> ParamType:
        code = ast.unparse(node)
        if isinstance(node, ast.Name) and node.id in self.names.classes:
            return self.enum(self.names.classes[node.id]) or self.unknown(node)
        if isinstance(node, ast.Name) and node.id in self.names.values:
            return self.read(self.names.values[node.id], depth + 1)
        full = self.names.full(node)
        if full in _SCALARS:
            return Scalar(full)
        if full in _ANY:
            return AnyType()
        if full in _SEQUENCES:
            return SequenceType(_SEQUENCES[full], AnyType())
        if full in _DICTS:
            return DictType(AnyType(), AnyType())
        if full in _CLASSES:
            kind, make = _CLASSES[full]
            return make(kind, code)
        return SecretType() if full == SECRET else self.unknown(node)

    def subscript(self, node: ast.Subscript, depth: int) -> ParamType:
        full = self.names.full(node.value)
        inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        if full == "typing.Literal":
            return self.literal(node, inner)
        if full in ("typing.Union", "typing.Optional"):
            extra: list[ast.expr] = [ast.Constant(None)] if full == "typing.Optional" else []
            return self.union([*inner, *extra], depth)
        if full in _TRANSPARENT and inner:
            return self.read(inner[0], depth + 1)
        if full in ("tuple", "typing.Tuple"):
            return self.tuple(inner, depth)
        if full in _SEQUENCES and len(inner) == 1:
            return SequenceType(_SEQUENCES[full], self.read(inner[0], depth + 1))
        if full in _DICTS and len(inner) == 2:
            return DictType(*(self.read(item, depth + 1) for item in inner))
        return self.unknown(node)

    def union(self, nodes: list[ast.expr], depth: int) -> ParamType:
        options: list[ParamType] = []
        for node in nodes:
            kind = self.read(node, depth + 1)
            options += kind.options if isinstance(kind, UnionType) else [kind]
        return UnionType(tuple(options))

    def literal(self, node: ast.Subscript, inner: list[ast.expr]) -> ParamType:
        options = [constant(item) for item in inner]
        if all(type(option) in (str, int, bool, type(None)) for option in options):
            return LiteralType(tuple(options))
        return self.unknown(node)

    def tuple(self, inner: list[ast.expr], depth: int) -> ParamType:
        last = inner[-1] if inner else None
        if len(inner) == 2 and isinstance(last, ast.Constant) and last.value is ...:
            return SequenceType("tuple", self.read(inner[0], depth + 1))
        return TupleType(tuple(self.read(item, depth + 1) for item in inner))

    def enum(self, node: ast.ClassDef) -> EnumType | None:
        """Return the enum type of a class statement, or None if it is no enum."""
        bases = [self.names.full(base) for base in node.bases]
        bases = [base if "." in base else f"enum.{base}" for base in bases]
        if not any(base in _ENUMS for base in bases):
            return None
        members: dict[str, Any] = {}
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name = statement.targets[0].id
                if not name.startswith("_"):
                    value = self.member(statement.value, name, bases, members)
                    members[name] = value
        return EnumType(node.name, node.name, tuple(members.items()))

    def member(self, node: ast.expr, name: str, bases: list[str], before: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Call) and self.names.full(node.func) in ("enum.auto", "auto"):
            if "enum.StrEnum" in bases:
                return name.lower()
            numbers = [value for value in before.values() if type(value) is int]
            counts = bases in (["enum.Enum"], ["enum.IntEnum"])
            return max(numbers, default=0) + 1 if counts else UNKNOWN
        return constant(node)

    def unknown(self, node: ast.expr) -> ParamType:
        text = ast.unparse(node)
        self.notes.append(f"the annotation {text[:60]} is not one that sinara can check")
        return AnyType(text[:60])
