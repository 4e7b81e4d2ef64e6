"""Rows that break a rule, as a person is shown them: short, and without secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sinara.contract.files import Table
from sinara.contract.scan import readable, rows_at
from sinara.names import shown
from sinara.postmortem.masks import MASK, Masks, is_secret

_MOST_COLUMNS = 6
_MASKS = Masks()


def sample_rows(
    table: Table, places: Mapping[int, Sequence[str]], others: Sequence[str]
) -> dict[int, str]:
    """Return rows as texts such as ``row 17: id=3, amount=-1.0``.

    Args:
        table: The table.
        places: Row, from 0 -> the columns that matter there; they stand first.
        others: Columns that help to know a row: its key, and what else the contract names.
    """
    if not places:
        return {}
    wanted = {name for names in places.values() for name in names}
    around = list(dict.fromkeys(readable(table, others)))[:_MOST_COLUMNS]
    columns = list(dict.fromkeys([*readable(table, sorted(wanted)), *around]))
    rows = rows_at(table, list(places), columns)
    return {
        place: _told(place, rows[place], [*around, *places[place]])
        for place in places
        if place in rows
    }


def _told(place: int, row: Mapping[str, Any], columns: Sequence[str]) -> str:
    there = [name for name in dict.fromkeys(columns) if name in row]
    return f"row {place}: {', '.join(f'{name}={value_text(name, row[name])}' for name in there)}"


def value_text(column: str, value: object) -> str:
    """Return a value of a column, short and on one line; stars if it looks like a secret.

    Args:
        column: What the column is called: ``password`` and the like are never shown.
        value: The value.
    """
    if is_secret(column, value):
        return MASK
    if value is None or isinstance(value, bool | int | float | str):
        return _MASKS.text(shown(value))
    return _MASKS.text(shown(str(value)))[1:-1]
