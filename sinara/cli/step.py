"""``sinara step``: new, check, run."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from sinara.cli.output import print_json, say


@click.group("step")
def command() -> None:
    """Make, check and run a step."""


_folder = click.option(
    "-C", "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".",
    help="The step's folder. [default: this one]",
)  # fmt: skip
_env = click.option("--env", help="The env to run in; wins over the parameter file.")
_set = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set one parameter, e.g. --set lr=0.1 or --set train.lr=0.1.",
)
_files = click.option(
    "--params-file",
    "params_files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A JSON or YAML file of parameters; --set wins over it.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command("new")
@click.argument("name")
@click.option(
    "--pipeline",
    default="pipeline",
    show_default=True,
    help="The pipeline that the step belongs to.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where to make it. [default: PIPELINE-NAME, here]",
)
@click.option(
    "--git/--no-git",
    default=True,
    show_default=True,
    help="Make it a Git repository with a first commit.",
)
@_json
def new(name: str, pipeline: str, folder: Path | None, git: bool, as_json: bool) -> None:
    """Make the step NAME from the template: a folder that runs as it is."""
    from sinara.scaffold import new_step

    made = new_step(name, pipeline, folder or Path(f"{pipeline}-{name}"), git=git)
    if as_json:
        print_json("step", {"folder": str(made), "pipeline": pipeline, "step": name})
        return
    click.echo(str(made))
    click.echo(f"Run it: cd {made} && python step.dev.py", err=True)


@command.command("check")
@_folder
@_env
@_set
@_files
@_json
def check(
    folder: Path,
    env: str | None,
    overrides: tuple[str, ...],
    params_files: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Look for mistakes in a step; nothing is executed. Ends with 3 if there are any."""
    from dataclasses import asdict

    from sinara.check import check_step

    findings = check_step(
        folder.resolve(), env_name=env, overrides=overrides, params_files=params_files
    )
    if as_json:
        print_json("findings", [asdict(finding) for finding in findings])
    else:
        for finding in findings:
            cell = "" if finding.cell is None else f", cell {finding.cell + 1}"
            line = f", line {finding.line}" if finding.line else ""
            place = f"{finding.file}{cell}{line}"
            say(f"{finding.severity}: {place}: {finding.message} [{finding.code}]")
        if not findings:
            click.echo("Nothing found.", err=True)
    return 3 if any(finding.severity == "error" for finding in findings) else 0


@command.command("git-filter")
@_folder
def git_filter(folder: Path) -> None:
    """Keep outputs of notebooks out of Git, in this clone; the files keep theirs.

    Steps made by sinara have it on. It works through the .gitattributes that a step has.
    """
    from sinara.repository import switch_on

    was_off = switch_on(folder.resolve())
    click.echo("Switched on." if was_off else "It is on already.", err=True)


@command.command("run")
@_folder
@_env
@_set
@_files
@click.option(
    "--tag",
    is_flag=True,
    help="Tag the commit with the run id, and push the tag, as step.prod.py does.",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Go on with a run that failed or was killed: its id, the beginning of it, or 'last'.",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not show what the cells print.")
@_json
def run(
    folder: Path,
    env: str | None,
    overrides: tuple[str, ...],
    params_files: tuple[Path, ...],
    tag: bool,
    resume: str | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run the step of this folder. Prints the run id.

    Ends with 0 done, 1 a run failed, 2 usage or configuration, 4 a kernel died or used up its
    memory, 5 a timeout or processor time used up, 130 interrupted, 254 stopped in design mode.
    """
    import json

    from sinara.console import Console, tell_end
    from sinara.record import to_json
    from sinara.runner import RunRequest, StepRun, run_substeps

    files = tuple(path.resolve() for path in params_files)
    request = RunRequest(
        folder.resolve(), env_name=env, overrides=overrides, params_files=files, resume=resume
    )
    with Console(verbose=not quiet) as console:
        going = StepRun(request, listener=console)
        console.verbose = going.verbose and not quiet
        record = run_substeps(going)
    if tag:
        going.tag()
        record = going.record
    tell_end(record, going.evidence_folder)
    with contextlib.suppress(BrokenPipeError):  # nobody reads the answer; the exit code stays true
        if as_json:
            print_json("run", json.loads(to_json(record)))
        else:
            click.echo(record.run_id)
    return record.exit_code or 0
