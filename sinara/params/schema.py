"""What a parameters cell declares, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sinara.params.containers import DictType, SequenceType
from sinara.params.kinds import AnyType, ParamType, Scalar
from sinara.params.objects import SecretType
from sinara.params.source import UNKNOWN
from sinara.params.values import findings
from sinara.secret import SecretRef

Form = Literal["annotated", "classic", "older", "none"]


@dataclass(frozen=True)
class Parameter:
    """One parameter that a cell declares.

    Attributes:
        name: Its name, or its key in ``substep_params``.
        type: What it takes.
        required: It has an annotation and no default.
        default: JSON-like or a :class:`SecretRef`; ``UNKNOWN`` if there is none, or if only
            running the cell would tell.
        line: Its line in the cell, from 1.
    """

    name: str
    type: ParamType
    required: bool = False
    default: Any = UNKNOWN
    line: int = 1


@dataclass(frozen=True)
class ParametersSchema:
    """What a parameters cell declares.

    Attributes:
        form: See the module.
        cell: Index of the cell in the notebook; None if there is none.
        parameters: In the order of the cell.
        opted_in: The cell has annotations, so every difference is an error.
        open: ``substep_params`` is made by a call or the like: its keys are not known.
        sets: Which of ``pipeline_params``, ``step_params``, ``substep_params`` the cell sets.
        problems: Why the cell cannot be used; one line each.
        notes: What is not checked; one line each.
    """

    form: Form = "none"
    cell: int | None = None
    parameters: tuple[Parameter, ...] = ()
    opted_in: bool = False
    open: bool = False
    sets: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults that the source tells and JSON can hold; secrets are references."""
        known = {p.name: p.default for p in self.parameters if p.default is not UNKNOWN}
        as_json = {
            name: default.as_json() if isinstance(default, SecretRef) else default
            for name, default in known.items()
        }
        return {n: value for n, value in as_json.items() if next(findings(value, n), None) is None}


def of_default(name: str, default: Any, line: int) -> Parameter:
    """Return a parameter that has no annotation: its default says what it takes."""
    return Parameter(name, type_of(default), False, default, line)


def type_of(default: Any) -> ParamType:
    """Return the type that a default stands for, where there is no annotation."""
    if isinstance(default, SecretRef):
        return SecretType()
    if isinstance(default, list | tuple | set):
        return SequenceType("list", AnyType())
    if isinstance(default, dict):
        return DictType(AnyType(), AnyType())
    known = type(default) in Scalar.KINDS.values() and default is not None
    return Scalar(type(default).__name__) if known else AnyType()
