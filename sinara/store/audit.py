"""Proof that a step's log and data are as they were published, or where they are not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sinara.errors import CorruptError
from sinara.store import layout
from sinara.store.claims import decode
from sinara.store.codec import unseal
from sinara.store.log import Entry, to_commit
from sinara.store.place import Place, commit_mark
from sinara.store.reader import How, Reader
from sinara.store.values import Problem


def audit(place: Place, reader: Reader, run_id: str | None, how: How) -> Iterator[Problem]:
    """Yield problems: of one run, or of all runs and of the log.

    Raises:
        RunNotFoundError: If ``run_id`` is not published.
    """
    if run_id is not None:
        commit = reader.commit(run_id)
        entry = place.log.read(commit.sequence, fresh=True)
        yield from _check_run(place, reader, entry, how)
        return
    entries: list[Entry] = []
    yield from _check_log(place, entries)
    gone = {entry.run_id for entry in entries if entry.is_tombstone}
    published = [e for e in entries if not e.is_tombstone and e.run_id not in gone]
    for entry in published:
        yield from _check_run(place, reader, entry, how)
    yield from _check_marks(place, {entry.run_id for entry in entries})


def _check_log(place: Place, entries: list[Entry]) -> Iterator[Problem]:
    """Yield problems of the log, and collect the entries that are sound."""
    folder = f"{place.backend.folder}/{layout.COMMITS}"
    found = set(place.backend.names(layout.COMMITS)) - {"HINT"}
    numbers = sorted(int(name[:20]) for name in found if _is_entry(name))
    previous: str | None = ""
    for sequence in range(1, (numbers[-1] if numbers else 0) + 1):
        try:
            entry = place.log.read(sequence, fresh=True)
        except CorruptError as error:
            yield Problem(f"{place.backend.folder}/{layout.commit(sequence)}", str(error))
            previous = None
            continue
        if previous is not None and entry.body.get("previous") != previous:
            yield Problem(
                f"{place.backend.folder}/{layout.commit(sequence)}",
                "does not follow the entry before it: one of the two was replaced",
            )
        previous = entry.sha256
        entries.append(entry)
    for name in sorted(found):
        if not _is_entry(name):
            yield Problem(f"{folder}/{name}", "is no log entry")


def _is_entry(name: str) -> bool:
    return re.fullmatch(r"[0-9]{20}\.json", name) is not None


def _check_run(place: Place, reader: Reader, entry: Entry, how: How) -> Iterator[Problem]:
    backend, run_id = place.backend, entry.run_id
    base = f"{backend.folder}/{run_id}"
    commit = to_commit(entry, backend.folder)
    if not backend.exists(layout.claim(run_id)):
        yield Problem(f"{base}/{layout.CLAIM}", "is missing")
    else:
        yield from _check_claim(place, run_id)
    try:
        if backend.read(f"{run_id}/{layout.COMMIT}") != commit_mark(entry):
            yield Problem(f"{base}/{layout.COMMIT}", "does not name the log entry of this run")
    except FileNotFoundError:
        yield Problem(f"{base}/{layout.COMMIT}", "is missing: sinara run recover writes it")
    yield from reader.check(commit, how)
    folders = {held.folder for held in commit.entities.values()}
    expected = {layout.CLAIM, layout.COMMIT, layout.MANIFESTS, *folders}
    for name in sorted(set(backend.names(run_id)) - expected):
        yield Problem(f"{base}/{name}", "was added after the run was published")
    listed = {f"{folder}.json" for folder in folders}
    for name in sorted(set(backend.names(f"{run_id}/{layout.MANIFESTS}")) - listed):
        yield Problem(f"{base}/{layout.MANIFESTS}/{name}", "was added after the run was published")


def _check_claim(place: Place, run_id: str) -> Iterator[Problem]:
    path = layout.claim(run_id)
    where = f"{place.backend.folder}/{path}"
    try:
        claim = decode(place.backend.read(path), where)
        if claim.run_id != run_id:
            yield Problem(where, "is the claim of another run")
    except (FileNotFoundError, CorruptError) as error:
        yield Problem(where, str(error))


def _check_marks(place: Place, known: set[str]) -> Iterator[Problem]:
    """Yield runs that say they were published, of which the log knows nothing (any more)."""
    backend = place.backend
    for run_id in sorted(filter(layout.is_run_folder, backend.names(""))):
        path = f"{run_id}/{layout.COMMIT}"
        if run_id in known or not backend.exists(path):
            continue
        try:
            mark, _ = unseal(backend.read(path), path)
            lost = f"log entry {mark.get('sequence')} is missing"
        except CorruptError:
            lost = "and no log entry is there"
        yield Problem(f"{backend.folder}/{path}", f"says that the run was published: {lost}")
