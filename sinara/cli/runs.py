"""The runs of a step, as commands show them: those with a record, and snapshots made by hand."""

from __future__ import annotations

from collections.abc import Iterator

from sinara import names
from sinara.cli.output import say
from sinara.errors import RunNotFoundError, SinaraError, UsageError
from sinara.names import StepName
from sinara.record import EntityRecord, RunRecord, SubstepRecord
from sinara.store import Commit, StepStore

BY_HAND = "(by hand)"  # in place of a substep's name: no run knows which notebook it was


def run_ids(step: StepStore) -> list[str]:
    """Return the ids of every run and snapshot of a step, newest first."""
    with_record = step.run_ids()
    by_hand = {commit.run_id for commit in step.commits() if commit.interactive}
    return sorted({*with_record, *by_hand}, reverse=True)


def records(step: StepStore) -> Iterator[RunRecord]:
    """Yield the record of every run and snapshot of a step.

    A record that cannot be read is told and passed over: it must not hide the others.
    """
    recorded = step.run_ids()
    for run_id in recorded:
        try:
            yield step.read_record(run_id)
        except SinaraError as error:
            for line in error.lines:
                say(f"sinara: {line}", err=True)
    for commit in step.commits():
        if commit.interactive and commit.run_id not in recorded:
            yield of_snapshot(step.step, step.url, commit)


def read_run(step: StepStore, run_id: str) -> RunRecord:
    """Return the record of a run, or what the log says of a snapshot, which has none.

    Raises:
        RunNotFoundError: If there is neither.
    """
    try:
        return step.read_record(run_id)
    except RunNotFoundError:
        commit = step.commit(run_id)
        if not commit.interactive:
            raise
        return of_snapshot(step.step, step.url, commit)


def refuse_snapshot(step: StepStore, run_id: str) -> None:
    """Refuse to show what only a run has.

    Raises:
        UsageError: If ``run_id`` is a snapshot made by hand.
    """
    if run_id not in step.run_ids():
        raise UsageError(
            f"{run_id} was published by hand from a notebook: there is no log of it. "
            f"What it holds: sinara run show {run_id}"
        )


def of_snapshot(step: StepName, url: str, commit: Commit) -> RunRecord:
    """Return a snapshot in the form of a run's record.

    Args:
        step: The step.
        url: Its folder.
        commit: The snapshot.
    """
    outputs = tuple(
        EntityRecord(
            name,
            names.full_name(step, name),
            f"{url}/{commit.run_id}/{held.folder}",
            commit.run_id,
            "outputs",
            BY_HAND,
            held.files,
            held.bytes,
            held.rows,
            manifest=held.manifest_sha256,
        )
        for name, held in commit.entities.items()
    )
    inputs = tuple(
        EntityRecord(
            names.parse_full_name(full_name)[1],
            full_name,
            "",
            str(pin.get("run_id", "")),
            "inputs",
            BY_HAND,
            manifest=pin.get("manifest_sha256"),
        )
        for full_name, pin in commit.inputs.items()
    )
    made = SubstepRecord(BY_HAND, "succeeded", commit.time, inputs=inputs, outputs=outputs)
    return RunRecord(
        commit.run_id,
        step.env,
        step.pipeline,
        step.zone,
        step.step,
        "succeeded",
        commit.time,
        commit.time,
        interactive=True,
        published=True,
        message=f"snapshot of draft {commit.draft}" if commit.draft else "",
        url=f"{url}/{commit.run_id}",
        substeps=(made,),
    )
