"""One run's data on its way to being published: settle, seal, commit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from sinara.errors import OutputError, StoreError
from sinara.names import check_distinct, check_name, entity_folder
from sinara.store import layout, verified
from sinara.store import manifest as manifests
from sinara.store.backend import Hold
from sinara.store.beside import beside
from sinara.store.claims import Claim, read_claim, refuse_trigger
from sinara.store.errors import LostClaimError, explain, told
from sinara.store.log import RUN, Entry, to_commit
from sinara.store.place import Place, publish
from sinara.store.settle import describe, settle
from sinara.store.trees import Seen, Sorted, bad_path
from sinara.store.values import Commit, EntityInfo, Manifest

Marks = dict[str, tuple[object, ...]]
Check = Callable[[EntityInfo], None]  # looks at an entity that nobody may change meanwhile


@dataclass(frozen=True)
class Sealed:
    """An entity that is ready to be published, and how its files looked when it was hashed."""

    info: EntityInfo
    folder: str
    marks: Marks


class RunWriter:
    """Writes one run; made by :meth:`sinara.store.step.StepStore.claim`.

    Attributes:
        run_id: The run.
        draft: Whether this is a draft: it takes snapshots and is never published itself.
        unfinished: Why the marks of a published run could not be written, if so; the run is
            published all the same, and the next recovery writes them.
    """

    def __init__(self, place: Place, claim: Claim, hold: Hold) -> None:
        self.run_id = claim.run_id
        self.draft = claim.draft
        self.unfinished = ""
        self._place = place
        self._backend = place.backend
        self._claim = claim
        self._hold = hold
        self._sealed: dict[str, Sealed] = {}
        self._commit: Commit | None = None
        self._broken: StoreError | None = None

    @property
    def url(self) -> str:
        """Where the run's entities lie."""
        return self._place.run_url(self.run_id)

    def entity_url(self, entity: str) -> str:
        """Return where an entity is to be written; nothing is there before that."""
        return self._place.entity_url(self.run_id, entity)

    # -- settle ----------------------------------------------------------------------------

    def settle(self, entity: str) -> EntityInfo | None:
        """Bring what an engine wrote into the form that is published.

        A lone file becomes a folder that holds it; litter of engines and editors goes. In a
        draft nothing is changed. May be called again at any time.

        Returns:
            What is there, or None if nothing was written.

        Raises:
            OutputError: If something is there that cannot be published: a write that did not
                finish, an unreadable parquet file, a link, a name that breaks the grammar.
        """
        with told(f"settle output '{entity}'"):
            sorted_out = self._settle(entity)
            return self._describe(entity, sorted_out.data) if sorted_out else None

    def _settle(self, entity: str, shared: Container[str] = ()) -> Sorted | None:
        return settle(
            self._place, self._folder(entity), entity, touch=not self.draft, shared=shared
        )

    def _folder(self, entity: str) -> str:
        return f"{self.run_id}/{entity_folder(entity)}"

    def _describe(self, entity: str, data: Sequence[Seen]) -> EntityInfo:
        return describe(self._place, self.run_id, entity, data)

    def add_files(self, entity: str, files: Mapping[str, bytes | Path]) -> None:
        """Write files of ours into an entity: reports, archives.

        Args:
            entity: The entity; made if it is not there.
            files: Path inside the entity -> what it holds, or the file to copy.
        """
        with told(f"write output '{entity}'"):
            self._settle(entity)
            for path, content in files.items():
                problem = bad_path(path) if path else "a name may not be empty."
                if problem:
                    raise OutputError(f"Output '{entity}': {path!r}: {problem}")
                self._backend.put_data(f"{self._folder(entity)}/{path}", content)

    def discard(self, entity: str) -> None:
        """Remove all that was written to an entity, so that it can be written anew.

        Nothing else in the run is touched, and no link is followed.

        Args:
            entity: An entity that is not sealed.

        Raises:
            StoreError: If it is sealed, if this is a draft, or if the place refuses.
            LostClaimError: If this attempt was given up.
            OutputError: If somebody is still writing there.
        """
        if self.draft or self._commit is not None or entity in self._sealed:
            raise StoreError(f"Output '{entity}' of run {self.run_id} is kept: it may be read.")
        folder = self._folder(check_name("entity", entity))
        self._check_claim()
        with told(f"empty output '{entity}'"):
            self._backend.discard(folder)
            try:
                left = self._backend.scan(folder)
            except FileNotFoundError:
                left = []
        if left:
            raise OutputError(f"Output '{entity}' is still being written; it cannot be emptied.")

    # -- seal ------------------------------------------------------------------------------

    def seal(
        self,
        entity: str,
        *,
        known: Mapping[str, str] | None = None,
        check: Check | None = None,
    ) -> EntityInfo:
        """Make an entity durable, hash all of it and write its manifest.

        Args:
            entity: The entity. Writing to it afterwards makes the commit fail.
            known: SHA-256 by path, of files whose digest is known for certain.
            check: Is called with what is there, and may raise: it is not sealed then. What it
                looked at is what is sealed, or sealing fails.

        Raises:
            OutputError: If nothing was written, if it cannot be published, or if it is still
                being written.
        """
        check_distinct("entity", [*(name for name in self._sealed if name != entity), entity])
        self._check_claim()
        with told(f"seal output '{entity}'"):
            sorted_out = self._settle(entity, known or ())
            if sorted_out is None:
                raise OutputError(
                    f"Output '{entity}' was declared, but nothing was written to "
                    f"{self.entity_url(entity)}."
                )
            self._sealed[entity] = self._seal(entity, sorted_out.data, known or {}, check)
        return self._sealed[entity].info

    def sealed(self, entity: str) -> EntityInfo | None:
        """Return an entity that was sealed before, unless something in it changed since."""
        there = self._sealed.get(entity)
        if there is None:
            return None
        try:
            self._recheck(entity, there)
        except OutputError:
            return None
        return there.info

    def take_out(self, entity: str) -> None:
        """Take an entity out of the run again, with all that was written to it."""
        with told(f"take out output '{entity}'"):
            self._sealed.pop(entity, None)
            self._backend.clear(self._folder(entity))
            self._backend.remove(layout.manifest(self.run_id, entity_folder(entity)))

    def _seal(
        self, entity: str, data: Sequence[Seen], known: Mapping[str, str], check: Check | None
    ) -> Sealed:
        folder, short = self._folder(entity), entity_folder(entity)
        paths = [seen.path for seen in data if seen.path not in known]
        info = self._describe(entity, data)
        looking = beside(partial(check, info)) if check else contextlib.nullcontext()
        with looking:  # while the disk is waited for
            digests = {**known, **self._backend.digest(folder, paths, sync=True)}
        sealed = Sealed(info, short, {seen.path: seen.mark for seen in data})
        self._recheck(entity, sealed)
        files = {seen.path: (seen.size, digests[seen.path]) for seen in data}
        content, digest = manifests.encode(
            Manifest(entity, short, files, info.bytes, info.rows, info.columns)
        )
        self._backend.replace(layout.manifest(self.run_id, short), content)
        self._backend.sync_folders([folder])
        return replace(sealed, info=replace(info, manifest=digest))

    def _recheck(self, entity: str, sealed: Sealed) -> None:
        try:
            found = self._backend.scan(self._folder(entity))
        except FileNotFoundError:
            found = []
        now = {seen.path: seen.mark for seen in found if seen.kind != "folder"}
        if now != sealed.marks:
            changed = sorted(
                path for path in {*now, *sealed.marks} if now.get(path) != sealed.marks.get(path)
            )
            raise OutputError(
                f"Output '{entity}' is still being written: '{changed[0]}' changed meanwhile. "
                "Wait for all writers before the substep ends."
            )

    # -- commit ----------------------------------------------------------------------------

    def commit(
        self,
        *,
        inputs: Mapping[str, Mapping[str, Any]],
        code: Mapping[str, Any],
        params_sha256: str,
        substeps: Iterable[Any],
        interactive: bool = False,
        draft: str | None = None,
    ) -> Commit:
        """Publish all sealed entities at once. Called again, it returns the same commit.

        Args:
            inputs: Full name -> run id and manifest digest of what the run read.
            code: Which code ran.
            params_sha256: Digest of its parameters.
            substeps: What ran, as JSON can hold it.
            interactive: Whether this is a snapshot of work by hand, which prod never reads.
            draft: The draft that a snapshot was taken of.

        Raises:
            LostClaimError: If this attempt was given up: collected, or of another process.
            AlreadyPublishedError: If another run of the same trigger was published.
            OutputError: If a sealed entity changed since.
            StoreError: If the place refuses: nothing is published then, unless the line says so.
        """
        if self._commit is not None:
            return self._commit
        if self._broken is not None:
            raise self._broken
        if self.draft:
            raise StoreError(f"Run {self.run_id} is a draft: it is published by snapshots only.")
        self._check_claim()
        for entity, sealed in self._sealed.items():
            self._recheck(entity, sealed)
        body = {
            "kind": RUN,
            "run_id": self.run_id,
            "time": self._place.world.stamp(),
            "interactive": interactive,
            "draft": draft,
            "trigger_key": self._claim.trigger_key,
            "entities": {name: _entry(sealed) for name, sealed in self._sealed.items()},
            "inputs": {name: dict(pin) for name, pin in inputs.items()},
            "code": dict(code),
            "params_sha256": params_sha256,
            "substeps": list(substeps),
        }
        return self._publish(body)

    def _publish(self, body: dict[str, Any]) -> Commit:
        try:
            self._backend.sync_folders_alone([self.run_id, ""])
            entry, _ = self._place.log.append(
                body, after=self._claim.log_after, judge=self._is_published
            )
        except OSError as error:
            # Not tried again: after a failed fsync the kernel may report success for lost data.
            self._broken = StoreError(explain(f"publish run {self.run_id}", error))
            raise self._broken from error
        self._commit = to_commit(entry, self._backend.folder)
        try:
            publish(self._place, entry)
            self._note_verified()
        except OSError as error:
            self.unfinished = explain(f"mark run {self.run_id} as published", error)
        self._hold.release()
        return self._commit

    def _note_verified(self) -> None:
        """Spare the next reader on this machine the hashing of what was hashed just now."""
        cache = self._place.world.cache
        for entity, sealed in self._sealed.items():
            found = self._backend.scan(self._folder(entity))
            now = {seen.path: seen.mark for seen in found if seen.path in sealed.marks}
            if cache is not None and now == sealed.marks and sealed.info.manifest:
                base = f"{self._backend.folder}/{self._folder(entity)}"
                verified.remember(cache, base, sealed.info.manifest, found)

    def _is_published(self, entry: Entry) -> bool:
        """Judge a log entry: our own, one that forbids ours, or one of others."""
        if entry.run_id == self.run_id:
            if entry.is_tombstone:
                raise LostClaimError(f"Run {self.run_id} was given up: it was collected meanwhile.")
            return True
        refuse_trigger(entry.body, self._claim.trigger_key)
        return False

    def _check_claim(self) -> None:
        ours = self._place.world.process() == self._claim.process or self.draft
        there = read_claim(self._place, self.run_id)
        token = there.token if there else None
        if not ours or token != self._claim.token or not self._hold.is_ours():
            why = "it is not the process that began it" if not ours else "its folder was collected"
            raise LostClaimError(f"Run {self.run_id} cannot be published by this process: {why}.")

    def snapshot(
        self,
        entities: Iterable[str],
        *,
        inputs: Mapping[str, Mapping[str, Any]],
        code: Mapping[str, Any],
        params_sha256: str,
        substeps: Iterable[Any],
        checks: Mapping[str, Check] | None = None,
    ) -> Commit | None:
        """Publish copies of a draft's entities as a run of their own, marked interactive.

        Nothing in the draft is touched. See :mod:`sinara.store.draft` for what it costs.

        Args:
            entities: Which; others stay as they were in the last snapshot.
            inputs: As for :meth:`commit`, and so are those below.
            code: Which code.
            params_sha256: Digest of the parameters.
            substeps: What ran.
            checks: By entity, as for :meth:`seal`: one that raises leaves the entity out.

        Returns:
            The commit; its ``skipped`` says which entities are left out and why. The
            last snapshot's commit if nothing changed since; None if there is nothing to publish.
        """
        from sinara.store.draft import take_snapshot

        if not self.draft:
            raise StoreError(f"Run {self.run_id} is no draft: commit it instead.")
        names = [check_name("entity", entity) for entity in entities]
        arguments = {
            "inputs": inputs,
            "code": code,
            "params_sha256": params_sha256,
            "substeps": tuple(substeps),
        }
        with told(f"take a snapshot of draft {self.run_id}"):
            self._check_claim()
            return take_snapshot(self._place, self.run_id, names, arguments, checks or {})

    def release(self) -> None:
        """Let go. What was not published is collected by the next recovery."""
        self._hold.release()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _entry(sealed: Sealed) -> dict[str, Any]:
    info = sealed.info
    return {
        "folder": sealed.folder,
        "manifest_sha256": info.manifest,
        "rows": info.rows,
        "bytes": info.bytes,
        "files": info.files,
    }
