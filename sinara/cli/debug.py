"""``sinara run debug``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from sinara.cli import runs
from sinara.cli.scope import Scope, find_run, find_scope, scope_options
from sinara.errors import RunNotFoundError
from sinara.store import StepStore


@click.command("debug")
@click.argument("run_id", default="last", metavar="[RUN]")
@scope_options
@click.option(
    "--substep", "substep", metavar="NAME", help="Which substep. [default: the failed one]"
)
@click.option("--lab", is_flag=True, help="Open JupyterLab instead of a console.")
@click.option(
    "--replay/--no-replay",
    default=True,
    show_default=True,
    help="In the console, run the cells above the failed one first.",
)
def command(run_id: str, substep: str | None, lab: bool, replay: bool, **chosen: str | None) -> int:
    """Open a console, or JupyterLab, on a failed substep, as it was when it failed.

    RUN: an id, its beginning, or 'last', which is the newest run that failed. Its parameters,
    the very inputs that it read, its folder and kernel are restored; the notebook is the one
    that ran. Nothing is published, and what it writes to its outputs is removed at the end.
    """
    from sinara.debug import find_failed, open_console, open_lab, restored

    step, whole = _find(find_scope(**chosen), run_id)
    runs.refuse_snapshot(step, whole)
    with restored(find_failed(step, whole, substep)) as ready:
        return open_lab(ready, _tell_address) if lab else open_console(ready, replay=replay)


def variables(step: StepStore, run_id: str, substep: str) -> Iterator[str]:
    """Yield the lines of ``sinara run log --locals``: what the frames of a failure knew."""
    from sinara import names
    from sinara.postmortem import FILE_NAME, read
    from sinara.postmortem.lines import lines

    folder = names.entity_folder(names.reports_entity(substep))
    try:
        kept = read(step.get_file(run_id, f"{folder}/{FILE_NAME}"))
    except RunNotFoundError:  # recorded before variables were kept
        kept = None
    yield "Variables at the failure:"
    yield from lines(kept) if kept else ["None were kept."]


def _find(scope: Scope, run_id: str) -> tuple[StepStore, str]:
    if run_id != "last":
        return find_run(scope, run_id, by_hand=False)
    from sinara.debug import newest_failed

    found = newest_failed(scope.steps())
    if found is None:
        raise RunNotFoundError(
            f"No run failed in {scope.told}. To look into one that succeeded: "
            "sinara run debug RUN --substep NAME"
        )
    return found


def _tell_address(url: str) -> None:
    click.echo(url)
    click.echo("Open this address in a browser. Ctrl-C here ends the session.", err=True)
