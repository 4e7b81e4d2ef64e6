"""``sinara run log -f``, ``open`` and ``stop``: runs that go on, of steps and of pipelines."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import click

from sinara.cli import pipeline_runs
from sinara.cli.scope import find_pipeline_run, find_run, find_scope, scope_options
from sinara.errors import RunNotFoundError, UsageError
from sinara.record import PipelineRecord, RunRecord
from sinara.store import StepStore
from sinara.store.pipelines import PipelineRuns

_LOOK = 0.3  # s
_END_SECONDS = 30.0
_run_id = click.argument("run_id", default="last", metavar="[RUN]")


def step_log(step: StepStore, run_id: str) -> None:
    """Print the log of a step's run, and go on until it ends."""
    from sinara.console import log_lines

    def lines(text: str) -> list[str]:
        events = [event for event in map(_event, text.splitlines()) if event is not None]
        return list(log_lines(events))

    _follow(
        lambda: step.get_file(run_id, "log.jsonl"),
        lambda: step.read_record(run_id).status == "running",
        lines,
    )


def pipeline_log(runs: PipelineRuns, run_id: str) -> None:
    """Print the log of a pipeline's run, and go on until it ends."""

    def lines(text: str) -> list[str]:
        events = [event for event in map(_event, text.splitlines()) if event is not None]
        return [pipeline_runs.told({k: str(v) for k, v in event.items()}) for event in events]

    _follow(
        lambda: runs.get_file(run_id, "log.jsonl"),
        lambda: runs.read(run_id).status == "running",
        lines,
    )


def _follow(
    read: Callable[[], bytes], goes_on: Callable[[], bool], lines: Callable[[str], list[str]]
) -> None:
    done = 0
    while True:
        going = goes_on()  # asked first: what is written until the end is read after that
        try:
            data = read()
        except RunNotFoundError:  # nothing was said yet
            data = b""
        whole = data[done : data.rfind(b"\n") + 1]
        for line in lines(whole.decode("utf-8", "replace")):
            click.echo(line)
        done += len(whole)
        if not going:
            return
        time.sleep(_LOOK)


def _event(line: str) -> dict[str, object] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


@click.command("open")
@_run_id
@scope_options
@click.option("--print", "only_print", is_flag=True, help="Only print the page's address.")
def open_page(run_id: str, only_print: bool, **chosen: str | None) -> None:
    """Open a run's page in the browser: while it goes, and afterwards."""
    page = _page(run_id, chosen)
    click.echo(page.as_uri() if not only_print else str(page))
    if not only_print:
        import webbrowser

        webbrowser.open(page.as_uri())


def _page(run_id: str, chosen: dict[str, str | None]) -> Path:
    scope = find_scope(**chosen)
    found = find_pipeline_run(scope, run_id)
    if found is not None:
        folder = found[0].folder(found[1])
    else:
        step, run_id = find_run(scope, run_id, by_hand=False)
        folder = step.record_folder(run_id)
    if folder is None:
        raise UsageError("The run's page is in a store that a browser cannot open. Copy it first.")
    page = folder / "index.html"
    if not page.is_file():
        raise RunNotFoundError(f"Run {run_id} has no page yet. See: sinara run show {run_id}")
    return page


@click.command("stop")
@_run_id
@scope_options
def stop(run_id: str, **chosen: str | None) -> int:
    """Stop a run that goes on: its cells are interrupted, its record says so. Waits for the end."""
    scope = find_scope(**chosen)
    found = find_pipeline_run(scope, run_id)
    if found is not None:
        runs, whole = found
        return _stop(whole, lambda: runs.read(whole))
    step, whole = find_run(scope, run_id, by_hand=False)
    return _stop(whole, lambda: step.read_record(whole))


def _stop(run_id: str, read: Callable[[], RunRecord | PipelineRecord]) -> int:
    from sinara.store.world import Process, is_alive, this_process

    record = read()
    if record.status != "running":
        click.echo(f"Run {run_id} does not go on: it {_is(record.status)}.", err=True)
        return 0
    process = Process(record.host, record.boot_id, record.pid, record.process_started)
    if is_alive(process, this_process()) is not True:
        raise UsageError(f"Run {run_id} goes on at {record.host}, not here: stop it there.")
    os.kill(record.pid, signal.SIGTERM)
    end = time.monotonic() + _END_SECONDS
    while time.monotonic() < end:
        record = read()
        if record.status != "running":
            click.echo(f"Run {run_id} {_is(record.status)}.", err=True)
            return 0
        time.sleep(_LOOK)
    click.echo(
        f"Run {run_id} was told to end and still goes on: process {record.pid} at {record.host}.",
        err=True,
    )
    return 1


def _is(status: str) -> str:
    return f"was {status}" if status in ("cancelled", "stopped", "lost") else status


commands = (open_page, stop)
