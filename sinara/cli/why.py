"""``sinara why``: what an entity was made from."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from sinara.cli.output import counted, print_fields, print_json, say
from sinara.cli.scope import find_scope, scope_options
from sinara.errors import EntityNotFoundError, UsageError

if TYPE_CHECKING:
    from sinara.serving.values import Origin


@click.command("why")
@click.argument("entity")
@scope_options
@click.option(
    "--run", "run_id", help="Of this run, or the beginning of its id. [default: the newest]"
)
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    help="How many levels to draw. JSON has all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    entity: str, run_id: str | None, depth: int, as_json: bool, **chosen: str | None
) -> None:
    """Tell where ENTITY came from: code, parameters and inputs, back to the raw data.

    ENTITY is a name, step.entity, a full name, or the path of its folder; or an image that
    sinara made: by its name, here or in its registry, or oci-archive:FILE. It is not run.
    """
    from sinara import lineage
    from sinara.containerize.origin import find_origin, is_image

    scope = find_scope(**chosen)
    if is_image(entity):
        if run_id is not None:
            raise UsageError("--run is for an entity: an image's name says its run.")
        found = find_origin(scope.settings, entity)
        for line in found.told:
            say(line, err=True)
        if not found.in_store:
            _tell_origin(found.origin, as_json)
            return
        entity, run_id = found.origin.entity, found.origin.run_id
    try:
        key = lineage.find_entity(scope.settings, scope.steps(), entity, run_id)
    except EntityNotFoundError:
        if scope.step is None or chosen["step"]:
            raise
        wider = replace(scope, step=None)  # not of the step of this folder: of its pipeline
        key = lineage.find_entity(scope.settings, wider.steps(), entity, run_id)
    traced = lineage.trace(scope.settings, *key, depth=None if as_json else depth)
    if as_json:
        print_json("lineage", lineage.as_json(traced))
        return
    for line in lineage.draw(traced, depth):
        say(line)
    gone = [one for one in traced.ancestors.values() if one.state not in ("published", "unsealed")]
    if gone:
        told = counted(len(gone), "entity")
        click.echo(f"{told} of this cannot be read any more: see the words in capitals.", err=True)


def _tell_origin(origin: Origin, as_json: bool) -> None:
    """Print what an image says of itself, where the store of its run is out of reach."""
    if as_json:
        print_json("origin", asdict(origin))
        return
    dirty = f"changed files: {', '.join(origin.dirty)}" if origin.dirty else ""
    code = " on ".join(filter(None, (origin.commit, origin.branch)))
    print_fields(
        {
            "entity": origin.entity,
            "run": origin.run_id,
            "made by": origin.substep,
            "code": " of ".join(filter(None, (code, origin.remote))),
            "dirty": dirty,
        }
    )
    for read in origin.inputs:
        say(f"from  {read.entity}  {read.run_id}")
