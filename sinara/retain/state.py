"""What decides on the runs of a step: its log, its records, and who reads it now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sinara.errors import SinaraError
from sinara.names import StepName
from sinara.record import RunRecord
from sinara.store import Commit, StepStore


@dataclass(frozen=True)
class StepState:
    """What is known of a step: its log, its records, who reads it."""

    store: StepStore
    commits: tuple[Commit, ...]  # published, newest first
    once: frozenset[str] = frozenset()  # runs that were published once
    records: Mapping[str, RunRecord] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()  # runs whose record is gone or damaged
    pinned: frozenset[str] = frozenset()
    resumable: frozenset[str] = frozenset()
    newest: Mapping[str, str] = field(default_factory=dict)  # run -> the entity it is newest of
    adopted: Mapping[str, str] = field(default_factory=dict)  # run -> who took over its outputs
    blind: int = 0  # place in the log of the newest published run whose record cannot be read

    @property
    def name(self) -> StepName:
        """The step."""
        return self.store.step

    @property
    def url(self) -> str:
        """Its folder, whichever way leads to it."""
        return place_of(self.store.url)


@lru_cache(maxsize=4096)
def place_of(url: str) -> str:
    """Return one spelling of a step's folder, whichever way leads to it."""
    return url if "://" in url else os.path.realpath(url)


def read_step(
    store: StepStore, pinned: frozenset[str] = frozenset(), *, whole: bool = True
) -> StepState:
    """Read a step.

    Args:
        store: Of the step.
        pinned: Runs that live processes read, looked up before any log was read.
        whole: Read all records, not only those of runs that may be resumed.
    """
    words = tuple(store.words())
    commits = tuple(word.commit for word in words if word.taken_back is None)
    records: dict[str, RunRecord] = {}
    unreadable = []
    resumable = store.unpublished()
    for run_id in store.run_ids() if whole else resumable:
        try:
            records[run_id] = store.read_record(run_id)
        except SinaraError:
            unreadable.append(run_id)
    published = {commit.run_id for commit in commits}
    adopted: dict[str, str] = {}
    for run_id, record in records.items():
        sources = [record.resumed_from, *(substep.adopted_from for substep in record.substeps)]
        if run_id in published:
            adopted |= {source: run_id for source in sources if source and source != run_id}
    return StepState(
        store,
        commits,
        frozenset(word.commit.run_id for word in words),
        records,
        tuple(unreadable),
        pinned,
        frozenset(resumable),
        _newest(commits),
        adopted,
        max((c.sequence for c in commits if c.run_id in unreadable), default=0),
    )


def _newest(commits: Iterable[Commit]) -> dict[str, str]:
    """Return the runs that readers find: the newest of each entity, and of those not by hand."""
    seen: set[tuple[str, bool]] = set()
    newest: dict[str, str] = {}
    for commit in commits:
        if commit.aside:
            continue  # nobody finds it without its id
        for entity in sorted(commit.entities, key=lambda name: name.startswith("reports.")):
            new = {(entity, False)} if commit.interactive else {(entity, False), (entity, True)}
            if new - seen:
                newest.setdefault(commit.run_id, entity)
            seen |= new
        if not commit.entities and not seen:
            newest[commit.run_id] = ""
    return newest
