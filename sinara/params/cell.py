"""The parameters cell of a notebook, read and never executed.

Three forms, and a notebook has one of them::

    lr: float = 0.1                      annotated: names with types, the cell is the schema;
    seed: int                            no default: has to be given

    substep_params = {"lr": 0.1}         classic: one dictionary, its keys and the types of
                                         its values are the schema

    pipeline_params = {...}              older: all three are set in the cell, and in a job
    step_params = {...}                  all three are replaced by the files' values
    substep_params = {...}

A plain ``n = 5`` beside annotated names counts too, with the type of its value.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sinara.params.annotations import SECRET, Names, read_type
from sinara.params.objects import SecretType
from sinara.params.schema import Form, Parameter, ParametersSchema, of_default
from sinara.params.source import UNKNOWN, NotPythonError, constant, parse
from sinara.secret import SecretRef

TAGS = ("parameters", "params")
SUBSTEP, DICTS = "substep_params", ("pipeline_params", "step_params", "substep_params")


class Cell(Protocol):
    """What is read of a cell; :func:`sinara.reading.read_cells` gives such cells."""

    @property
    def index(self) -> int:
        """The place in the notebook, from 0."""

    @property
    def cell_type(self) -> str:
        """``"code"``, ``"markdown"`` or ``"raw"``."""

    @property
    def source(self) -> str:
        """The text of the cell."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the cell."""


def find_parameters_cell(tags_of_cells: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Return which cells are parameters cells, by the tags of each cell (empty if no code).

    The tag ``params`` of older notebooks counts only where no cell has ``parameters``.
    """
    for tag in TAGS:
        found = tuple(i for i, tags in enumerate(tags_of_cells) if tag in tags)
        if found:
            return found
    return ()


def read_parameters(cells: Sequence[Cell]) -> ParametersSchema:
    """Return what the parameters cell among ``cells`` declares.

    Args:
        cells: All cells of the notebook, in order.

    Returns:
        The schema. What is wrong with the cell is in its ``problems``: nothing is raised.
    """
    found = find_parameters_cell([c.tags if c.cell_type == "code" else () for c in cells])
    if not found:
        return ParametersSchema()
    cell = cells[found[0]]
    if len(found) > 1:
        numbers = " and ".join(str(cells[place].index + 1) for place in found)
        problem = f"cells {numbers} are all tagged as parameters. Keep the tag on one of them."
        return ParametersSchema(cell=cell.index, problems=(problem,))
    names = Names()
    for earlier in cells[: found[0]]:
        names.add(_statements(earlier))
    try:
        body = parse(cell.source).body
    except NotPythonError as error:
        line = f", line {error.line}" if error.line else ""
        problem = f"cell {cell.index + 1}{line}: the parameters cell is no Python: {error}."
        return ParametersSchema(cell=cell.index, problems=(problem,))
    names.add(body)
    try:
        return _Reader(cell.index, names).read(body)
    except RecursionError:
        problem = f"cell {cell.index + 1}: an expression is nested too deep. Write it shorter."
        return ParametersSchema(cell=cell.index, problems=(problem,))


def _statements(cell: Cell) -> list[ast.stmt]:
    if cell.cell_type != "code":
        return []
    try:
        return parse(cell.source).body
    except NotPythonError:
        return []


@dataclass
class _Reader:
    cell: int
    names: Names
    plain: dict[str, Parameter] = field(default_factory=dict)
    keys: dict[str, Parameter] = field(default_factory=dict)
    sets: set[str] = field(default_factory=set)
    open: bool = False
    annotated: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read(self, body: list[ast.stmt]) -> ParametersSchema:
        for statement in body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self.annotation(statement, statement.target.id)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    self.assignment(target, statement.value)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                self.call(statement.value)
        return ParametersSchema(
            form=self.form(),
            cell=self.cell,
            parameters=tuple((self.plain if self.form() == "annotated" else self.keys).values()),
            opted_in=self.annotated,
            open=self.open,
            sets=frozenset(self.sets),
            problems=tuple(self.problems),
            notes=tuple(self.notes),
        )

    def form(self) -> Form:
        if self.annotated or (self.plain and SUBSTEP not in self.sets):
            return "annotated"
        if self.sets & {"pipeline_params", "step_params"}:
            return "older"
        return "classic" if self.sets else "none"

    def annotation(self, node: ast.AnnAssign, name: str) -> None:
        if name in DICTS:
            self.assignment(node.target, node.value or ast.Dict([], []))
            return
        if name.startswith("_"):
            return
        self.annotated = True
        notes: list[str] = []
        kind = read_type(node.annotation, self.names, notes)
        self.notes += [f"cell {self.cell + 1}, line {node.lineno}: '{name}': {n}." for n in notes]
        required = node.value is None and name not in self.plain
        default = self.default(node.value)
        if isinstance(kind, SecretType) and isinstance(default, str) and default:
            self.problems.append(
                f"cell {self.cell + 1}, line {node.lineno}: '{name}' is a Secret with its text in "
                "the notebook. Write Secret.from_env('NAME') or Secret.from_file('path') there."
            )
            default = UNKNOWN
        self.plain[name] = Parameter(name, kind, required, default, node.lineno)

    def assignment(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            if target.id in DICTS:
                self.sets.add(target.id)
                if target.id == SUBSTEP:
                    self.keys.clear()
                    self.dictionary(value)
            elif target.id in self.plain and self.annotated:
                old = self.plain[target.id]
                self.plain[target.id] = Parameter(
                    old.name, old.type, False, self.default(value), old.line
                )
            elif not target.id.startswith("_"):
                default = self.default(value)
                if default is not UNKNOWN:
                    self.plain[target.id] = of_default(target.id, default, target.lineno)
        elif isinstance(target, ast.Subscript) and _is_name(target.value, SUBSTEP):
            key = constant(target.slice)
            if isinstance(key, str):
                self.keys[key] = of_default(key, self.default(value), target.lineno)
            else:
                self.open = True

    def dictionary(self, value: ast.expr) -> None:
        """Note the keys of ``substep_params``, from ``{...}`` or ``dict(a=1)``."""
        pairs: list[tuple[Any, ast.expr]] = []
        if isinstance(value, ast.Dict):
            pairs = [(constant(k), v) for k, v in zip(value.keys, value.values, strict=True)]
        elif isinstance(value, ast.Call) and _is_name(value.func, "dict") and not value.args:
            pairs = [(keyword.arg, keyword.value) for keyword in value.keywords]
        else:
            self.open = True
        for key, item in pairs:
            if isinstance(key, str):
                self.keys[key] = of_default(key, self.default(item), item.lineno)
            else:
                self.open = True

    def call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and _is_name(node.func.value, SUBSTEP):
            self.open = True

    def default(self, node: ast.expr | None) -> Any:
        """Return a default as far as the source tells it."""
        if isinstance(node, ast.Call):
            return self.secret(node)
        return constant(node)

    def secret(self, node: ast.Call) -> Any:
        """Return what ``Secret.from_env("X")`` or ``Secret("...")`` says, or UNKNOWN."""
        text = constant(node.args[0]) if len(node.args) == 1 and not node.keywords else UNKNOWN
        if not isinstance(text, str):
            return UNKNOWN
        if isinstance(node.func, ast.Attribute) and self.names.full(node.func.value) == SECRET:
            kinds = {"from_env": SecretRef(env=text), "from_file": SecretRef(file=text)}
            return kinds.get(node.func.attr, UNKNOWN)
        return text if self.names.full(node.func) == SECRET else UNKNOWN


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
