"""``sinara entity``: list, show, head, learn, verify."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import click

from sinara import names
from sinara.cli.output import counted, number, print_fields, print_json, print_table, say, size
from sinara.cli.scope import Scope, find_scope, scope_options
from sinara.errors import EntityNotFoundError, StoreError, UsageError, suggest


@click.group("entity")
def command() -> None:
    """List entities, show them, look into them, learn contracts from them, verify them."""


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_run = click.option("--run", "run_id", help="Of this run. [default: the newest that holds it]")


@dataclass(frozen=True)
class Found:
    """One published entity."""

    step: Any
    commit: Any
    name: str


@command.command("list")
@scope_options
@click.option("--all-runs", is_flag=True, help="Every published run, not only the newest.")
@click.option("--reports", is_flag=True, help="Reports too: they are entities of their run.")
@_json
def list_entities(all_runs: bool, reports: bool, as_json: bool, **chosen: str | None) -> None:
    """List published entities with rows and size."""
    scope = find_scope(**chosen)
    rows = []
    for found in _published(scope, all_runs=all_runs):
        if reports or not found.name.startswith("reports."):
            entry = found.commit.entities[found.name]
            rows.append(
                {
                    "entity": names.full_name(found.step.step, found.name),
                    "run": found.commit.run_id,
                    "rows": entry.rows,
                    "bytes": entry.bytes,
                    "interactive": found.commit.interactive,
                    "url": found.step.entity_url(found.commit.run_id, found.name),
                }
            )
    if as_json:
        print_json("entities", rows)
        return
    if not rows:
        click.echo(f"Nothing is published in {scope.told}.", err=True)
    print_table(
        ("entity", "rows", "size", "run"),
        [
            (
                r["entity"],
                number(r["rows"]),
                size(r["bytes"]),
                r["run"] + (" (interactive)" if r["interactive"] else ""),
            )
            for r in rows
        ],
    )


@command.command("show")
@click.argument("entity")
@scope_options
@_run
@_json
def show(entity: str, run_id: str | None, as_json: bool, **chosen: str | None) -> None:
    """Show one entity: where it lies, its schema, where it came from."""
    found = _find(find_scope(**chosen), entity, run_id)
    info = found.step.open(found.commit, found.name, verify="sizes")
    told = {
        "entity": names.full_name(found.step.step, found.name),
        "run": found.commit.run_id,
        "url": info.url,
        "rows": info.rows,
        "bytes": info.bytes,
        "files": info.files,
        "sha256 of the manifest": info.manifest,
        "interactive": found.commit.interactive,
        "inputs": dict(found.commit.inputs),
        "columns": [list(column) for column in info.columns],
    }
    if as_json:
        print_json("entity", told)
        return
    print_fields(
        {
            key: value
            for key, value in told.items()
            if key not in ("inputs", "columns") and value is not False
        }
    )
    for name, pin in found.commit.inputs.items():
        say(f"from  {name}  {pin.get('run_id') if isinstance(pin, dict) else pin}")
    if info.columns:
        click.echo()
        print_table(("column", "type"), info.columns)


@command.command("head")
@click.argument("entity")
@scope_options
@_run
@click.option("-n", "--rows", type=click.IntRange(1, 1000), default=10, show_default=True)
@_json
def head(entity: str, run_id: str | None, rows: int, as_json: bool, **chosen: str | None) -> None:
    """Print the first rows of an entity."""
    from sinara.store.head import read_head

    scope = find_scope(**chosen)
    found = _find(scope, entity, run_id)
    info = found.step.open(found.commit, found.name, verify="sizes")
    table = read_head(info.url, rows, scope.settings.env(scope.env).storage_options)
    if as_json:
        print_json("rows", table.to_pylist())
        return
    columns = table.column_names
    print_table(columns, [[_cell(row[name]) for name in columns] for row in table.to_pylist()])


@command.command("learn")
@click.argument("entity")
@scope_options
@_run
@_json
def learn(entity: str, run_id: str | None, as_json: bool, **chosen: str | None) -> None:
    """Print a first contract, learned from an entity, to paste into the interface cell.

    It goes beside the entity's name: types, limits rounded outwards, missing values, lists of few
    texts, a key if one column is one. Read it before you rely on it.
    """
    from sinara.contract import as_literal
    from sinara.contract.files import open_table
    from sinara.contract.learn import learn as learn_from
    from sinara.contract.told import literal_text

    scope = find_scope(**chosen)
    found = _find(scope, entity, run_id)
    info = found.step.open(found.commit, found.name, verify="sizes")
    table = open_table(info.url, scope.settings.env(scope.env).storage_options)
    if table is None:
        raise StoreError(f"{info.url} holds no parquet file, and a contract is about tables.")
    contract = learn_from(table)
    if as_json:
        print_json("contract", as_literal(contract))
        return
    click.echo(literal_text(contract))
    full_name = names.full_name(found.step.step, found.name)
    learned = f"Learned from {counted(table.rows, 'row')} of {full_name}, {found.commit.run_id}."
    click.echo(f"{learned} Paste it beside its name in the interface cell.", err=True)


@command.command("verify")
@click.argument("entity", required=False)
@scope_options
@_run
@_json
def verify(entity: str | None, run_id: str | None, as_json: bool, **chosen: str | None) -> int:
    """Check every byte of an entity, or of all, against its digest. Ends with 3 if one differs."""
    scope = find_scope(**chosen)
    targets = [_find(scope, entity, run_id)] if entity else list(_published(scope, all_runs=False))
    problems = []
    for found in targets:
        for problem in found.step.verify(found.commit.run_id):
            folder = f"/{names.entity_folder(found.name)}"
            if entity is None or folder in problem.path:
                problems.append(asdict(problem))
    unique = [problem for index, problem in enumerate(problems) if problem not in problems[:index]]
    if as_json:
        print_json("problems", unique)
    for problem in [] if as_json else unique:
        say(f"{problem['path']}: {problem['what']}")
    if not unique:
        click.echo(f"{counted(len(targets), 'entity')} verified, nothing differs.", err=True)
    return 3 if unique else 0


def _published(scope: Scope, *, all_runs: bool) -> list[Found]:
    found = []
    for step in scope.steps():
        seen: set[str] = set()
        for commit in step.commits():
            if commit.aside and not all_runs:
                continue
            for name in commit.entities:
                if all_runs or name not in seen:
                    seen.add(name)
                    found.append(Found(step, commit, name))
    return sorted(found, key=lambda f: (f.step.step, f.name))


def _find(scope: Scope, entity: str, run_id: str | None) -> Found:
    """Return one entity by its name, ``step.entity`` or full name."""
    every = _published(scope, all_runs=run_id is not None)
    fits = [f for f in every if entity in _spellings(f) and run_id in (None, f.commit.run_id)]
    if not fits:
        known = sorted({f.name for f in every if not f.name.startswith("reports.")})
        spelt = {spelling for one in every for spelling in _spellings(one)}
        hint = (entity not in spelt and suggest(entity, known)) or (
            f"There is {', '.join(known[:20])}." if known else "Nothing is published yet."
        )
        where = f" in run {run_id}" if run_id else ""
        raise EntityNotFoundError(f"No entity '{entity}' in env '{scope.env}'{where}. {hint}")
    steps = {f.step.step for f in fits}
    if len(steps) > 1:
        raise UsageError(
            f"'{entity}' is an entity of {len(steps)} steps: "
            f"{', '.join(sorted(s.dotted for s in steps))}. Add --step, or give the full name."
        )
    return fits[0]


def _spellings(found: Found) -> tuple[str, str, str]:
    return (
        found.name,
        f"{found.step.step.step}.{found.name}",
        names.full_name(found.step.step, found.name),
    )


def _cell(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
