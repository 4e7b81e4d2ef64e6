"""``sinara pipeline plan``, ``run`` and ``sweep``."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sinara.cli.output import counted, print_json, print_table, say
from sinara.errors import UsageError

if TYPE_CHECKING:
    from sinara.pipeline import PipelinePlan, PipelineRequest
    from sinara.record import PipelineRecord

Command = TypeVar("Command", bound=Callable[..., Any])


def request_options(command: Command) -> Command:
    """Add the options that say which steps are meant, and with which values."""
    for option in (
        click.argument("select", nargs=-1, metavar="[STEP]..."),
        click.option(
            "-C", "--folder", default=".",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            help="The folder that holds the steps, or one of the steps. [default: this one]",
        ),
        click.option("--env", help="The env to run in. [default: as each step's parameters say]"),
        click.option(
            "--set", "overrides", multiple=True, metavar="STEP.PARAM=VALUE",
            help="Set a parameter; may be given again.",
        ),
        click.option(
            "--from", "start", multiple=True, metavar="STEP",
            help="This step and all that read from it; may be given again.",
        ),
        click.option(
            "--to", "end", multiple=True, metavar="STEP",
            help="This step and all that it reads from; may be given again.",
        ),
        click.option(
            "--only", multiple=True, metavar="STEP", help="This step alone; may be given again."
        ),
        click.option(
            "--force", multiple=True, metavar="STEP[/SUBSTEP]", is_flag=False, flag_value="*",
            help="Run this even if nothing changed; without a name everything.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def made_request(
    *,
    select: tuple[str, ...],
    folder: Path,
    env: str | None,
    overrides: tuple[str, ...],
    start: tuple[str, ...],
    end: tuple[str, ...],
    only: tuple[str, ...],
    force: tuple[str, ...],
    **more: Any,
) -> PipelineRequest:
    """Return the request that the options of :func:`request_options` stand for."""
    from sinara.pipeline import PipelineRequest

    return PipelineRequest(
        folder.absolute(),
        env_name=env,
        overrides=overrides,
        select=select,
        start=start,
        end=end,
        only=only,
        force=force,
        **more,
    )


@click.command("plan")
@request_options
@click.option(
    "--explain", metavar="SUBSTEP", help="Only this substep (STEP/SUBSTEP), with every reason."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(explain: str | None, as_json: bool, **asked: Any) -> None:
    """Say what a run of the pipeline would do, and exactly why. Nothing is executed.

    STEP: a name or a pattern; +STEP with all that it reads from, STEP+ with all that reads from
    it. All steps by default.
    """
    from sinara.pipeline import load_pipeline, make_plan

    made = make_plan(load_pipeline(made_request(**asked)))
    if explain is not None:
        _explain(made, explain, as_json=as_json)
    elif as_json:
        print_json("plan", made.as_dict())
    else:
        _tell(made)


def _tell(plan: PipelinePlan) -> None:
    rows = []
    for step in plan.steps:
        for one in step.decisions:
            why = f"run {one.source}" if one.action == "reuse" else "; ".join(one.reasons)
            rows.append((step.step.name, one.substep, _WORDS[one.action], why))
        if step.condition:
            rows.append((step.step.name, "", "", f"only when {step.condition}"))
    print_table(("step", "substep", "", "why"), rows)
    for step in plan.steps:
        for line in step.missing:
            say(f"sinara: {step.step.name}: {line}", err=True)
    runs, opened = plan.count("run", "open"), plan.count("open")
    unless = f" ({opened} only if their inputs come out changed)" if opened else ""
    reused = counted(plan.count("reuse"), "substep")
    click.echo(f"{counted(runs, 'substep')} to run{unless}, {reused} to reuse.", err=True)


_WORDS = {"run": "run", "reuse": "reuse", "open": "run?"}


def _explain(plan: PipelinePlan, asked: str, *, as_json: bool) -> None:
    every = {f"{s.step.name}/{one.substep}": (s, one) for s in plan.steps for one in s.decisions}
    found = [
        name
        for name in every
        if asked in (name, name.removesuffix(".ipynb"), name.partition("/")[2])
        or asked == name.partition("/")[2].removesuffix(".ipynb")
    ]
    if len(found) != 1:
        there = ", ".join(found or every)
        problem = "fits several substeps" if found else "is no substep of the pipeline"
        raise UsageError(f"'{asked}' {problem}: {there}.")
    step, one = every[found[0]]
    if as_json:
        steps = plan.as_dict()["steps"]
        told = next(s for s in steps if s["step"] == step.step.name)["substeps"]
        print_json("substep", next(s for s in told if s["substep"] == one.substep))
        return
    say(f"{found[0]}: {_WORDS[one.action]}")
    for reason in (*one.reasons, *step.missing):
        say(f"  {reason}")
    if one.source:
        click.echo(f"  its outputs are those of run {one.source}")
    if step.condition:
        say(f"  only when {step.condition}")


@click.command("run")
@request_options
@click.option(
    "--resume", metavar="RUN",
    help="Go on with a pipeline run that failed or was killed: its id, its beginning, or 'last'.",
)  # fmt: skip
@click.option("--no-reuse", is_flag=True, help="Run everything; the same as --force '*'.")
@click.option("-w", "--workers", type=click.IntRange(1, 1000), help="Substeps that run at once.")
@click.option(
    "--memory", metavar="AMOUNT",
    help="What substeps running at once may be allowed together, as in '8 GB'.",
)  # fmt: skip
@click.option("-k", "--keep-going", is_flag=True, help="After a failure run what does not need it.")
@click.option("--retries", type=click.IntRange(0, 100), help="Try a failed substep again so often.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="What one substep may take.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
@click.option(
    "--wait/--no-wait", default=True, show_default=True,
    help="Wait for the end; else print the run's id and leave it to itself.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show what the cells print.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as JSON.")
@click.option("--run-id", hidden=True)
def run(
    resume: str | None,
    no_reuse: bool,
    workers: int | None,
    memory: str | None,
    keep_going: bool,
    retries: int | None,
    timeout: float | None,
    dry_run: bool,
    wait: bool,
    verbose: bool,
    as_json: bool,
    run_id: str | None,
    **asked: Any,
) -> int:
    """Run the pipeline: what changed, and what reads from it, in parallel. Prints the run's id.

    What did not change is reused. While it goes, one page shows it; sinara run open. Ends with
    0 done, 1 a step failed, 2 usage or configuration, 130 interrupted.
    """
    from sinara.pipeline import PipelineRun, load_pipeline, make_plan

    request = made_request(
        **asked,
        reuse=not no_reuse,
        workers=workers,
        memory=_bytes(memory),
        keep_going=keep_going,
        retries=retries,
        timeout=timeout,
    )
    if dry_run and resume is not None:
        _tell(PipelineRun(request, resume=resume).plan)
        return 0
    if dry_run:
        _tell(make_plan(load_pipeline(request)))
        return 0
    return _run(request, resume, wait=wait, verbose=verbose, as_json=as_json, run_id=run_id)


def _run(
    request: PipelineRequest,
    resume: str | None,
    *,
    wait: bool,
    verbose: bool,
    as_json: bool,
    run_id: str | None,
) -> int:
    from sinara.pipeline import PipelineRun
    from sinara.pipeline.show import Show
    from sinara.record import to_json

    show = Show(verbose=verbose)
    going = PipelineRun(request, resume=resume, listening=show, run_id=run_id)
    if not wait:
        click.echo(_leave(going))
        return 0
    record = going.execute()
    show.end(going)
    if as_json:
        print_json("run", json.loads(to_json(record)))
    else:
        click.echo(record.run_id)
    return record.exit_code or 0


def _leave(going: Any) -> str:
    """Start the run in a process of its own, which outlives this one; return its id."""
    import subprocess
    import sys

    from sinara.store.pipelines import new_pipeline_run_id

    run_id = new_pipeline_run_id()
    words = [word for word in sys.argv[1:] if word not in ("--no-wait", "--wait")]
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "sinara", *words, "--run-id", run_id],
            stdin=nothing,
            stdout=nothing,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    _wait_for(going, run_id, child)
    return run_id


def _wait_for(going: Any, run_id: str, child: Any) -> None:
    """Wait until a run that was left to itself has a record, so that others find it."""
    import time

    while run_id not in going.runs.run_ids():
        if child.poll() is not None:
            said = child.stderr.read().decode("utf-8", "replace").strip()
            told = said.splitlines()[-1].removeprefix("sinara: ") if said else ""
            raise UsageError(told or "The run could not be started.")
        time.sleep(0.05)
    child.stderr.close()


def _bytes(text: str | None) -> int | None:
    """Return an amount in bytes, 0 for no limit; ``None`` if none was given."""
    from sinara.settings.checks import memory_or_no_limit

    try:
        return memory_or_no_limit(text) or 0 if text else None
    except ValueError as error:
        raise UsageError(f"--memory: {error}") from None


@click.command("sweep")
@request_options
@click.option(
    "--grid",
    "axes",
    multiple=True,
    metavar="STEP.PARAM=V1,V2,…",
    help="Values of a parameter; given again, every combination is a point.",
)
@click.option(
    "--points",
    "points_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The points instead: JSON or YAML with a list 'points', or CSV, a column a parameter.",
)
@click.option("--best", default="", metavar="STEP.METRIC", help="What tells the best point.")
@click.option("--lowest", is_flag=True, help="The lowest value of --best is the best.")
@click.option("-w", "--workers", type=click.IntRange(1, 1000), help="Substeps that run at once.")
@click.option("--memory", metavar="AMOUNT", help="What they may be allowed together: '8 GB'.")
@click.option("--retries", type=click.IntRange(0, 100), help="Try a failed substep again so often.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="What one substep may take.",
)
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the cells print.")
@click.option("--json", "as_json", is_flag=True, help="Print the points as JSON.")
def sweep(
    axes: tuple[str, ...],
    points_file: Path | None,
    best: str,
    lowest: bool,
    memory: str | None,
    dry_run: bool,
    verbose: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Run the pipeline for many values of its parameters, and compare them.

    Steps that no value reaches run once, for all points. A point that fails leaves the others
    going. Nobody reads a point by default: run the pipeline with its values, and it is reused.
    Ends with 0 done, 1 a point failed, 2 usage or configuration, 130 interrupted.
    """
    from sinara.pipeline import load_pipeline, make_plan
    from sinara.pipeline.sweep import check_best, grid, read_points

    if bool(axes) == bool(points_file):
        both = " Not both." if axes else ""
        raise UsageError(f"Give the points: --grid STEP.PARAM=V1,V2, or --points FILE.{both}")
    if lowest and not best:
        raise UsageError("--lowest says how --best STEP.METRIC is meant. Give --best, too.")
    points = read_points(points_file) if points_file else grid(axes)
    request = made_request(
        **asked, memory=_bytes(memory), keep_going=True, points=points, best=best, lowest=lowest
    )
    pipeline = load_pipeline(request)
    check_best(best, list(dict.fromkeys(step.base for step in pipeline.steps)))
    if dry_run:
        _tell(make_plan(pipeline))
        return 0
    return _sweep(request, verbose=verbose, as_json=as_json)


def _sweep(request: PipelineRequest, *, verbose: bool, as_json: bool) -> int:
    from sinara.pipeline import PipelineRun
    from sinara.pipeline.show import Show

    show = Show(verbose=verbose)
    going = PipelineRun(request, listening=show)
    record = going.execute()
    show.end(going)
    tell_points(record, as_json=as_json)
    return record.exit_code or 0


def tell_points(record: PipelineRecord, *, as_json: bool) -> None:
    """Print what became of the points of a sweep, the best first."""
    from sinara.pipeline.sweep import results, varying
    from sinara.pipeline.sweep_page import rank, shown

    found = sorted(results(record), key=lambda one: rank(one, record))
    if as_json:
        print_json("points", [vars(one) for one in found])
        return
    names = list(dict.fromkeys(name for one in found for name in one.values))
    metrics = ([record.best] if record.best else []) + [
        name for name in varying(found) if name != record.best
    ]
    print_table(
        ("point", *names, *metrics[:6], "status", "seconds"),
        [
            (
                one.number,
                *(one.values.get(name, "") for name in names),
                *(shown(one.metrics.get(name)) for name in metrics[:6]),
                one.status,
                f"{one.seconds:.1f}",
            )
            for one in found
        ],
    )
    for one in found:
        if one.best:
            given = " ".join(f"--set {shlex.quote(f'{n}={v}')}" for n, v in one.values.items())
            click.echo(f"Best: point {one.number}. Take it: sinara pipeline run {given}", err=True)


commands = (plan, run, sweep)
