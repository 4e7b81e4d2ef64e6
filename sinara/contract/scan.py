"""Rules that each row keeps or breaks, counted in one pass over the columns that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sinara.contract import types
from sinara.contract.compare import Mask
from sinara.contract.files import Table

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLES = 3  # rows that are shown of those that break a rule


@dataclass(frozen=True)
class RowRule:
    """A rule that can be told of each row alone.

    Attributes:
        column: The column that it reads.
        rule: What the contract calls it.
        breaks: Gives, of the values of some rows, which break it.
    """

    column: str
    rule: str
    breaks: Mask = field(compare=False)


@dataclass
class Tally:
    """How many rows broke a rule, and the places of the first of them, from 0."""

    rows: int = 0
    places: list[int] = field(default_factory=list)

    def add(self, broken: pa.BooleanArray, start: int) -> None:
        """Count the rows of a batch that begins at row ``start``."""
        import pyarrow.compute as pc

        count = broken.true_count
        self.rows += count
        if count and len(self.places) < SAMPLES:
            found = pc.indices_nonzero(broken)[: SAMPLES - len(self.places)]
            self.places += [start + place for place in found.to_pylist()]


def count(table: Table, rules: Sequence[RowRule]) -> dict[RowRule, Tally]:
    """Return how many rows of ``table`` break each of ``rules``.

    Raises:
        ContractError: If a file cannot be read.
    """
    tallies = {rule: Tally() for rule in rules}
    start = 0
    names = list(dict.fromkeys(rule.column for rule in rules))
    for batch in table.batches(names, as_dictionaries=_texts(table, rules)) if rules else ():
        for rule, tally in tallies.items():
            tally.add(rule.breaks(batch.column(rule.column)), start)
        start += batch.num_rows
    return tallies


def _texts(table: Table, rules: Sequence[RowRule]) -> list[str]:
    """Return columns of text that only lists look at: each of their values is looked at once."""
    by_column: dict[str, set[str]] = {}
    for rule in rules:
        by_column.setdefault(rule.column, set()).add(rule.rule)
    return [
        name
        for name, wanted in by_column.items()
        if wanted == {"in"} and table.columns[name].kind == "string" and _same(table, name)
    ]


def _same(table: Table, name: str) -> bool:
    return (
        not table.columns[name].partition and len({s.field(name).type for s in table.schemas}) == 1
    )


def rows_at(
    table: Table, places: Sequence[int], columns: Sequence[str]
) -> Mapping[int, Mapping[str, Any]]:
    """Return the values of a few rows.

    Args:
        table: The table.
        places: Of the rows, from 0.
        columns: Which columns.

    Raises:
        ContractError: If a file cannot be read.
    """
    left = sorted(set(places))
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for batch in table.batches(columns) if left else ():
        end = start + batch.num_rows
        while left and left[0] < end:
            place = left.pop(0)
            (found[place],) = batch.slice(place - start, 1).to_pylist()
        if not left:
            break
        start = end
    return found


def readable(table: Table, names: Sequence[str]) -> Iterator[str]:
    """Yield those of ``names`` that a row can be shown with: there, and no lists or the like."""
    for name in names:
        column = table.columns.get(name)
        if column is not None and not column.fault and not types.is_nested(column.kind):
            yield name
