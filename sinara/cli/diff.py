"""``sinara run diff``: two runs of one step compared, or two commits."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sinara.cli import runs
from sinara.cli.output import print_json, say
from sinara.cli.scope import Scope, find_run, find_scope, scope_options
from sinara.errors import RunNotFoundError, UsageError

if TYPE_CHECKING:
    from sinara.compare import Side
    from sinara.store import StepStore

_LAST = re.compile(r"last(?:~([0-9]{1,6}))?")


@click.command("diff")
@click.argument("old", default="last~1", metavar="[OLD]")
@click.argument("new", default="last", metavar="[NEW]")
@scope_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page, with pictures side by side: page.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(old: str, new: str, output: Path | None, as_json: bool, **chosen: str | None) -> None:
    """Compare two runs of one step: code, parameters, metrics, entities, pictures.

    OLD and NEW are ids of runs, or the beginnings of some, 'last', 'last~1' and so on. Or they
    are branches, tags or commits of the step's repository: then code and parameter files are
    compared. [default: last~1 last]
    """
    from sinara import compare

    first, second = _sides(old, new, **chosen)
    diff = compare.compare(first, second)
    if output is not None:
        _write(output, compare.page(diff))
    if as_json:
        print_json("diff", compare.as_json(diff))
        return
    for line in compare.tell(diff):
        say(line)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Page: {path}", err=True)


def _sides(old: str, new: str, **chosen: str | None) -> tuple[Side, Side]:
    from sinara.compare import commit_sides, run_side

    kinds = {_is_run(old), _is_run(new)}
    if kinds == {False}:
        return commit_sides(Path.cwd(), old, new)
    if len(kinds) > 1:
        commit = old if not _is_run(old) else new
        raise UsageError(
            f"'{commit}' is no run, and the other is one. Give two runs, or two commits."
        )
    pairs = _two_runs(find_scope(**chosen), old, new)
    first, second = (run_side(step, runs.read_run(step, run_id)) for step, run_id in pairs)
    return first, second


def _is_run(asked: str) -> bool:
    return asked.startswith("run-") or _LAST.fullmatch(asked) is not None


def _two_runs(scope: Scope, old: str, new: str) -> tuple[tuple[StepStore, str], ...]:
    """Return step and id of two runs; ``last`` is of the step of the other one, if that is given.

    Raises:
        RunNotFoundError: If one of them is not there.
        UsageError: If they are of different steps, or the beginning of an id fits several.
    """
    given = {asked: find_run(scope, asked) for asked in (old, new) if not _LAST.fullmatch(asked)}
    if given:
        step = next(iter(given.values()))[0]
        scope = replace(scope, env=step.step.env)
    else:
        step, _ = find_run(scope, "last", by_hand=False)
    found = tuple(given.get(asked) or (step, _newest(step, asked)) for asked in (old, new))
    one, other = (pair[0].step for pair in found)
    if (one.pipeline, one.step) != (other.pipeline, other.step):
        raise UsageError(
            f"{found[0][1]} is a run of {one.dotted}, and {found[1][1]} of {other.dotted}. "
            "Runs of one step are compared."
        )
    return found


def _newest(step: StepStore, asked: str) -> str:
    """Return the id of ``last~N``: the newest run but N."""
    match = _LAST.fullmatch(asked)
    back = int(match[1] or 0) if match else 0
    ids = step.run_ids()
    if back >= len(ids):
        count = "one run" if len(ids) == 1 else f"{len(ids)} runs"
        raise RunNotFoundError(
            f"There is no '{asked}': step '{step.step.step}' has {count} in env "
            f"'{step.step.env}'. See what there is: sinara run list"
        )
    return ids[back]
