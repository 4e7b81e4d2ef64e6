"""``sinara run clean`` and ``sinara volume clean``: old runs deleted, told before it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from sinara.cli.output import counted, print_json, print_table, size
from sinara.cli.scope import Scope, find_scope, scope_options
from sinara.errors import UsageError

if TYPE_CHECKING:
    from sinara.retain import Done, Limits, Verdict
    from sinara.store import StepStore


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that both commands have."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--yes", is_flag=True, help="Do it. Without, it is only told."),
        click.option(
            "--keep-lineage/--no-keep-lineage",
            "lineage",
            default=True,
            show_default=True,
            help="Keep what a run that stays was made from.",
        ),
    ):
        command = option(command)
    return scope_options(command)


@click.command("clean")
@click.option("--keep", type=click.IntRange(min=0), help="Keep so many of each step, the newest.")
@click.option("--older-than", "older_than", metavar="AGE", help="Only older ones: 12h, 30d, 8w.")
@shared_options
def command(
    keep: int | None, older_than: str | None, lineage: bool, yes: bool, as_json: bool,
    **chosen: str | None,
) -> int:  # fmt: skip
    """Delete old runs: the data of published ones, and what failed ones left.

    Without --yes it is only told. With both --keep and --older-than a run has to be beyond both.
    What is being read, what readers find, what a Git tag or an image names, what a later run took
    over and what a run that stays was made from, stays. Records of published runs stay, too.
    """
    from sinara.retain import Limits, parse_age

    if keep is None and older_than is None:
        raise UsageError(
            "Say which runs are too many or too old: --keep 10, --older-than 30d, or both."
        )
    age = None if older_than is None else parse_age(older_than)
    return clean(Limits(keep, age, lineage), yes=yes, as_json=as_json, **chosen)


@click.command("clean")
@click.option(
    "--days_keep",
    "--days-keep",
    "days",
    type=click.IntRange(0, 36500),
    required=True,
    help="Delete runs that are older.",
)
@shared_options
def volume_command(days: int, lineage: bool, yes: bool, as_json: bool, **chosen: str | None) -> int:
    """Delete runs that are older than some days; the same as: sinara run clean --older-than."""
    from sinara.retain import Limits

    limits = Limits(older_than=timedelta(days=days), lineage=lineage)
    return clean(limits, yes=yes, as_json=as_json, **chosen)


def clean(limits: Limits, *, yes: bool, as_json: bool, **chosen: str | None) -> int:
    """Judge every run in scope, tell it, and with ``yes`` do it.

    Returns:
        The exit code: 2 if a run that was to go could not be deleted.
    """
    from sinara import retain

    scope = find_scope(**chosen)
    steps = list(scope.steps())
    others = _all_steps(scope) if limits.lineage else iter(())
    verdicts = retain.judge(steps, others, limits, reused=_reused(scope, limits))
    stores = {step.step: step for step in steps}
    done = list(retain.clean(verdicts, stores.__getitem__)) if yes else []
    if as_json:
        _tell_json(verdicts, done, yes)
    else:
        _tell(scope, verdicts, done, yes)
    failed = [one for one in done if one.outcome == "stays" and one.why != retain.READ]
    return 2 if failed else 0


def _reused(scope: Scope, limits: Limits) -> dict[str, dict[str, str]]:
    """Return the runs that runs of pipelines reused, which are not too old themselves.

    Returns:
        By the key of a step: its run -> the newest pipeline run that reused it.
    """
    from sinara.names import StepName

    found: dict[str, dict[str, str]] = {}
    oldest = datetime.now(UTC) - limits.older_than if limits.older_than else None
    for runs in replace(scope, step=None, zone=None).pipelines():
        for run_id in runs.run_ids():
            record = runs.read(run_id)
            if oldest and datetime.fromisoformat(record.started) < oldest:
                break
            for step in record.steps:
                if step.status == "reused" and step.run_id:
                    name = step.name.partition("[")[0].rpartition(".")[2]
                    of = StepName(step.env_name, step.pipeline_name, step.zone_name, name)
                    found.setdefault(of.key, {}).setdefault(step.run_id, run_id)
    return found


def _all_steps(scope: Scope) -> Iterator[StepStore]:
    """Yield every step of every env: what their runs were made from stays."""
    for env in scope.settings.envs:
        yield from Scope(scope.settings, env).steps()


def _tell(scope: Scope, verdicts: tuple[Verdict, ...], done: list[Done], yes: bool) -> None:
    if not verdicts:
        click.echo(f"No run in {scope.told}.", err=True)
        return
    outcomes = {(one.verdict.step, one.verdict.run_id): one for one in done}
    rows = [_row(verdict, outcomes.get((verdict.step, verdict.run_id))) for verdict in verdicts]
    print_table(("run", "step", "what", "size", "", "why"), rows)
    goes = [verdict for verdict in verdicts if verdict.goes]
    amount = size(sum(verdict.bytes for verdict in goes))
    stay = counted(len(verdicts) - len(goes), "run")
    if not yes:
        hint = "Do it: add --yes" if goes else "Nothing is to be deleted."
        told = f"{counted(len(goes), 'run')} would go ({amount}), {stay} would stay."
        click.echo(f"{told} {hint}", err=True)
        return
    deleted = [one.verdict for one in done if one.outcome == "deleted"]
    amount = size(sum(verdict.bytes for verdict in deleted))
    click.echo(f"{counted(len(deleted), 'run')} deleted ({amount}), {stay} stayed.", err=True)


def _row(verdict: Verdict, done: Done | None) -> tuple[str, str, str, str, str, str]:
    word, why = ("goes" if verdict.goes else "stays"), verdict.why
    if done is not None:
        word, why = done.outcome, done.why or why
    return verdict.run_id, verdict.step.step, verdict.what, size(verdict.bytes), word, why


def _tell_json(verdicts: tuple[Verdict, ...], done: list[Done], yes: bool) -> None:
    outcomes = {(one.verdict.step, one.verdict.run_id): one for one in done}
    runs = []
    for verdict in verdicts:
        one = outcomes.get((verdict.step, verdict.run_id))
        runs.append(
            {
                "run_id": verdict.run_id,
                "step": verdict.step.dotted,
                "what": verdict.what,
                "goes": verdict.goes,
                "why": verdict.why,
                "bytes": verdict.bytes,
                "outcome": one.outcome if one else None,
                "outcome_why": one.why if one else "",
            }
        )
    goes = sum(verdict.bytes for verdict in verdicts if verdict.goes)
    print_json("clean", {"dry_run": not yes, "bytes": goes, "runs": runs})
