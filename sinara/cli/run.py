"""``sinara run``: list, show, log, open, stop, diff, reproduce, debug, verify, recover, clean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import click

from sinara.cli import clean, debug, diff, follow, pipeline_runs, reproduce, runs
from sinara.cli.output import (
    counted,
    number,
    print_fields,
    print_json,
    print_table,
    say,
    size,
    took,
)
from sinara.cli.scope import find_pipeline_run, find_run, find_scope, scope_options
from sinara.record import PipelineRecord, RunRecord


@click.group("run")
def command() -> None:
    """List runs, show, follow, open and stop them; verify and recover what they left."""


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_run_id = click.argument("run_id", default="last", metavar="[RUN]")


@command.command("list")
@scope_options
@click.option(
    "-n",
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many, newest first.",
)
@click.option(
    "--status",
    type=click.Choice(["running", "succeeded", "failed", "cancelled", "stopped", "lost"]),
)
@_json
def list_runs(most: int, status: str | None, as_json: bool, **chosen: str | None) -> None:
    """List runs, newest first: of steps and of pipelines, failed ones and snapshots by hand too."""
    from sinara.record import to_json

    scope = find_scope(**chosen)
    every: Iterator[RunRecord | PipelineRecord] = chain(
        (record for step in scope.steps() for record in runs.records(step)),
        (record for of in scope.pipelines() for record in pipeline_runs.records(of)),
    )
    chosen_ones = [record for record in every if status in (None, record.status)]
    records = sorted(chosen_ones, key=lambda record: record.run_id.partition("-")[2], reverse=True)
    if as_json:
        print_json("runs", [json.loads(to_json(record)) for record in records[:most]])
        return
    if not records:
        click.echo(f"No run in {scope.told}.", err=True)
    print_table(
        ("run", "step", "status", "seconds", "started", "message"),
        [
            (r.run_id, _of(r), _state(r), took(r), r.started[:19], r.message[:80])
            for r in records[:most]
        ],
    )


@command.command("show")
@_run_id
@scope_options
@_json
def show(run_id: str, as_json: bool, **chosen: str | None) -> None:
    """Show one run: what it read and wrote, how it ended. RUN: an id, its beginning, or 'last'."""
    from sinara.record import plain, to_json

    scope = find_scope(**chosen)
    if (found := find_pipeline_run(scope, run_id)) is not None:
        pipeline_runs.show(*found, as_json=as_json)
        return
    step, whole = find_run(scope, run_id)
    record = runs.read_run(step, whole)
    if as_json:
        notes = [plain(note) for note in step.notes(whole)]
        print_json("run", {**json.loads(to_json(record)), "notes": notes})
        return
    folder = None if record.interactive else step.record_folder(whole)
    print_fields(
        {
            "run": record.run_id,
            "step": step.step.dotted,
            "status": _state(record),
            "message": record.message,
            "started": record.started,
            "seconds": took(record),
            "commit": record.code.commit,
            "changed": ", ".join(record.code.dirty),
            "tag": record.tag,
            "resumed from": record.resumed_from,
            "part of": record.pipeline_run,
            "data": record.url,
            "report": None if folder is None else folder / "index.html",
        }
    )
    click.echo()
    print_table(
        ("substep", "status", "seconds", "metrics"),
        [(s.name, s.status, f"{s.seconds:.1f}", _metrics(s.metrics)) for s in record.substeps],
    )
    tried = [(s.name, one) for s in record.substeps if len(s.attempts) > 1 for one in s.attempts]
    if tried:
        click.echo()
        print_table(
            ("substep", "attempt", "status", "seconds", "cause"),
            [
                (
                    name,
                    one.number,
                    one.status,
                    f"{one.seconds:.1f}",
                    one.failure.message[:120] if one.failure else "",
                )
                for name, one in tried
            ],
        )
    entities = [e for s in record.substeps for e in (*s.inputs, *s.outputs)]
    if entities:
        click.echo()
        print_table(
            ("", "entity", "rows", "size", "run", "note"),
            [
                (
                    "in" if e.kind.endswith("inputs") else "out",
                    e.full_name,
                    number(e.rows),
                    size(e.bytes),
                    e.run_id,
                    e.note,
                )
                for e in entities
            ],
        )
    images = [note.body for note in step.notes(whole) if note.what == "image"]
    if images:
        click.echo()
        print_table(
            ("image", "id", "verified", "pushed"),
            [
                (i.get("image"), str(i.get("id"))[:19], i.get("verified"), i.get("digest"))
                for i in images
            ],
        )


@command.command("log")
@_run_id
@scope_options
@click.option(
    "--traceback",
    "only_traceback",
    is_flag=True,
    help="Only the traceback of the cell that failed.",
)
@click.option("--locals", "with_locals", is_flag=True, help="The traceback, and the variables.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the run ends.")
@_json
def log(
    run_id: str,
    only_traceback: bool,
    with_locals: bool,
    following: bool,
    as_json: bool,
    **chosen: str | None,
) -> None:
    """Print what a run said while it went, with cell and time (UTC).

    A progress bar is one line, as it was at last. --json has every event.
    """
    from sinara.console import log_lines

    scope = find_scope(**chosen)
    if (found := find_pipeline_run(scope, run_id)) is not None:
        if following:
            follow.pipeline_log(*found)
        else:
            pipeline_runs.log(*found, as_json=as_json)
        return
    step, whole = find_run(scope, run_id, by_hand=False)
    runs.refuse_snapshot(step, whole)
    if only_traceback or with_locals:
        for substep in step.read_record(whole).substeps:
            if substep.failure is not None:
                for told in substep.failure.traceback or (substep.failure.message,):
                    for line in told.split("\n"):
                        say(line)
                for line in debug.variables(step, whole, substep.name) if with_locals else ():
                    say(line)
        return
    if following:
        follow.step_log(step, whole)
        return
    lines = step.get_file(whole, "log.jsonl").decode("utf-8", "replace").splitlines()
    events = [event for event in map(_event, lines) if event is not None]
    if as_json:
        print_json("events", events)
        return
    for line in log_lines(events):
        click.echo(line)


@command.command("verify")
@click.argument("run_id", required=False, metavar="[RUN]")
@scope_options
@_json
def verify(run_id: str | None, as_json: bool, **chosen: str | None) -> int:
    """Check every byte that was published against its digest. Ends with 3 if anything differs."""
    scope = find_scope(**chosen)
    problems: list[dict[str, Any]] = []
    checked = 0
    targets = [find_run(scope, run_id)] if run_id else [(step, None) for step in scope.steps()]
    for step, whole in targets:
        checked += 1
        problems.extend(
            {"step": step.step.step, "path": p.path, "what": p.what} for p in step.verify(whole)
        )
    if as_json:
        print_json("problems", problems)
    for problem in [] if as_json else problems:
        say(f"{problem['step']}: {problem['path']}: {problem['what']}")
    if not problems:
        what = "run" if run_id else "step"
        click.echo(f"{counted(checked, what)} verified, nothing differs.", err=True)
    return 3 if problems else 0


@command.command("recover")
@scope_options
@_json
def recover(as_json: bool, **chosen: str | None) -> None:
    """Put in order what a crash left: every run does this by itself when it starts."""
    from sinara.runner.keep import Keep
    from sinara.runner.pages import write_lost_pages

    scope = find_scope(**chosen)
    told = []
    for step in scope.steps():
        done = step.recover(keep=Keep(step), full=True)
        write_lost_pages(step, done.lost)
        told.append(
            {
                "step": step.step.step,
                "lost": list(done.lost),
                "collected": list(done.collected),
                "rolled_forward": list(done.rolled_forward),
            }
        )
    if as_json:
        print_json("recovered", told)
        return
    print_table(
        ("step", "lost", "collected", "rolled forward"),
        [(t["step"], len(t["lost"]), len(t["collected"]), len(t["rolled_forward"])) for t in told],
    )


for _one in (
    clean.command,
    debug.command,
    diff.command,
    *follow.commands,
    *reproduce.commands,
):
    command.add_command(_one)


def _of(record: RunRecord | PipelineRecord) -> str:
    return record.step_name if isinstance(record, RunRecord) else "(pipeline)"


def _state(record: RunRecord | PipelineRecord) -> str:
    if isinstance(record, PipelineRecord):
        return record.status
    return f"{record.status} (interactive)" if record.interactive else record.status


def _metrics(metrics: dict[str, Any]) -> str:
    shown = {key: value for key, value in metrics.items() if key != "run_id"}
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in shown.items()
    )


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:  # the last line of a run that was killed while it wrote
        return None
    return event if isinstance(event, dict) else None
