"""Snapshots of a draft: what a person wrote by hand, published again and again.

The notebooks of one checkout share a draft run. After a cell that changed an output, the
draft's entities are copied into a run of their own, which is published, marked
interactive. What it costs:

* a file that did not change since the last snapshot costs one hard link: no copy, no hash;
* a file that changed costs one copy and one hash, read once; on file systems that share
  blocks (btrfs, XFS with reflinks) only the hash.

So a changed 10 GB entity costs what copying 10 GB costs; who does not want that after each
cell publishes on request. An entity that cannot be read yet is left as it was in the last
snapshot. The newest three snapshots of a draft are kept, and those that somebody reads.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sinara.errors import ContractError, CorruptError, OutputError, RunNotFoundError
from sinara.names import entity_folder, new_run_id
from sinara.store import layout
from sinara.store.claims import make_claim
from sinara.store.codec import canonical
from sinara.store.place import Place
from sinara.store.reader import Reader
from sinara.store.retention import take_back
from sinara.store.settle import lone_name
from sinara.store.trees import Seen, sort_out
from sinara.store.values import Commit, Manifest
from sinara.store.writer import Check, RunWriter

KEPT = 3
_SETTLED = 0.05  # s; a file this young may change again within one tick of the file system's clock


@dataclass(frozen=True)
class _Last:
    """What the last snapshot of a draft was made of."""

    run_ids: tuple[str, ...]  # snapshots that were not taken back, newest first
    marks: Mapping[str, Mapping[str, Any]]  # entity -> path -> mark, of files sure to be unchanged
    commit: Commit | None = None
    manifests: Mapping[str, Manifest] = None  # type: ignore[assignment]


def take_snapshot(
    place: Place,
    draft: str,
    entities: Sequence[str],
    arguments: Mapping[str, Any],
    checks: Mapping[str, Check],
) -> Commit | None:
    """Publish a snapshot; see :meth:`sinara.store.writer.RunWriter.snapshot`."""
    with place.backend.locked(draft):
        last = _read_last(place, draft)
        found, skipped = _look(place, draft, entities)
        if last.commit is not None and _unchanged(last, found, skipped, entities):
            return replace(last.commit, skipped=skipped)
        claim, hold = make_claim(place, new_run_id(place.world.clock, place.world.entropy))
        with RunWriter(place, claim, hold) as writer:
            copied = _copy_all(place, draft, writer, last, found, skipped, checks)
            carried = _carry_over(place, writer, last, set(entities) - set(skipped), copied)
            if not copied and not carried:
                done = None
            else:
                done = writer.commit(**arguments, interactive=True, draft=draft)
        if done is None:
            _give_up(place, claim.run_id)
            return None
        kept = _write_last(place, draft, last, done, found, copied)
        for old in kept[KEPT:]:
            with contextlib.suppress(RunNotFoundError):
                take_back(place, old, "superseded by a newer snapshot")
    return replace(done, skipped=skipped)


def _give_up(place: Place, run_id: str) -> None:
    place.backend.retire(run_id)
    place.backend.purge()
    place.backend.remove(layout.open_claim(run_id))


def _look(
    place: Place, draft: str, entities: Sequence[str]
) -> tuple[dict[str, tuple[Seen, ...]], dict[str, str]]:
    found: dict[str, tuple[Seen, ...]] = {}
    skipped: dict[str, str] = {}
    for entity in entities:
        try:
            data = sort_out(entity, place.backend.scan(f"{draft}/{entity_folder(entity)}")).data
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OutputError as error:
            skipped[entity] = str(error)
            continue
        if data:
            found[entity] = data
    return found, skipped


def _unchanged(
    last: _Last,
    found: Mapping[str, Sequence[Seen]],
    skipped: Mapping[str, str],
    asked: Sequence[str],
) -> bool:
    """Return whether a snapshot now would hold what the last one holds."""
    published = set(last.commit.entities) if last.commit else set()
    if any(entity in published for entity in set(asked) - set(found) - set(skipped)):
        return False  # one was deleted
    return all(
        entity in published and _marks(data) == dict(last.marks.get(entity, {}))
        for entity, data in found.items()
    )


def _marks(data: Sequence[Seen]) -> dict[str, Any]:
    return {seen.path: [*seen.mark, seen.changed] for seen in data}


def _copy_all(
    place: Place,
    draft: str,
    writer: RunWriter,
    last: _Last,
    found: Mapping[str, tuple[Seen, ...]],
    skipped: dict[str, str],
    checks: Mapping[str, Check],
) -> set[str]:
    """Copy and seal what may be published; note in ``skipped`` what may not."""
    copied: set[str] = set()
    for entity, data in found.items():
        folder = entity_folder(entity)
        try:
            known = _copy(place, draft, writer.run_id, last, entity, data)
            if sort_out(entity, place.backend.scan(f"{draft}/{folder}")).data != data:
                raise OutputError(f"Output '{entity}' is still being written.")
            writer.seal(entity, known=known, check=checks.get(entity))
        except (OutputError, ContractError, FileNotFoundError) as error:
            skipped[entity] = str(error)
            place.backend.clear(f"{writer.run_id}/{folder}")
        else:
            copied.add(entity)
    return copied


def _copy(
    place: Place, draft: str, run_id: str, last: _Last, entity: str, data: Sequence[Seen]
) -> dict[str, str]:
    """Copy one entity; return the digests that came with it."""
    folder = entity_folder(entity)
    marks, old = last.marks.get(entity, {}), (last.manifests or {}).get(entity)
    known: dict[str, str] = {}
    for seen in data:
        source = f"{draft}/{folder}/{seen.path}" if seen.path else f"{draft}/{folder}"
        name = seen.path or lone_name(place, source)
        target = f"{run_id}/{folder}/{name}"
        same = marks.get(seen.path) == _marks([seen])[seen.path]
        if (
            old
            and name in old.files
            and same
            and place.backend.share_data(f"{last.run_ids[0]}/{folder}/{name}", target)
        ):
            known[name] = old.files[name][1]
            continue
        digest = place.backend.copy_data(source, target)
        if digest is not None:
            known[name] = digest
    return known


def _carry_over(
    place: Place, writer: RunWriter, last: _Last, asked: set[str], copied: set[str]
) -> set[str]:
    """Take over from the last snapshot what was not asked for, or could not be read."""
    carried: set[str] = set()
    for entity, manifest in (last.manifests or {}).items():
        if last.commit is None or entity in asked or entity in copied:
            continue
        known = {}
        for path, (_, digest) in manifest.files.items():
            source = f"{last.commit.run_id}/{manifest.folder}/{path}"
            target = f"{writer.run_id}/{manifest.folder}/{path}"
            if place.backend.share_data(source, target):
                known[path] = digest
            else:
                place.backend.copy_data(source, target)
        writer.seal(entity, known=known)
        carried.add(entity)
    return carried


def _read_last(place: Place, draft: str) -> _Last:
    """Return what is known of the last snapshot; nothing, if that cannot be trusted."""
    nothing = _Last((), {})
    try:
        state = json.loads(place.backend.read(f"{draft}/{layout.SNAPSHOT}"))
        run_ids = tuple(map(str, state["run_ids"]))
        reader = Reader(place)
        commit = reader.commit(run_ids[0])
        held = {name: reader.manifest(commit, name) for name in commit.entities}
        return _Last(run_ids, state["marks"], commit, held)
    except (OSError, ValueError, KeyError, IndexError, TypeError, CorruptError, RunNotFoundError):
        return nothing


def _write_last(
    place: Place,
    draft: str,
    last: _Last,
    done: Commit,
    found: Mapping[str, Sequence[Seen]],
    copied: set[str],
) -> list[str]:
    now = place.world.clock().timestamp()
    marks = {name: dict(value) for name, value in last.marks.items() if name not in found}
    for entity in copied:
        marks[entity] = _marks([seen for seen in found[entity] if _is_old(seen, now)])
    run_ids = [done.run_id, *last.run_ids]
    state = {"run_ids": run_ids[:KEPT], "marks": marks}
    place.backend.replace(f"{draft}/{layout.SNAPSHOT}", canonical(state), durable=False)
    return run_ids


def _is_old(seen: Seen, now: float) -> bool:
    """Return whether a change from now on is sure to show in the file's times.

    Source:
        "Racy Git", git/Documentation/technical/racy-git.txt: a file that changes twice
        within one tick of the clock looks the same after both.
    """
    return seen.changed / 1e9 < now - _SETTLED
