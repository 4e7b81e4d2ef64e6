"""``sinara pipeline create`` and ``schema``: a pipeline from arguments, answers or a manifest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sinara.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from sinara.hosting import Host
    from sinara.manifest import Manifest
    from sinara.scaffold import MadeStep

_KINDS = ("local", "github", "gitlab")
_INTERRUPTED = 130
_LONGEST = 65_536  # bytes of an answer
_MOST = 1000  # steps that are only counted
_NUMBERED = "step"  # what comes before the number


def _refuse_token(ctx: click.Context, option: click.Parameter, given: Any) -> None:
    del ctx, option
    if given is not None:
        raise click.UsageError(
            "A token is not taken here: everybody on this machine sees arguments, and shells keep "
            "them. Set SINARA_GITHUB_TOKEN or SINARA_GITLAB_TOKEN instead."
        )


@click.command("create")
@click.option("--name", "--pipeline_name", "--pipeline-name", help="The pipeline's name.")
@click.option("--steps", metavar="A,B,C", help="The steps' names, in the order of the data.")
@click.option(
    "--step-count",
    "--step_count",
    type=click.IntRange(1, _MOST),
    help="How many steps to number, instead of --steps.",
)
@click.option(
    "--step-name-template",
    "--step_name_template",
    help="With --step-count: what comes before the number. [default: step]",
)
@click.option(
    "-m",
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML or JSON file that says all of it. See: sinara pipeline schema",
)
@click.option(
    "-C",
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that will hold the steps. [default: the pipeline's name, here]",
)
@click.option(
    "--host",
    "--git_provider",
    "--git-provider",
    type=click.Choice(_KINDS),
    help="Where the repositories are made. [default: local, a folder]",
)
@click.option(
    "--organization",
    "--git_organization",
    "--git-organization",
    metavar="NAME",
    help="Organisation, or group/subgroup. [default: the account of the token] "
    "Of local: the folder of the repositories. [default: repositories, beside the steps]",
)
@click.option("--host-url", "--url", help="Web address of an own GitHub Enterprise or GitLab.")
@click.option("--zone", "--zone_name", help="The zone of the steps. [default: zone]")
@click.option("--public", is_flag=True, help="Let everybody see the repositories.")
@click.option("--no-push", is_flag=True, help="Make the steps only: no host, no remotes.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be made.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--token", "--git_token", "--git_password", "--password",
    hidden=True, callback=_refuse_token, expose_value=False, is_eager=True,
)  # fmt: skip
def create(
    name: str | None,
    steps: str | None,
    step_count: int | None,
    step_name_template: str | None,
    manifest: Path | None,
    folder: Path | None,
    host: str | None,
    organization: str | None,
    host_url: str | None,
    zone: str | None,
    public: bool,
    no_push: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make a pipeline: one Git repository for each step, with notebooks that run.

    What no argument and no manifest says is asked for. Without a terminal, answers are read from
    standard input, one a line and in this order: name, steps (or how many), host, organization.
    A blank line takes the default where there is one; host and organization may be left out.

    Running it again changes nothing, and finishes what a broken attempt left. Ends with 0 done,
    1 a step failed (the others are done), 2 usage, 130 interrupted.
    """
    from sinara.scaffold import check_pipeline, create_pipeline, failed, refuse_foreign

    _refuse_what_would_do_nothing(steps, step_count, manifest, host, organization, no_push)
    if step_name_template is not None and step_count is None:
        raise click.UsageError("--step-name-template needs --step-count: how many steps there are.")
    if step_count is not None:
        steps = _numbered(step_count, step_name_template or _NUMBERED)
    wanted, host, organization = _wanted(manifest, name, steps, host, organization, zone, no_push)
    host = host or "local"
    if host == "local" and (host_url is not None or public):
        given = "--public" if host_url is None else "--host-url"
        raise click.UsageError(f"{given} is for github and gitlab, and the host is 'local'.")
    place = (folder or Path(str(wanted.pipeline_name))).absolute()
    if folder is None and (manifest is None or manifest.absolute().parent != place):
        refuse_foreign(place)
    check_pipeline(wanted, place)
    if dry_run:
        _tell_plan(wanted, place, as_json=as_json)
        return 0
    there = None if no_push else _open(host, organization, host_url, place)
    made = create_pipeline(
        wanted, place, there, private=not public, waiting=lambda line: click.echo(line, err=True)
    )
    _tell(made, place, as_json=as_json)
    if any(step.outcome == "stopped" for step in made):
        return _INTERRUPTED
    return 1 if failed(made) else 0


@click.command("schema")
def schema() -> None:
    """Print the JSON schema of a manifest."""
    from sinara.manifest import schema as text

    click.echo(text(), nl=False)


commands = (create, schema)


def _wanted(
    path: Path | None,
    name: str | None,
    steps: str | None,
    host: str | None,
    organization: str | None,
    zone: str | None,
    no_push: bool,
) -> tuple[Manifest, str | None, str | None]:
    """Return what to make, and where: from the manifest, the arguments, then the answers."""
    from sinara.manifest import chain, named, read_manifest

    def pipeline_name() -> str:
        return _answer("Name of the pipeline", _name("pipeline"))

    if path is not None:
        manifest = read_manifest(path)
        asked = manifest.pipeline_name is None and name is None
        name = name if name is not None else manifest.pipeline_name or pipeline_name()
        manifest = named(manifest, name, zone)
        if organization is None and manifest.organization is not None:
            organization = manifest.organization
            if (host or manifest.host or "local") == "local":  # from the manifest, as templates do
                organization = str(path.absolute().parent / Path(organization).expanduser())
        host = host or manifest.host
    else:
        asked = name is None or steps is None
        name = name if name is not None else pipeline_name()
        if steps is None:
            question = "Steps, in the order of the data (data_load,train), or how many"
            steps = _answer(question, _steps_or_count)
        zone = zone if zone is not None else "zone"
        manifest = chain(name, _step_list(steps).split(","), zone=zone)
    if asked and not no_push:
        host = host or _answer("Host (local, github, gitlab)", _host, "local")
        if organization is None:
            told = "Folder of the repositories" if host == "local" else "Organisation or group"
            usual = "repositories, beside the steps" if host == "local" else "your own account"
            found = _answer(f"{told} [{usual}]", lambda text: text, "")
            organization = found or None
    return manifest, host, organization


def _refuse_what_would_do_nothing(
    steps: str | None,
    step_count: int | None,
    manifest: Path | None,
    host: str | None,
    organization: str | None,
    no_push: bool,
) -> None:
    for given, other in (("--steps", steps), ("--step-count", step_count)):
        if manifest is not None and other is not None:
            raise click.UsageError(f"{given} and --manifest: the manifest names the steps.")
    if steps is not None and step_count is not None:
        raise click.UsageError("--steps and --step-count: give one of them.")
    if no_push and (host is not None or organization is not None):
        given = "--host" if host is not None else "--organization"
        raise click.UsageError(f"{given} and --no-push: nothing is pushed, so leave one out.")


def _open(kind: str, organization: str | None, url: str | None, place: Path) -> Host:
    from sinara.hosting import open_host

    if kind == "local" and organization is None:
        organization = str(place / "repositories")
    return open_host(kind, organization, url=url, ask=_secret if _terminal() else None)


def _secret(question: str) -> str:
    import getpass

    return getpass.getpass(question)


# -- answers -----------------------------------------------------------------------------------


def _answer(question: str, check: Callable[[str], str], default: str | None = None) -> str:
    """Return an answer: asked until it is good on a terminal, else the next line of the input."""
    from sinara.errors import SinaraError, UsageError

    if _terminal():
        while True:
            shown = default or None
            text = click.prompt(
                question, default=shown if shown else "", show_default=bool(shown), err=True
            )
            try:
                return check(str(text).strip())
            except (SinaraError, click.UsageError) as error:
                click.echo(f"sinara: {error}", err=True)
    text = _line()
    if not text and default is not None:
        return default
    if not text:
        what = question.partition(",")[0].partition(" (")[0]
        raise UsageError(
            f"{what}: there is no answer. Give it as an argument, or as a line of the "
            "standard input. See: sinara pipeline create --help"
        )
    return check(text)  # fmt: skip


def _terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _line() -> str:
    """Return the next line of the input; whatever the bytes are, a check answers them."""
    if sys.stdin is None:
        return ""
    text = sys.stdin.buffer.readline(_LONGEST).decode("utf-8", "backslashreplace")
    return text.removeprefix("\ufeff").strip()  # some shells mark the begin of what they pipe


def _name(kind: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        from sinara import names

        return names.check_name(kind, text)

    return check


def _step_list(text: str) -> str:
    from sinara import names

    found = [part.strip() for part in text.replace(" ", ",").split(",") if part.strip()]
    for name in found or [text]:
        names.check_name("step", name)
    names.check_distinct("step", found)
    return ",".join(found)


def _steps_or_count(text: str) -> str:
    if text.isascii() and text.isdigit():
        if len(text) > len(str(_MOST)) or not 0 < int(text) <= _MOST:
            from sinara.errors import UsageError

            raise UsageError(f"{text[:20]} is no number of steps: give 1 to {_MOST}, or names.")
        return _numbered(int(text), _NUMBERED)
    return _step_list(text)


def _numbered(count: int, template: str) -> str:
    return ",".join(f"{template}{number}" for number in range(1, count + 1))


def _host(text: str) -> str:
    if text not in _KINDS:
        raise click.UsageError(f"{text!r} is no host. Known are {', '.join(_KINDS)}.")
    return text


# -- what is told ------------------------------------------------------------------------------


def _tell_plan(manifest: Manifest, place: Path, *, as_json: bool) -> None:
    from sinara.scaffold import repository_name

    rows = []
    for step in manifest.steps:
        folder = place / repository_name(str(manifest.pipeline_name), step.name)
        rows.append((step.name, str(folder), "there already" if folder.exists() else "to be made"))
    if as_json:
        print_json(
            "steps", [dict(zip(("step", "folder", "outcome"), row, strict=True)) for row in rows]
        )
        return
    print_table(("step", "folder", ""), rows)  # fmt: skip


def _tell(made: tuple[MadeStep, ...], place: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json("steps", [asdict(step) for step in made])
        return
    print_table(
        ("step", "folder", "repository", ""),
        [
            (step.step, Path(step.folder).name, step.repository or "-", step.outcome)
            for step in made
        ],
    )
    for step in made:
        if step.text:
            say(f"{step.step}: {step.text}", err=True)
    if any(step.outcome in ("failed", "stopped") for step in made):
        click.echo(
            "Run the same command again when it can be done: it finishes the rest.", err=True
        )
        return
    if all(step.outcome == "there already" for step in made):
        click.echo("\nEverything is there already: nothing was changed.", err=True)
    click.echo(f"\nThe steps are in {place}. Run them:", err=True)
    click.echo(f"  {_activated()}cd {_quoted(place)} && sinara pipeline run", err=True)
    click.echo("See what they make of each other: sinara pipeline graph -o graph.html", err=True)


def _activated() -> str:
    """Return what has to be typed first where the shell does not find ``sinara`` yet."""
    import shutil
    import sys

    activate = Path(sys.executable).parent / "activate"
    return "" if shutil.which("sinara") or not activate.exists() else f". {_quoted(activate)} && "


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))
