"""``sinara model containerize``: an image of a saved model, from arguments or answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sinara.cli.output import print_fields, print_json, say
from sinara.cli.scope import find_scope, scope_options
from sinara.errors import EntityNotFoundError, UsageError
from sinara.settings.images import BACKENDS

if TYPE_CHECKING:
    from sinara.containerize.values import Containerized, Plan

_LONGEST = 65_536  # bytes of an answer


@click.command("containerize")
@click.argument("entity_argument", metavar="[ENTITY]", required=False)
@click.option(
    "--entity",
    "--bentoservice_path",
    "--entity_path",
    help="The entity: its name, step.entity, full name, or path.",
)
@click.option("--run", "run_id", help="Of this run, or the beginning of its id. [newest]")
@scope_options
@click.option(
    "--registry", "--docker_registry", help="Where the image belongs: host:port/namespace."
)
@click.option("--base", help="The image to build on, best as name@sha256:…; or oci-archive:FILE.")
@click.option(
    "--backend", type=click.Choice(BACKENDS), help="What builds it. [default: the first here]"
)
@click.option("--push", is_flag=True, help="Send it to the registry.")
@click.option("--platform", help="Build for this one: linux/arm64. [default: this machine's]")
@click.option("--offline", is_flag=True, help="Ask no network. Needs --wheelhouse.")
@click.option(
    "--wheelhouse",
    type=click.Path(path_type=Path, file_okay=False),
    help="Take packages from the wheels in this folder.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With direct: write the image to this file, for podman load or docker load.",
)
@click.option(
    "--verify", is_flag=True, help="Start it and ask the samples before it gets its name."
)
@click.option("--insecure", multiple=True, metavar="HOST", help="Ask this registry over HTTP.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the builder writes.")
@click.option("--dry-run", is_flag=True, help="Say what would be built, and build nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def containerize(
    entity_argument: str | None,
    entity: str | None,
    run_id: str | None,
    env: str | None,
    pipeline: str | None,
    zone: str | None,
    step: str | None,
    verbose: bool,
    dry_run: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Make an image of a saved model: <registry>/<env>.<pipeline>.<zone>.<step>:<run_id>.

    What is not given is asked for: on a terminal, or a line each on standard input, entity and
    registry. A blank line for the registry builds an image that belongs to none.

    A name that exists is never given to other content. Ends with 0 done, 1 the image does not
    answer what the notebook predicted, 2 it cannot be built, 3 the entity is damaged.
    """
    from sinara.containerize import containerize as containerizing
    from sinara.containerize.values import Request
    from sinara.lineage import find_entity

    if entity and entity_argument:
        raise UsageError("The entity is given twice: as an argument, and by --entity.")
    scope = find_scope(env, pipeline, zone, step)
    wanted = entity or entity_argument or _ask("Entity of your bentoservice (name or path)", True)
    if asked["registry"] is None and not scope.settings.images.registry:
        asked["registry"] = "" if entity or entity_argument else _ask("Registry, if any", False)
    asked["registry"] = asked["registry"] or ""
    asked["base"] = asked["base"] or ""
    asked["backend"] = asked["backend"] or ""
    request = containerizing.complete(scope.settings, Request(**asked))
    try:
        key = find_entity(scope.settings, scope.steps(), wanted, run_id)
    except EntityNotFoundError:
        if scope.step is None or step:
            raise
        key = find_entity(scope.settings, replace(scope, step=None).steps(), wanted, run_id)
    with containerizing.planned(scope.settings, *key, request) as plan:
        if dry_run:
            _tell_plan(plan, as_json)
            return 0
        tell: Callable[[str], None] = partial(say, err=True)
        loud = verbose or plan.backend.name == "direct"  # which says what it does, in few lines
        log = tell if loud else _nothing
        done = containerizing.containerize(scope.settings, plan, request, tell, log)
    _tell(done, as_json)
    return 0


def _nothing(line: str) -> None:
    """Pass over a line of a builder's log: its last ones are in the error, if it fails."""


def _ask(question: str, mandatory: bool) -> str:
    """Return an answer: from the terminal, or the next line of standard input."""
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if terminal:
        click.echo(f"{question}: ", nl=False, err=True)
    line = sys.stdin.readline(_LONGEST) if sys.stdin is not None else ""
    answer = line.strip()
    if mandatory and not answer:
        raise UsageError("No entity is named. Give --entity, or an answer on standard input.")
    return answer


def _tell_plan(plan: Plan, as_json: bool) -> None:
    recipe = plan.recipe
    told = {
        "image": plan.image,
        "entity": plan.entity,
        "run": plan.run_id,
        "base": recipe.base,
        "python": recipe.python,
        "platform": recipe.platform or "",
        "backend": plan.backend.name,
        "why": plan.why,
        "labels": dict(recipe.labels),
        "commands": plan.backend.commands(recipe),
    }
    if as_json:
        print_json("plan", told)
        return
    print_fields({k: v for k, v in told.items() if k not in ("labels", "commands")})
    for command in plan.backend.commands(recipe):
        say("  " + " ".join(command))
    click.echo("Nothing was built: --dry-run.", err=True)


def _tell(done: Containerized, as_json: bool) -> None:
    for line in done.warnings:
        say(f"warning: {line}", err=True)
    if as_json:
        print_json("image", asdict(done))
        return
    if not done.verified:
        click.echo("Not verified: --verify starts it and asks the samples.", err=True)
    else:
        click.echo(f"Verified: {done.verified}", err=True)
    if done.was_there:
        click.echo("The same image was there already.", err=True)
    print_fields(
        {"image": done.image, "id": done.id, "digest": done.digest, "archive": done.archive}
    )
