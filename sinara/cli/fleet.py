"""The verbs of ``sinara pipeline`` that speak to Git: over all steps at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sinara.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from sinara.fleet import FleetStep, Result, StepStatus
    from sinara.hosting import Host

Command = TypeVar("Command", bound=Callable[..., Any])

_KINDS = ("local", "github", "gitlab")
_ENDED = 130


def _common(command: Command) -> Command:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--step", "only", multiple=True, metavar="NAME",
            help="Only this step; may be given again. [default: all]",
        ),
        click.option(
            "-C", "--folder", type=click.Path(path_type=Path, file_okay=False), default=".",
            help="The folder that holds the steps, or one of the steps. [default: this one]",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def _host_options(command: Command) -> Command:
    for option in (
        click.option("--url", help="Web address of an own GitHub Enterprise or GitLab."),
        click.option(
            "--organization", metavar="NAME",
            help="Organisation, or group/subgroup. Of local: the folder of the repositories. "
            "[default: the account of the token]",
        ),
        click.option("--host", type=click.Choice(_KINDS), help="Where the repositories are."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("status")
@_common
@click.option("--fetch", "ask", is_flag=True, help="Ask the remotes first.")
@click.option("--env", help="The env of the last run. [default: as each step's parameters say]")
def status(folder: Path, only: tuple[str, ...], as_json: bool, ask: bool, env: str | None) -> int:
    """Show branch, remote, changed files and last run of each step; nothing is changed."""
    from sinara.fleet import status as ask_all

    found = ask_all(_steps(folder, only), ask=ask, env=env)
    if as_json:
        print_json("steps", [asdict(each) for each in found])
        return 0
    columns = ("step", "branch", "remote", "changed", "last run", "run id", "when")
    print_table(columns, [_row(each) for each in found])
    for each in found:
        for problem in filter(None, (each.problem, each.last_run.problem)):
            say(f"{each.step}: {problem}", err=True)
    return 0


@click.command("pull")
@_common
@_host_options
@click.option("--name", help="Clone the steps of this pipeline that are not here yet, from --host.")
def pull(
    folder: Path,
    only: tuple[str, ...],
    as_json: bool,
    name: str | None,
    **where: str | None,
) -> int:
    """Bring each step forward to what its remote has. Fast-forward only: nothing is merged.

    Steps with changed files, or with commits of their own beside new ones, are left alone and
    named. With --name and --host, steps that are missing here are cloned, too.
    """
    from sinara.errors import UsageError
    from sinara.fleet import arrive
    from sinara.fleet import pull as pull_all

    if (name is None) != (where["host"] is None):
        raise UsageError("To clone what is missing give both: --name PIPELINE --host KIND.")
    if name is None:
        return _tell("pull", pull_all(_steps(folder, only)), as_json)
    host = _open(**where)
    before = _steps(folder, only) if _holds_steps(folder) else ()
    came = arrive(folder, name, host)
    went = pull_all(before) if not _ended(came) else ()
    return _tell("pull", (*came, *went), as_json)


@click.command("push")
@_common
def push(folder: Path, only: tuple[str, ...], as_json: bool) -> int:
    """Push the current branch of each step; never forced."""
    from sinara.fleet import push as push_all

    return _tell("push", push_all(_steps(folder, only)), as_json)


@click.command("checkout")
@click.argument("branch")
@_common
@click.option("--create", is_flag=True, help="Make the branch where it is not there.")
def checkout(branch: str, folder: Path, only: tuple[str, ...], as_json: bool, create: bool) -> int:
    """Check out BRANCH in each step. Changed files are kept, or the step is left alone."""
    from sinara.fleet import checkout as checkout_all

    done = checkout_all(_steps(folder, only), branch, create=create)
    return _tell("checkout", done, as_json)


@click.command("update")
@_common
@_host_options
@click.option("--new-name", metavar="NAME", help="Rename the pipeline in each parameter file.")
@click.option(
    "--origin", metavar="ADDRESS",
    help="Where the repositories are now: git@HOST:TEAM, or with {repository} in it.",
)  # fmt: skip
def update(
    folder: Path,
    only: tuple[str, ...],
    as_json: bool,
    new_name: str | None,
    origin: str | None,
    **where: str | None,
) -> int:
    """Give the pipeline another name, or its steps another origin. Nothing is pushed.

    A new name is written into every parameter file that has the old one, and committed; a step
    with changed files is left alone.
    """
    from sinara.errors import UsageError
    from sinara.fleet import rename, set_origins

    if not (new_name or origin or where["host"]):
        raise UsageError("Say what to update: --new-name NAME, --origin ADDRESS or --host KIND.")
    if origin and where["host"]:
        raise UsageError("Give either --origin or --host, not both.")
    steps = _steps(folder, only)
    host = _open(**where) if where["host"] else None
    done: tuple[Result, ...] = ()
    if new_name:
        done = rename(steps, new_name)
    if (origin or host) and not _ended(done):
        done = (*done, *set_origins(steps, origin=origin or "", host=host))
    return _tell("update", done, as_json)


@click.command("transfer")
@_common
@_host_options
@click.option("--name", help="Call the repositories there NAME-STEP. [default: as they are now]")
def transfer(
    folder: Path,
    only: tuple[str, ...],
    as_json: bool,
    name: str | None,
    **where: str | None,
) -> int:
    """Move the repositories of all steps to another host or organisation.

    Every branch and tag is pushed to a repository there, which is made if need be (private);
    'origin' then is the new one, 'previous' the old one. Repeat it if it was interrupted.
    """
    from sinara.errors import UsageError
    from sinara.fleet import transfer as transfer_all

    if where["host"] is None:
        raise UsageError("Say where to: --host local, github or gitlab.")
    steps = _steps(folder, only)
    return _tell("transfer", transfer_all(steps, _open(**where), name=name), as_json)


commands = (pull, push, status, checkout, update, transfer)


def _steps(folder: Path, only: Sequence[str]) -> tuple[FleetStep, ...]:
    from sinara.fleet import choose, steps_in

    return choose(steps_in(folder), only)


def _holds_steps(folder: Path) -> bool:
    from sinara.errors import UsageError
    from sinara.fleet import steps_in

    try:
        return bool(steps_in(folder))
    except UsageError:
        return False


def _open(host: str | None, organization: str | None, url: str | None) -> Host:
    from sinara.hosting import open_host

    return open_host(host or "", organization, url=url, ask=_ask if sys.stdin.isatty() else None)


def _ask(question: str) -> str:
    import getpass

    return getpass.getpass(question)


def _ended(done: Sequence[Result]) -> bool:
    return any(result.outcome == "stopped" for result in done)


def _tell(verb: str, done: Sequence[Result], as_json: bool) -> int:
    """Print how a verb went in each step, and return the exit code."""
    if as_json:
        print_json(verb, [asdict(result) for result in done])
    else:
        print_table(("step", verb, "what"), [(r.step, r.outcome, r.text) for r in done])
    failed = [result.step for result in done if result.outcome == "failed"]
    if failed:
        told = f"{len(failed)} of {len(done)} failed: {', '.join(failed)}"
        rest = " The others are done." if len(failed) < len(done) else ""
        say(f"sinara: {told}.{rest}", err=True)
    if _ended(done):
        click.echo("sinara: interrupted; what is 'stopped' was not done.", err=True)
        return _ENDED
    return 1 if failed else 0


def _row(each: StepStatus) -> tuple[object, ...]:
    run = each.last_run
    last = "unknown" if run.problem else run.status or None
    where: tuple[object, ...] = (each.problem.partition(":")[0], "", None)
    if each.repository:
        branch = each.branch or f"detached at {(each.commit or '')[:10]}"
        where = (branch, _distance(each), len(each.dirty))
    return (each.step, *where, last, run.run_id or None, run.started[:19].replace("T", " ") or None)


def _distance(each: StepStatus) -> str:
    if each.branch is None:
        return ""
    if each.commit is None:
        return "no commit"
    if each.upstream is None:
        return "no upstream"
    if each.ahead is None or each.behind is None:
        return f"{each.upstream} is gone"
    parts = [f"{n} {word}" for n, word in ((each.ahead, "ahead"), (each.behind, "behind")) if n]
    return ", ".join(parts) or "up to date"
