"""Runs of whole pipelines, as the commands of ``sinara run`` show them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from sinara.cli.output import print_fields, print_json, print_table, say, took
from sinara.console import inert
from sinara.errors import SinaraError
from sinara.record import PipelineRecord, to_json
from sinara.store.pipelines import PipelineRuns


def records(runs: PipelineRuns) -> Iterator[PipelineRecord]:
    """Yield the record of every run of a pipeline, newest first; a broken one is told."""
    for run_id in runs.run_ids():
        try:
            yield runs.read(run_id)
        except SinaraError as error:
            for line in error.lines:
                say(f"sinara: {line}", err=True)


def show(runs: PipelineRuns, run_id: str, *, as_json: bool) -> None:
    """Print one run: each step and substep, and why it ran."""
    record = runs.read(run_id)
    if as_json:
        print_json("run", json.loads(to_json(record)))
        return
    folder = runs.folder(run_id)
    print_fields(
        {
            "run": record.run_id,
            "pipeline": f"{record.env_name}.{record.pipeline_name}",
            "status": record.status,
            "message": record.message,
            "started": record.started,
            "seconds": took(record),
            "resumed from": record.resumed_from,
            "started by": record.trigger,
            "page": None if folder is None else folder / "index.html",
        }
    )
    click.echo()
    rows: list[tuple[object, ...]] = []
    for step in record.steps:
        rows.append((step.name, "", step.status, f"{step.seconds:.1f}", step.run_id, step.message))
        for one in step.substeps:
            why = "; ".join(one.reasons)
            rows.append(("", one.name, one.status, f"{one.seconds:.1f}", one.source or None, why))
    print_table(("step", "substep", "status", "seconds", "run", "why"), rows)
    if record.points:
        from sinara.cli.pipeline_run import tell_points

        click.echo()
        tell_points(record, as_json=False)
    for line in record.warnings:
        say(f"warning: {line}")


def log(runs: PipelineRuns, run_id: str, *, as_json: bool) -> None:
    """Print what happened in a run, step by step."""
    events = events_of(runs, run_id)
    if as_json:
        print_json("events", events)
        return
    for event in events:
        click.echo(told(event))


def events_of(runs: PipelineRuns, run_id: str) -> list[dict[str, str]]:
    """Return what the log of a run holds; a line that was cut off is left out."""
    from sinara.errors import RunNotFoundError

    try:
        text = runs.get_file(run_id, "log.jsonl").decode("utf-8", "replace")
    except RunNotFoundError:  # nothing was to be done
        return []
    found = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append({name: str(value) for name, value in event.items()})
    return found


def told(event: dict[str, str]) -> str:
    """Return one event as a line."""
    place = "/".join(filter(None, (event.get("step"), event.get("substep"))))
    text = " ".join(event.get("text", "").split())
    return inert(
        f"{event.get('time', '')[11:19]}  {place}  {event.get('kind', '')}  {text}"
    ).rstrip()
