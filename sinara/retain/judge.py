"""Which runs go, and why all others stay. Nothing is deleted here.

A published run goes if it is beyond the limits, unless

* a live run reads it,
* it is the newest that holds one of its entities (also the newest that prod may read),
* a Git tag names it, or an image was made of it,
* a later published run took over outputs of it,
* a run that stays was made from it: of any step and env, and a failed run that may be resumed too.

Of a run that was not published, the evidence goes once it is too old.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sinara.errors import BadNameError, RunNotFoundError
from sinara.names import parse_full_name, run_id_time
from sinara.record import RunRecord
from sinara.retain.ages import told_age
from sinara.retain.state import StepState, place_of, read_step
from sinara.retain.values import READ, Limits, Verdict
from sinara.store import Commit, StepStore

Run = tuple[str, str]
"""The folder of a step, and a run of it. Two envs may share one root, so a name is not enough."""


def judge(
    steps: Iterable[StepStore],
    others: Iterable[StepStore],
    limits: Limits,
    now: datetime | None = None,
    reused: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[Verdict, ...]:
    """Return what is to become of every run of some steps.

    Args:
        steps: The steps to clean.
        others: All other steps of all envs: what their runs were made from stays. Not looked at
            if the limits leave lineage out.
        limits: Which runs are too many or too old.
        now: The time of day; an age is told from the time in a run's id.
        reused: By the key of a step, its runs that runs of the pipeline reused, and the newest of
            these.

    Returns:
        A verdict for each published run, and for the evidence of each other one, by step, the newest
        first.

    Raises:
        SinaraError: If a log or record cannot be read: then nobody knows what is safe to delete.
    """  # noqa: E501
    moment = now or datetime.now(UTC)
    # Pins first: a run that ends between the two looks is then in one of them at least.
    pins = [(store, store.pinned()) for store in steps]
    read = [_with_reused(read_step(store, pinned), reused or {}) for store, pinned in pins]
    stays: dict[Run, str] = {}
    for step in read:
        for commit in step.commits:
            why = _why_it_stays(step, commit, limits, moment)
            if why:
                stays[step.url, commit.run_id] = why
    if limits.lineage:
        _keep_lineage_of(stays, read, list(others))
    return tuple(verdict for step in read for verdict in _verdicts(step, stays, limits, moment))


def _with_reused(step: StepState, reused: Mapping[str, Mapping[str, str]]) -> StepState:
    return replace(step, adopted={**step.adopted, **reused.get(step.name.key, {})})


# -- published runs --------------------------------------------------------------------------


def _why_it_stays(step: StepState, commit: Commit, limits: Limits, now: datetime) -> str:
    """Return why a published run stays whatever else happens; empty if it may go."""
    run_id = commit.run_id
    if run_id in step.pinned:
        return READ
    if run_id in step.newest:
        entity = step.newest[run_id]
        return f"the newest that holds {entity}" if entity else "the newest"
    within = _within(step, run_id, limits, now)
    if within:
        return within
    if why := _noted(step, run_id):
        return why
    if run_id in step.adopted:
        return f"run {step.adopted[run_id]} took over outputs of it"
    if run_id in step.unreadable:
        return "its record cannot be read"
    if commit.sequence < step.blind:
        return "a later run, whose record cannot be read, may have taken over outputs of it"
    return ""


def _within(step: StepState, run_id: str, limits: Limits, now: datetime) -> str:
    if any(commit.run_id == run_id for commit in step.commits[: limits.keep or 0]):
        return f"one of the newest {limits.keep}"
    return _young(run_id, limits, now)


def _young(run_id: str, limits: Limits, now: datetime) -> str:
    if limits.older_than is None:
        return ""
    try:
        if now - run_id_time(run_id) > limits.older_than:
            return ""
    except BadNameError:
        return "its id tells no time"
    return f"not older than {told_age(limits.older_than)}"


def _noted(step: StepState, run_id: str) -> str:
    """Return why a run stays that somebody outside of the store knows by its id."""
    record = step.records.get(run_id)
    noted = {note.what for note in step.store.notes(run_id)}
    if "tag" in noted or (record is not None and record.tag):
        return "a Git tag names it"
    return "an image was made of it" if "image" in noted else ""


# -- what runs that stay were made from ------------------------------------------------------


def _keep_lineage_of(stays: dict[Run, str], read: list[StepState], others: list[StepStore]) -> None:
    """Let everything stay that a run which stays was made from, of whatever step it is."""
    known = {step.url for step in read}
    around = [read_step(store, whole=False) for store in others if place_of(store.url) not in known]
    stores = [*others, *(step.store for step in read)]
    roots = {one.step.env: one.url.removesuffix(one.step.path) for one in stores}
    _keep_lineage(stays, read, around, roots)


def _keep_lineage(
    stays: dict[Run, str], read: list[StepState], around: list[StepState], roots: Mapping[str, str]
) -> None:
    """Let everything stay that a run which stays was made from; ``roots`` are those of the envs."""
    made_from: dict[Run, list[Run]] = defaultdict(list)
    waiting: list[Run] = list(stays)
    for step in (*read, *around):
        for commit in step.commits:
            pins = ((name, str(pin.get("run_id", ""))) for name, pin in commit.inputs.items())
            made_from[step.url, commit.run_id] = list(_sources(roots, pins))
        for run_id, record in step.records.items():
            if run_id in step.resumable or record.status == "running":
                made_from[step.url, run_id] = list(_sources(roots, _read_by(record)))
                waiting.append((step.url, run_id))
    for step in around:  # none of theirs goes
        waiting += [(step.url, commit.run_id) for commit in step.commits]
    published = {(step.url, commit.run_id) for step in read for commit in step.commits}
    seen = set(waiting)
    while waiting:
        reader = waiting.pop()
        for source in made_from.get(reader, ()):
            if source in published and source not in stays:
                by = reader[0].rpartition("/")[2]
                stays[source] = f"run {reader[1]} of {by} was made from it"
            if source not in seen:
                seen.add(source)
                waiting.append(source)


def _read_by(record: RunRecord) -> Iterator[tuple[str, str]]:
    for substep in record.substeps:
        for entity in substep.inputs:
            if entity.kind == "inputs":
                yield entity.full_name, entity.run_id


def _sources(roots: Mapping[str, str], read: Iterable[tuple[str, str]]) -> Iterator[Run]:
    """Yield the runs that entities were read from, by the folders of their steps."""
    for full_name, run_id in read:
        with contextlib.suppress(BadNameError):
            step, _ = parse_full_name(full_name)
            if step.env in roots:
                yield place_of(f"{roots[step.env]}{step.path}"), run_id


# -- verdicts --------------------------------------------------------------------------------


def _verdicts(
    step: StepState, stays: Mapping[Run, str], limits: Limits, now: datetime
) -> Iterator[Verdict]:
    found = []
    for commit in step.commits:
        why = stays.get((step.url, commit.run_id), "")
        size = sum(entity.bytes for entity in commit.entities.values())
        told = why or _beyond(limits)
        found.append(Verdict(step.name, commit.run_id, "data", not why, told, size))
    for run_id in (*step.records, *step.unreadable):
        if run_id not in step.once:  # of one that was taken back, it is what explains it
            found.append(_evidence(step, run_id, limits, now))
    yield from sorted(found, key=lambda verdict: verdict.run_id, reverse=True)


def _beyond(limits: Limits) -> str:
    old = f"older than {told_age(limits.older_than)}" if limits.older_than is not None else ""
    many = f"not one of the newest {limits.keep}" if limits.keep is not None else ""
    return ", ".join(part for part in (old, many) if part)


def _evidence(step: StepState, run_id: str, limits: Limits, now: datetime) -> Verdict:
    """Return the verdict on the evidence of a run that was never published."""
    record = step.records.get(run_id)
    size = step.store.evidence_size(run_id)
    why = _why_evidence_stays(step, run_id, record, limits, now)
    if why:
        return Verdict(step.name, run_id, "evidence", False, why, size)
    status = record.status if record else "no record"
    return Verdict(step.name, run_id, "evidence", True, f"{status}, {_beyond(limits)}", size)


def _why_evidence_stays(
    step: StepState, run_id: str, record: RunRecord | None, limits: Limits, now: datetime
) -> str:
    if limits.older_than is None:
        return "evidence goes by its age only: --older-than"
    young = _young(run_id, limits, now)
    if young:
        return young
    if record is None and not _is_gone(step.store, run_id):
        return "its record cannot be read"
    if record is None and run_id in step.store.folders():
        return "its data is here, and no record"
    if record is not None and record.status == "running":
        return "it goes on"
    if record is not None and record.status == "succeeded":
        return "it succeeded"
    if run_id in step.resumable:
        return "it can be resumed"
    if run_id in step.adopted:
        return f"run {step.adopted[run_id]} went on with it"
    return ""


def _is_gone(store: StepStore, run_id: str) -> bool:
    """Say whether a run left no record at all: what a deletion that was cut off leaves."""
    try:
        store.get_file(run_id, "record.json")
    except RunNotFoundError:
        return True
    return False
