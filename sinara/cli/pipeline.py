"""``sinara pipeline``: graph, check, plan, run, and the verbs over all its steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sinara.cli import create, fleet, pipeline_run
from sinara.cli.output import counted, print_json, say

if TYPE_CHECKING:
    from sinara.draw import Picture
    from sinara.draw.scene import Level
    from sinara.graph import PipelineGraph, Problem


@click.group("pipeline")
def command() -> None:
    """Make a pipeline, draw it, check it, run it; Git over all its steps."""


for _one in (*create.commands, *pipeline_run.commands, *fleet.commands):
    command.add_command(_one)

_folder = click.option(
    "-C", "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".",
    help="The folder that holds the steps, or one of the steps. [default: this one]",
)  # fmt: skip
_steps = click.option(
    "--steps", multiple=True, metavar="PATTERN",
    help="The steps' folders, as a pattern: '/path/to/steps/*'. Instead of --folder.",
)  # fmt: skip
_env = click.option("--env", help="The env to read the steps in. [default: each step's own]")
FORMATS = ("svg", "html", "png", "dot", "mermaid", "json")


@command.command("graph")
@_folder
@_steps
@_env
@click.option("--name", help="What to call the graph. [default: the pipeline's name]")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file to write: .html .svg .png .dot .mmd .json .pdf. May be given again.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Print it to the output stream instead."
)
@click.option(
    "--level",
    type=click.Choice(["substeps", "steps"]),
    default="substeps",
    show_default=True,
    help="What to draw: every notebook, or the steps only.",
)
@click.option(
    "--history/--no-history",
    default=True,
    show_default=True,
    help="Lay over what the last runs did: status, duration, rows and bytes.",
)
def graph(
    folder: Path,
    steps: tuple[str, ...],
    env: str | None,
    name: str | None,
    outputs: tuple[Path, ...],
    form: str | None,
    level: Level,
    history: bool,
) -> None:
    """Draw the graph of steps, substeps and entities. Nothing is executed.

    Without --output and --format it is told in words.
    """
    import sys

    picture = _picture(folder, steps, env, name, level, history=history)
    for path in outputs:
        picture.save(path)
        click.echo(str(path))
    if form is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(picture.rendered(form))
        sys.stdout.buffer.flush()
    elif not outputs:
        _tell(picture.graph)
    for line in picture.history.problems if picture.history else ():
        say(f"sinara: {line}", err=True)
    if picture.graph.problems:
        found = counted(len(picture.graph.problems), "problem")
        click.echo(f"{found} found; they are in the picture. See: sinara pipeline check", err=True)


@command.command("check")
@_folder
@_steps
@_env
@click.option(
    "--allow",
    multiple=True,
    metavar="CODE",
    help="Take findings of this kind as meant: the word in brackets. May be given again.",
)
@click.option("--graph-only", is_flag=True, help="Leave out what is wrong with single steps.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    folder: Path,
    steps: tuple[str, ...],
    env: str | None,
    allow: tuple[str, ...],
    graph_only: bool,
    as_json: bool,
) -> int:
    """Look for mistakes in a pipeline; nothing is executed. Ends with 3 if there are any.

    Missing producers, steps that read from each other, entities with two producers or that
    nobody reads, interfaces that cannot be read; and what sinara step check finds in each step.
    """
    from dataclasses import asdict

    found = _problems(_read(folder, steps, env, None), env, graph_only=graph_only)
    kept = [problem for problem in found if problem.code not in allow]
    if as_json:
        print_json("problems", [asdict(problem) for problem in kept])
    for problem in () if as_json else kept:
        say(f"{problem.severity}: {problem.text} [{problem.code}]")
    if not kept:
        click.echo("Nothing found.", err=True)
    return 3 if kept else 0


def _read(folder: Path, steps: tuple[str, ...], env: str | None, name: str | None) -> PipelineGraph:
    from sinara.graph import glob_steps, read_graph

    return read_graph(glob_steps(steps) if steps else folder, env_name=env, name=name)


def _picture(
    folder: Path,
    steps: tuple[str, ...],
    env: str | None,
    name: str | None,
    level: Level,
    *,
    history: bool,
) -> Picture:
    from sinara.draw import Picture
    from sinara.graph import read_history

    found = _read(folder, steps, env, name)
    return Picture(found, read_history(found) if history else None, level=level)


def _problems(graph: PipelineGraph, env: str | None, *, graph_only: bool) -> list[Problem]:
    """Return the problems of the graph, then those of single steps that it does not tell."""
    from sinara.check import check_step
    from sinara.graph import Problem

    found = list(graph.problems)
    if graph_only:
        return found
    told = {"params", "interface", "unreadable-interface", "missing-file", "notebook", "own-input"}
    for step in graph.steps:
        folder = Path(step.folder)
        for finding in check_step(folder, env_name=env or step.env_name):
            if finding.code in told or finding.severity != "error":
                continue
            cell = "" if finding.cell is None else f", cell {finding.cell + 1}"
            line = f", line {finding.line}" if finding.line else ""
            text = f"{folder.name}/{finding.file}{cell}{line}: {finding.message}"
            found.append(Problem(finding.severity, finding.code, text, (step.id,)))
    return found


def _tell(graph: PipelineGraph) -> None:
    """Print each substep with what it reads and writes."""
    entities = {entity.id: entity for entity in graph.entities}
    for step in graph.steps:
        say(f"{step.name}  ({Path(step.folder).name})")
        for substep in step.substeps:
            say(f"  {substep.order}. {substep.name}")
            for sign, names in (
                ("reads ", [e.source for e in graph.edges if e.target == substep.id]),
                ("writes", [e.target for e in graph.edges if e.source == substep.id]),
            ):
                for node in names:
                    entity = entities[node]
                    kind = "" if entity.kind == "entity" else f" ({entity.kind})"
                    say(f"       {sign} {entity.full_name}{kind}")
    total = sum(len(step.substeps) for step in graph.steps)
    click.echo(
        f"{counted(len(graph.steps), 'step')}, {counted(total, 'substep')}, "
        f"{counted(len(entities), 'entity')}. A picture: sinara pipeline graph -o graph.html",
        err=True,
    )
