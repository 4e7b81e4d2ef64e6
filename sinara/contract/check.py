"""A contract checked against the files of an entity.

::

    footers    rows, types, limits and missing values, where they are exact     nothing is read
    one pass   what they leave open                            only the columns that are named
    unique     keys, and columns with no value twice

Rows that break a rule are looked up only when one is broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sinara.contract import compare, types
from sinara.contract.files import Column, Table
from sinara.contract.read import moment
from sinara.contract.samples import sample_rows, value_text
from sinara.contract.scan import RowRule, Tally, count
from sinara.contract.statistics import Extent, extent
from sinara.contract.unique import comparable, find_repeats
from sinara.contract.values import ColumnRules, Contract, RuleResult
from sinara.errors import suggest
from sinara.names import shown

_ASKED = 100  # characters of what a contract says that are shown


@dataclass(frozen=True)
class _Checked:
    """A result, and the places of rows to show with it."""

    result: RuleResult
    places: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()


def check_data(contract: Contract, table: Table | None) -> tuple[RuleResult, ...]:
    """Check all that a contract says of the data itself.

    Args:
        contract: The contract.
        table: The entity's files; ``None`` if there is no parquet among them.

    Returns:
        A result for each rule, in the order of the contract.

    Raises:
        ContractError: If a file cannot be read.
    """
    if table is None:
        found = "no parquet file, and a contract is about tables"
        return (RuleResult("", "table", "a table", found, kept=False),)
    checked = [*_columns(contract, table), *_key(contract, table)]
    return tuple(_with_samples(contract, table, checked))


def check_rows(
    contract: Contract, rows: int | None, before: int | None = None, run: str = ""
) -> tuple[RuleResult, ...]:
    """Check what a contract says of the number of rows.

    Args:
        contract: The contract.
        rows: How many there are; ``None`` if the entity is no table.
        before: How many there were in the run before; ``None`` if there is none.
        run: That run.
    """
    found = "no table" if rows is None else f"{rows:,}"
    results = []
    if contract.rows_min is not None:
        kept = rows is not None and rows >= contract.rows_min
        results.append(RuleResult("", "rows.min", f"{contract.rows_min:,}", found, kept))
    if contract.rows_max is not None:
        kept = rows is not None and rows <= contract.rows_max
        results.append(RuleResult("", "rows.max", f"{contract.rows_max:,}", found, kept))
    if contract.rows_change is not None:
        results.append(_change(contract.rows_change, rows, before, run))
    return tuple(results)


def _change(most: float, rows: int | None, before: int | None, run: str) -> RuleResult:
    asked = f"{100 * most:g} %"
    if rows is None or before is None:
        found = "no table" if rows is None else f"{rows:,}, and no earlier run to compare with"
        return RuleResult("", "rows.change", asked, found, kept=rows is not None)
    kept = abs(rows - before) <= most * before
    share = f"{100 * (rows - before) / before:+.4g} %" if before else f"{rows:+,} rows"
    found = f"{share}: {before:,} rows in {run or 'the run before'}, {rows:,} now"
    return RuleResult("", "rows.change", asked, found, kept)


# -- columns -----------------------------------------------------------------------------------


def _columns(contract: Contract, table: Table) -> Iterator[_Checked]:
    known = {c.name: extent(table, c.name) for c in contract.columns if c.name in table.columns}
    ready: list[tuple[ColumnRules, list[_Checked | RowRule]]] = []
    for rules in contract.columns:
        column = table.columns.get(rules.name)
        if column is None or column.fault:
            ready.append((rules, [_Checked(_not_there(rules, column, table))]))
            continue
        ready.append((rules, list(_of_column(rules, column, table, known[rules.name]))))
    tallies = count(table, [r for _, several in ready for r in several if isinstance(r, RowRule)])
    for rules, several in ready:
        for rule in several:
            yield rule if isinstance(rule, _Checked) else _told(rules, rule, tallies[rule], table)
    if contract.other_columns == "refuse":
        yield _Checked(_others(contract, table))


def _not_there(rules: ColumnRules, column: Column | None, table: Table) -> RuleResult:
    if column is not None:
        return RuleResult(rules.name, "type", rules.type or "a column", column.fault, kept=False)
    there = tuple(table.columns)
    hint = suggest(rules.name, there) or f"There is {', '.join(there[:10]) or 'none at all'}."
    return RuleResult(
        rules.name, "type", rules.type or "a column", f"no such column. {hint}", kept=False
    )


def _others(contract: Contract, table: Table) -> RuleResult:
    named = {*(column.name for column in contract.columns), *contract.key}
    others = [name for name in table.columns if name not in named]
    found = ", ".join(shown(name) for name in others[:10]) or "none"
    more = f" and {len(others) - 10:,} more" if len(others) > 10 else ""
    return RuleResult("", "other_columns", "refuse", found + more, kept=not others)


def _of_column(
    rules: ColumnRules, column: Column, table: Table, known: Extent
) -> Iterator[_Checked | RowRule]:
    name = rules.name
    fits = rules.type is None or types.fits(rules.type, column.kind)
    asked = rules.type or "a column"
    stored = types.plain(column.kind) if column.kind.startswith("dictionary") else column.kind
    yield _Checked(RuleResult(name, "type", asked, stored, kept=fits))
    if not fits:
        return  # what else it says is about values of that type
    kind = _arrow_type(table, name)
    for word, bound in (("min", rules.min), ("max", rules.max)):
        if bound is not None:
            kept = _limit_kept(rules, word, known)
            mask = compare.outside(kind, bound, below=word == "min")
            yield _Checked(kept) if kept else _row_rule(rules, word, mask, column)
    if rules.null_share is not None:
        kept = _nulls_kept(rules, known, column, table.rows)
        yield _Checked(kept) if kept else RowRule(name, "null_share", compare.missing)
    if rules.one_of is not None:
        yield _row_rule(rules, "in", compare.other_than(kind, rules.one_of), column)
    if rules.unique:
        yield _unique(table, (name,), "unique")


def _row_rule(
    rules: ColumnRules, word: str, mask: compare.Mask | None, column: Column
) -> _Checked | RowRule:
    if mask is not None:
        return RowRule(rules.name, word, mask)
    asked = _asked(rules, word)
    found = f"its type is {column.kind}, which is not compared with that"
    return _Checked(RuleResult(rules.name, word, asked, found, kept=False))


def _arrow_type(table: Table, name: str) -> Any:
    schemas = (*table.schemas, table.partitions)
    return next(item.type for schema in schemas for item in schema if item.name == name)


def _asked(rules: ColumnRules, word: str) -> str:
    if word == "null_share":
        return f"{100 * (rules.null_share or 0):g} %"
    value = list(rules.one_of or ()) if word == "in" else getattr(rules, word)
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _ASKED else f"{text[:_ASKED]}…"


def _limit_kept(rules: ColumnRules, word: str, known: Extent) -> RuleResult | None:
    """Return that a limit is kept, if the footers prove it."""
    bound, at = (rules.min, known.low) if word == "min" else (rules.max, known.high)
    asked = _asked(rules, word)
    if known.empty:
        return RuleResult(rules.name, word, asked, "no value", kept=True)
    if at is None or bound is None:
        return None
    limit: Any = moment(bound) if isinstance(bound, str) else bound
    value: Any = compare.as_moment(at) if isinstance(bound, str) else at
    try:
        kept = value >= limit if word == "min" else value <= limit
    except TypeError:  # it is a date, and the limit a number, or the other way round
        return None
    which = "smallest" if word == "min" else "largest"
    found = f"{which} {value_text(rules.name, at)}"
    return RuleResult(rules.name, word, asked, found, kept=True) if kept else None


def _nulls_kept(rules: ColumnRules, known: Extent, column: Column, rows: int) -> RuleResult | None:
    """Return that few enough values are missing, if the footers prove it; NaN they do not count."""
    if known.nulls is None or types.is_float(column.kind):
        return None
    if known.nulls > (rules.null_share or 0) * rows:
        return None
    found = _share(known.nulls, rows)
    return RuleResult(rules.name, "null_share", _asked(rules, "null_share"), found, kept=True)


def _share(some: int, rows: int) -> str:
    return f"{100 * some / rows if rows else 0:.3g} % missing: {some:,} of {rows:,}"


def _told(rules: ColumnRules, rule: RowRule, tally: Tally, table: Table) -> _Checked:
    """Return what a pass over the rows found."""
    asked, rows = _asked(rules, rule.rule), tally.rows
    if rule.rule == "null_share":
        kept, found = rows <= (rules.null_share or 0) * table.rows, _share(rows, table.rows)
    else:
        kept = rows == 0
        what = {"min": "below it", "max": "above it", "in": "with another value"}[rule.rule]
        found = f"{_rows(rows)} {what}" if rows else f"no row {what}"
    result = RuleResult(rule.column, rule.rule, asked, found, kept)
    return _Checked(result, () if kept else tuple(tally.places), (rule.column,))


def _rows(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


# -- keys --------------------------------------------------------------------------------------


def _key(contract: Contract, table: Table) -> Iterator[_Checked]:
    if not contract.key:
        return
    for name in contract.key:
        column = table.columns.get(name)
        if column is None or column.fault:
            result = _not_there(ColumnRules(name), column, table)
            yield _Checked(replace(result, rule="key"))
            return
    missing = [RowRule(name, "key", compare.missing) for name in contract.key]
    unsure = [rule for rule in missing if not _surely_there(table, rule.column)]
    for rule, tally in count(table, unsure).items():
        if tally.rows:
            found = f"{_rows(tally.rows)} with no value"
            result = RuleResult(rule.column, "key", "no value missing", found, kept=False)
            yield _Checked(result, tuple(tally.places), contract.key)
    yield _unique(table, contract.key, "key")


def _surely_there(table: Table, name: str) -> bool:
    return extent(table, name).nulls == 0 and not types.is_float(table.columns[name].kind)


def _unique(table: Table, names: tuple[str, ...], rule: str) -> _Checked:
    what = "no row twice" if rule == "key" else "no value twice"
    joined = ", ".join(names)
    strange = [name for name in names if not comparable(table.columns[name].kind)]
    if strange:
        found = f"type {table.columns[strange[0]].kind} of {strange[0]} cannot be compared"
        return _Checked(RuleResult(joined, rule, what, found, kept=False))
    repeats = find_repeats(table, names)
    found = f"{_rows(repeats.rows)} with what an earlier row has" if repeats.rows else what
    result = RuleResult(joined, rule, what, found, kept=not repeats.rows)
    return _Checked(result, repeats.places, names)


# -- samples -----------------------------------------------------------------------------------


def _with_samples(
    contract: Contract, table: Table, results: list[_Checked]
) -> Iterator[RuleResult]:
    wanted: dict[int, list[str]] = {}
    for each in results:
        for place in each.places:
            wanted.setdefault(place, []).extend(each.columns)
    around = [*contract.key, *(column.name for column in contract.columns)]
    texts: Mapping[int, str] = sample_rows(table, wanted, around)
    for each in results:
        rows = tuple(texts[place] for place in each.places if place in texts)
        yield replace(each.result, sample=rows)
