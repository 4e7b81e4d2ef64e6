"""``sinara run reproduce``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from sinara.cli.output import number, print_json, print_table, say
from sinara.cli.scope import Scope, find_pipeline_run, find_run, find_scope, scope_options
from sinara.errors import UsageError

if TYPE_CHECKING:
    from sinara.reproduce import Reproduction
    from sinara.store import StepStore

_DIFFERENT = 3


@click.command("reproduce")
@click.argument("run_id", default="last", metavar="[RUN]")
@scope_options
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-9,
    show_default=True,
    help="Largest relative difference of two numbers that are nearly the same.",
)
@click.option("--here", is_flag=True, help="Use the packages that are here, whatever was there.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the cells print.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reproduce(
    run_id: str,
    tolerance: float,
    here: bool,
    verbose: bool,
    as_json: bool,
    **chosen: str | None,
) -> int:
    """Run a run again as it was, and say whether it gives the same. Of a pipeline, every step.

    Its commit is checked out in a scratch folder, with its parameters and the inputs that it
    pinned; if packages differ that its code rests on, an environment is made as it was then. Nobody
    reads what it gives. Ends with 0 equal or within tolerance, 3 different, 1 it failed, 2 usage.
    """
    from sinara.console import Console, tell_end
    from sinara.reproduce import reproduce as again

    scope = find_scope(**chosen)
    options = dict(scope.settings.env(scope.env).storage_options)
    found = []
    for store, whole in _runs(scope, run_id):
        with Console(verbose=verbose) as console:
            one = again(
                store,
                whole,
                tolerance=tolerance,
                here=here,
                storage_options=options,
                listener=console,
                say=lambda line: say(f"  {line}", err=True),
            )
        if not one.again.published:
            folder = store.record_folder(one.again.run_id)
            if folder is not None:
                tell_end(one.again, folder)
        found.append((store.step.step, one))
    _tell(found, as_json=as_json)
    if not all(one.again.published for _, one in found):
        return 1
    return 0 if all(one.same for _, one in found) else _DIFFERENT


def _runs(scope: Scope, run_id: str) -> Iterator[tuple[StepStore, str]]:
    """Yield the steps' runs that are meant: of a pipeline run each that it made or reused."""
    pipeline = find_pipeline_run(scope, run_id)
    if pipeline is None:
        yield find_run(scope, run_id, by_hand=False)
        return
    record = pipeline[0].read(pipeline[1])
    if record.points:
        raise UsageError(f"{record.run_id} is a sweep. Reproduce one of its steps' runs.")
    everywhere = replace(scope, step=None, zone=None)
    for step in record.steps:
        if step.run_id and step.status in ("succeeded", "reused"):
            yield find_run(everywhere, step.run_id)


def _tell(found: list[tuple[str, Reproduction]], *, as_json: bool) -> None:
    if as_json:
        print_json(
            "reproduced",
            [
                {
                    "step": step,
                    "run_id": one.run_id,
                    "again": one.again.run_id,
                    "status": one.again.status,
                    "same": one.same,
                    "doubts": list(one.doubts),
                    "entities": [asdict(entity) for entity in one.entities],
                }
                for step, one in found
            ],
        )
        return
    print_table(
        ("step", "entity", "", "rows", "why"),
        [
            (step, entity.entity, entity.verdict, number(entity.rows[0]), entity.why)
            for step, one in found
            for entity in one.entities
        ],
    )
    for step, one in found:
        for doubt in one.doubts:
            say(f"{step}: {doubt}", err=True)
        if not one.again.published:
            say(f"{step}: it did not succeed: {one.again.message}", err=True)


commands = (reproduce,)
