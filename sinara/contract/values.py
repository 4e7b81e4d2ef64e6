"""A contract and what came of checking it: frozen values, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Bound: TypeAlias = "int | float | str"
Plain: TypeAlias = "bool | int | float | str"


@dataclass(frozen=True)
class ColumnRules:
    """What a contract says of one column; it has to be there in any case.

    Attributes:
        name: The column.
        type: An Arrow type, or a family of them; see :mod:`sinara.contract.types`.
        min: The smallest value that may be there; a date or time is ISO 8601 text.
        max: The largest one.
        null_share: The share of missing values that may be there, from 0 to 1.
        one_of: The values that may be there; ``in`` in a declaration.
        unique: Whether no value may stand there twice.
    """

    name: str
    type: str | None = None
    min: Bound | None = None
    max: Bound | None = None
    null_share: float | None = None
    one_of: tuple[Plain, ...] | None = None
    unique: bool = False


@dataclass(frozen=True)
class Contract:
    """What an entity promises.

    Attributes:
        columns: In the order declared.
        other_columns: Whether columns that are not named may be there.
        key: Columns whose values together tell each row from any other, none of them missing.
        rows_min: The fewest rows that may be there.
        rows_max: The most rows.
        rows_change: The share by which the number of rows may differ from the newest run that
            was published before.
    """

    columns: tuple[ColumnRules, ...] = ()
    other_columns: Literal["allow", "refuse"] = "allow"
    key: tuple[str, ...] = ()
    rows_min: int | None = None
    rows_max: int | None = None
    rows_change: float | None = None

    @property
    def about_data(self) -> bool:
        """Whether it says more than how many rows there are."""
        return bool(self.columns or self.key or self.other_columns == "refuse")


@dataclass(frozen=True)
class RuleResult:
    """One rule of a contract, checked.

    Attributes:
        column: The column, or several with commas; empty for a rule about the whole entity.
        rule: As the contract calls it: ``min``, ``in``, ``rows.change``, …
        asked: What the contract says, as text.
        found: What there is, one line.
        kept: Whether the rule is kept.
        sample: Up to three rows that break it, a line each, without secrets.
    """

    column: str
    rule: str
    asked: str
    found: str
    kept: bool
    sample: tuple[str, ...] = ()
