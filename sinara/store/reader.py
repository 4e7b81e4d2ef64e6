"""Reading what was published, and proving that it is still what was published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from sinara.errors import CorruptError, EntityNotFoundError, RunNotFoundError
from sinara.names import check_name, check_run_id, entity_folder
from sinara.store import layout, verified
from sinara.store import manifest as manifests
from sinara.store.log import Entry, to_commit
from sinara.store.parquet import read_footers
from sinara.store.place import Place, marked_entry
from sinara.store.trees import Seen, sort_out
from sinara.store.values import (
    ASIDE,
    Commit,
    CommittedEntity,
    EntityInfo,
    Manifest,
    Problem,
    Word,
)

How = Literal["sizes", "cached", "full"]


class Reader:
    """The reading half of a step's store."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._backend = place.backend

    # -- commits ---------------------------------------------------------------------------

    def commits(self) -> Iterator[Commit]:
        """Yield every published run, the newest first."""
        for entry in self._place.log.published():
            yield self._to_commit(entry)

    def words(self) -> Iterator[Word]:
        """Yield the log's last word on every run that was ever published, newest first."""
        for entry, tombstone in self._place.log.runs():
            reason = None if tombstone is None else str(tombstone.body.get("reason", ""))
            yield Word(self._to_commit(entry), reason)

    def marked(self, run_id: str) -> Commit | None:
        """Return the commit that a run's own mark leads to."""
        entry = marked_entry(self._place, check_run_id(run_id))
        return None if entry is None else self._to_commit(entry)

    def _to_commit(self, entry: Entry) -> Commit:
        return to_commit(entry, self._backend.folder)

    def latest(
        self, entities: Iterable[str] = (), *, interactive: bool = True, legacy: bool = False
    ) -> Commit | None:
        """Return the newest run that holds all of ``entities``, but none that was put aside."""
        wanted = {check_name("entity", entity) for entity in entities}
        for entry in self._place.log.published():
            if entry.body.get("interactive") and not interactive:
                continue
            if str(entry.body.get("trigger_key") or "").startswith(ASIDE):
                continue
            if wanted <= set(entry.body.get("entities", ())):
                return self._to_commit(entry)
        return self._latest_legacy(wanted) if legacy else None

    def commit(self, run_id: str, *, legacy: bool = False) -> Commit:
        """Return the log's word on one run."""
        check_run_id(run_id)
        entry = self._entry(run_id)
        if entry is not None:
            return self._to_commit(entry)
        if legacy and run_id in self.legacy_runs():
            return self._legacy_commit(run_id)
        raise RunNotFoundError(
            f"Step {self._place.step.dotted} has no published run {run_id} "
            f"in {self._backend.folder}."
        )

    def _entry(self, run_id: str) -> Entry | None:
        """Find a run's entry by its mark; without one, walk the log."""
        found = marked_entry(self._place, run_id)
        if found is not None:
            return found
        return next((e for e in self._place.log.published() if e.run_id == run_id), None)

    # -- entities --------------------------------------------------------------------------

    def open(self, commit: Commit, entity: str, *, verify: How = "cached") -> EntityInfo:
        """Return a published entity after checking that it is what was published."""
        held = self._held(commit, entity)
        if commit.legacy:
            return self._open_legacy(commit, entity)
        manifest = self.manifest(commit, entity)
        problems = self._problems(commit, manifest, verify)
        if problems:
            raise CorruptError(*(f"{problem.path} {problem.what}." for problem in problems[:20]))
        url = self._place.entity_url(commit.run_id, entity)
        return EntityInfo(
            entity,
            url,
            len(manifest.files),
            manifest.bytes,
            manifest.rows,
            manifest.columns,
            held.manifest_sha256,
        )

    def _held(self, commit: Commit, entity: str) -> CommittedEntity:
        held = commit.entities.get(check_name("entity", entity))
        if held is None:
            raise EntityNotFoundError.for_entity(entity, self._place.step.dotted, commit.entities)
        return held

    def manifest(self, commit: Commit, entity: str) -> Manifest:
        """Return the manifest of a published entity, checked against the log.

        Raises:
            CorruptError: If it is missing or another one.
        """
        held = self._held(commit, entity)
        path = layout.manifest(commit.run_id, held.folder)
        where = f"{self._backend.folder}/{path}"
        try:
            manifest, digest = manifests.decode(self._backend.read(path), where)
        except FileNotFoundError as error:
            raise CorruptError(f"{where} is missing: the entity cannot be checked.") from error
        names = (manifest.entity, manifest.folder)
        if digest != held.manifest_sha256 or names != (entity, held.folder):
            raise CorruptError(f"{where} is not the manifest that was published.")
        return manifest

    def _problems(self, commit: Commit, manifest: Manifest, how: How) -> list[Problem]:
        path = f"{commit.run_id}/{manifest.folder}"
        base = f"{self._backend.folder}/{path}"
        try:
            found = self._backend.scan(path)
        except (FileNotFoundError, NotADirectoryError):
            return [Problem(base, "is missing")]
        problems = list(manifests.compare(manifest, base, found))
        if problems or how == "sizes":
            return problems
        cache, held = self._place.world.cache, commit.entities[manifest.entity].manifest_sha256
        if how == "cached" and verified.is_known(cache, base, held, found):
            return []
        problems = list(self._wrong_digests(path, manifest))
        if not problems:
            verified.remember(cache, base, held, found)
        return problems

    def _wrong_digests(self, path: str, manifest: Manifest) -> Iterator[Problem]:
        digests = self._backend.digest(path, sorted(manifest.files), sync=False)
        for name, digest in digests.items():
            if digest != manifest.files[name][1]:
                yield Problem(f"{self._backend.folder}/{path}/{name}", "differs from its digest")

    def check(self, commit: Commit, how: How = "full") -> Iterator[Problem]:
        """Yield everything about a published run that is not as it was published."""
        base = f"{self._backend.folder}/{commit.run_id}"
        for entity, held in commit.entities.items():
            try:
                manifest = self.manifest(commit, entity)
            except CorruptError as error:
                yield Problem(f"{base}/{layout.MANIFESTS}/{held.folder}.json", str(error))
                continue
            yield from self._problems(commit, manifest, how)
            if not self._backend.exists(layout.success(commit.run_id, held.folder)):
                where = f"{base}/{held.folder}/{layout.SUCCESS}"
                yield Problem(where, "is missing: sinara run recover writes it")

    # -- runs of the original --------------------------------------------------------------

    def legacy_runs(self) -> list[str]:
        """Return run folders that were never claimed, newest first by their ids."""
        found = [name for name in self._backend.names("") if layout.is_run_folder(name)]
        return sorted(
            (name for name in found if not self._backend.exists(layout.claim(name))), reverse=True
        )

    def _latest_legacy(self, wanted: set[str]) -> Commit | None:
        for run_id in self.legacy_runs():
            if all(
                self._backend.exists(layout.success(run_id, entity_folder(entity)))
                for entity in wanted
            ) and (wanted or self._legacy_folders(run_id)):
                return self._legacy_commit(run_id, wanted)
        return None

    def _legacy_folders(self, run_id: str) -> list[str]:
        return sorted(
            name
            for name in self._backend.names(run_id)
            if self._backend.exists(layout.success(run_id, name))
        )

    def _legacy_commit(self, run_id: str, wanted: Iterable[str] = ()) -> Commit:
        # A folder's name does not tell a dot from an underscore: what is asked for decides.
        asked = {entity_folder(entity): entity for entity in wanted}
        entities = {
            asked.get(folder, folder): CommittedEntity(folder, "", None, 0, 0)
            for folder in self._legacy_folders(run_id)
        }
        return Commit(0, run_id, "", entities, legacy=True)

    def _open_legacy(self, commit: Commit, entity: str) -> EntityInfo:
        path = f"{commit.run_id}/{commit.entities[entity].folder}"
        data: Sequence[Seen] = sort_out(entity, self._backend.scan(path)).data
        paths = [seen.path for seen in data]
        rows, columns = read_footers(
            entity, paths, lambda name: self._backend.open_data(f"{path}/{name}")
        )
        size = sum(seen.size for seen in data)
        url = self._place.entity_url(commit.run_id, entity)
        return EntityInfo(entity, url, len(data), size, rows, columns, note="unverified")
