"""``sinara why``: what an entity was made from."""

from __future__ import annotations

from dataclasses import replace

import click

from sinara.cli.output import counted, print_json, say
from sinara.cli.scope import find_scope, scope_options
from sinara.errors import EntityNotFoundError


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

    ENTITY is a name, step.entity, a full name, or the path of its folder.
    """
    from sinara import lineage

    scope = find_scope(**chosen)
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
