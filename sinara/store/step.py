"""The store of one step: what the rest of sinara calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sinara.errors import CorruptError, RunNotFoundError, StoreError
from sinara.names import StepName, check_name, check_run_id, entity_folder
from sinara.record import RunRecord
from sinara.store import layout
from sinara.store.audit import audit
from sinara.store.backend import Hold
from sinara.store.claims import hold_draft, make_claim
from sinara.store.errors import told
from sinara.store.evidence import Evidence
from sinara.store.place import Place
from sinara.store.reader import How, Reader
from sinara.store.recovery import as_it_is, recover
from sinara.store.resumable import hold_unpublished, resumable
from sinara.store.retention import GRACE, Pin, pin, pinned, take_back
from sinara.store.search import LogSearch
from sinara.store.values import Commit, EntityInfo, Note, Problem, Recovery, Word
from sinara.store.writer import RunWriter


class StepStore:
    """Entities and evidence of one step; made by :meth:`sinara.store.api.Store.step`.

    Every method raises ``StoreError`` with one line if the place itself cannot be read or
    written.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._reader = Reader(place)
        self._evidence = Evidence(place.backend, place.world)

    @property
    def step(self) -> StepName:
        """The step."""
        return self._place.step

    @property
    def url(self) -> str:
        """The step's folder."""
        return self._place.backend.folder

    # -- writing ---------------------------------------------------------------------------

    def claim(
        self,
        run_id: str,
        *,
        trigger_key: str | None = None,
        draft: bool = False,
        adopt: bool = False,
    ) -> RunWriter:
        """Begin a run: make its folder, which nobody else can then claim.

        Args:
            run_id: A new run id.
            trigger_key: What caused the run; at most one run of a key is ever published.
            draft: Begin, or go on with, a draft: work by hand, shared by the kernels of one
                checkout, which outlives them and is published by snapshots only.
            adopt: Take over a folder that is there already, if nobody claimed it: a
                notebook that fixes its own run id has written to it by then.

        Raises:
            StoreError: If the run id is taken.
            AlreadyPublishedError: If a run of the same trigger was published.
        """
        with told(f"begin run {run_id}"):
            if not draft:
                claim, hold = make_claim(self._place, run_id, trigger_key=trigger_key, adopt=adopt)
                return RunWriter(self._place, claim, hold)
            return RunWriter(self._place, *hold_draft(self._place, run_id))

    def discard_temporary(self, run_id: str, entity: str) -> None:
        """Remove a temporary entity of a run; no link is followed. This is a temporary root.

        Raises:
            StoreError: If the place refuses.
        """
        path = f"{check_run_id(run_id)}/{entity_folder(check_name('entity', entity))}"
        with told(f"empty temporary entity '{entity}'"):
            self._place.backend.discard(path)

    def tombstone(self, run_id: str, reason: str) -> bool:
        """Take back a published run; its evidence stays.

        Returns:
            Whether its data is deleted already; while a process pins it, it is not.

        Raises:
            RunNotFoundError: If no such run is published.
        """
        check_run_id(run_id)
        with told(f"take back run {run_id}"):
            return take_back(self._place, run_id, reason)

    def pin(self, run_id: str) -> Pin:
        """Keep the data of a run, even if it is taken back, until released or dead.

        Raises:
            RunNotFoundError: If it was taken back already: choose again.
        """
        with told(f"pin run {run_id}"):
            return pin(self._place, run_id)

    def pinned(self) -> frozenset[str]:
        """Return the runs that a living process reads, whichever machine it is on."""
        with told(f"look for pins in {self.url}"):
            return frozenset(pinned(self._place, tidy=False))

    def recover(
        self,
        *,
        keep: Callable[[str], bool] | None = None,
        grace: float = GRACE,
        full: bool = False,
    ) -> Recovery:
        """Put right what processes left that died. Safe to call at any time, by anyone.

        Args:
            keep: Run ids for which it answers True keep their unpublished data, for a resume.
            grace: Seconds without a sign of life after which a process of another machine
                counts as gone.
            full: Look at every run folder and record, not only at those marked as open.
        """
        with told(f"recover {self.url}"):
            return recover(self._place, self._evidence, keep=keep, grace=grace, full=full)

    # -- resuming --------------------------------------------------------------------------

    @property
    def local(self) -> bool:
        """Whether the step lies on a local disk; a run can be resumed only there."""
        return not self._place.backend.remote

    def unpublished(self) -> tuple[str, ...]:
        """Return the runs whose data is here, that were not published and are over, newest first.

        Drafts of work by hand are none of them.
        """
        with told(f"look for unpublished runs in {self.url}"):
            return tuple(resumable(self._place))

    def hold(self, run_id: str) -> Hold:
        """Keep the data of a run that was not published while this process reads it.

        Raises:
            RunNotFoundError: If its data is not here, or was published.
            StoreError: If the run still goes on.
        """
        check_run_id(run_id)
        with told(f"keep the data of run {run_id}"):
            return hold_unpublished(self._place, run_id)

    # -- reading ---------------------------------------------------------------------------

    def latest(
        self, entities: Iterable[str] = (), *, interactive: bool = True, legacy: bool = False
    ) -> Commit | None:
        """Return the newest published run that holds all of ``entities``.

        Args:
            entities: Entity names.
            interactive: Whether snapshots of work by hand count.
            legacy: Whether runs of the original count, where the log has no answer.
        """
        with told(f"read the log of {self.url}"):
            return self._reader.latest(entities, interactive=interactive, legacy=legacy)

    def commit(self, run_id: str, *, legacy: bool = False) -> Commit:
        """Return one published run.

        Raises:
            RunNotFoundError: If it is not published, or was taken back.
        """
        with told(f"read the log of {self.url}"):
            return self._reader.commit(run_id, legacy=legacy)

    def commits(self) -> Iterator[Commit]:
        """Yield all published runs, the newest first."""
        with told(f"read the log of {self.url}"):
            yield from self._reader.commits()

    def words(self) -> Iterator[Word]:
        """Yield the log's last word on every run that was ever published, newest first."""
        with told(f"read the log of {self.url}"):
            yield from self._reader.words()

    def marked(self, run_id: str) -> Commit | None:
        """Return a published run if its folder says so; the log is not searched for it.

        ``None`` is no proof: the run may be published and its folder not yet, or not any more.
        """
        with told(f"read the mark of run {run_id}"):
            return self._reader.marked(run_id)

    def search(self) -> Callable[[str], Word | None]:
        """Return a function that gives the log's last word on a run, ``None`` if it has none.

        The log is read once, at the first call; what is published later is not found.
        """
        search = LogSearch(self._place)

        def word(run_id: str) -> Word | None:
            with told(f"read the log of {self.url}"):
                return search.word(check_run_id(run_id))

        return word

    def folders(self) -> tuple[str, ...]:
        """Return every run with a folder for data, published or not, newest first by their ids."""
        with told(f"list the runs of {self.url}"):
            inside = self._place.backend.names("")
        return tuple(sorted(filter(layout.is_run_folder, inside), reverse=True))

    def legacy_runs(self) -> tuple[str, ...]:
        """Return the runs that the original left here, which no log covers, newest first."""
        with told(f"list the runs of {self.url}"):
            return tuple(self._reader.legacy_runs())

    def entity_url(self, run_id: str, entity: str) -> str:
        """Return where an entity of a run lies, whether it is there or not."""
        return self._place.entity_url(run_id, entity)

    def open(self, commit: Commit, entity: str, *, verify: How = "cached") -> EntityInfo:
        """Return a published entity after checking that it is what was published.

        Args:
            commit: The run.
            entity: The entity.
            verify: ``"sizes"`` compares names and sizes; ``"full"`` hashes every file;
                ``"cached"`` hashes what this user has not hashed since it last changed.

        Raises:
            EntityNotFoundError: If the run does not hold it.
            CorruptError: If it differs from what was published; one line per file.
        """
        with told(f"read entity '{entity}' of run {commit.run_id}"):
            return self._reader.open(commit, entity, verify=verify)

    def verify(self, run_id: str | None = None, *, how: How = "full") -> tuple[Problem, ...]:
        """Return all that is not as it was published: in one run, or in all and in the log.

        Raises:
            RunNotFoundError: If ``run_id`` is not published.
        """
        with told(f"verify {self.url}"):
            return tuple(audit(self._place, self._reader, run_id, how))

    # -- evidence --------------------------------------------------------------------------

    def run_ids(self) -> tuple[str, ...]:
        """Return every run with evidence, published or not, newest first."""
        with told(f"list the runs of {self.url}"):
            return self._evidence.run_ids()

    def record_folder(self, run_id: str) -> Path | None:
        """Return the local folder of a run's evidence, made if need be; None on a remote store."""
        check_run_id(run_id)
        if self._place.backend.remote:
            return None
        with told(f"make the record folder of run {run_id}"):
            return Path(self._place.backend.make_folder(f"{layout.RUNS}/{run_id}"))

    def put_file(self, run_id: str, relpath: str, data: bytes) -> None:
        """Write a file of evidence whole."""
        check_run_id(run_id)
        with told(f"write '{relpath}' of run {run_id}"):
            self._evidence.put_file(run_id, relpath, data)

    def get_file(self, run_id: str, relpath: str) -> bytes:
        """Return a file of evidence.

        Raises:
            RunNotFoundError: If it is not there.
        """
        check_run_id(run_id)
        with told(f"read '{relpath}' of run {run_id}"):
            return self._evidence.get_file(run_id, relpath)

    def list_files(self, run_id: str) -> tuple[str, ...]:
        """Return the paths of a run's files of evidence, sorted."""
        check_run_id(run_id)
        with told(f"list the files of run {run_id}"):
            return self._evidence.list_files(run_id)

    def evidence_size(self, run_id: str) -> int:
        """Return how many bytes of evidence a run left."""
        check_run_id(run_id)
        with told(f"list the files of run {run_id}"):
            return self._evidence.size(run_id)

    def discard_evidence(self, run_id: str) -> None:
        """Delete the record, log, notebooks and pages of a run that is over and not published.

        Raises:
            StoreError: If the run goes on, or is published: its evidence is what explains it.
        """
        check_run_id(run_id)
        with told(f"delete the evidence of run {run_id}"):
            if self._reader.marked(run_id) is not None or self._goes_on(run_id):
                raise StoreError(f"Run {run_id} of {self.step.dotted} goes on, or is published.")
            self._evidence.discard(run_id)

    def _goes_on(self, run_id: str) -> bool:
        try:
            record = self._evidence.read_record(run_id)
        except (RunNotFoundError, CorruptError):
            return False
        return as_it_is(self._place, self._evidence, record).status == "running"

    def write_record(self, record: RunRecord) -> None:
        """Write a run's record; recovery ends one that says "running" of a process that died."""
        check_run_id(record.run_id)
        with told(f"write the record of run {record.run_id}"):
            self._evidence.write_record(record)

    def read_record(self, run_id: str) -> RunRecord:
        """Return a run's record; one that says "running" of a process that is gone says "lost".

        Raises:
            RunNotFoundError: If the run left none.
        """
        check_run_id(run_id)
        with told(f"read the record of run {run_id}"):
            return as_it_is(self._place, self._evidence, self._evidence.read_record(run_id))

    def add_note(self, run_id: str, what: str, body: Mapping[str, Any]) -> Note:
        """Append what was learned about a run later: its tag, an image's digest."""
        check_run_id(run_id)
        with told(f"add a note to run {run_id}"):
            return self._evidence.add_note(run_id, what, body)

    def notes(self, run_id: str) -> tuple[Note, ...]:
        """Return a run's notes, the oldest first."""
        check_run_id(run_id)
        with told(f"read the notes of run {run_id}"):
            return self._evidence.notes(run_id)
