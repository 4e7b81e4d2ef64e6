"""Put right what a death left: publish to the end what was published, delete what was not.

Only the marks in ``_open`` are looked at, so it costs next to nothing when every run
ended well. Every action may be cut off anywhere and is done again by the next recovery.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sinara.errors import RunNotFoundError, SinaraError
from sinara.record import RunRecord
from sinara.store import layout
from sinara.store.claims import Claim, read_claim
from sinara.store.evidence import Evidence
from sinara.store.log import Entry
from sinara.store.place import Place, publish
from sinara.store.retention import GRACE, bury, finish, pinned
from sinara.store.values import Recovery
from sinara.store.world import Process

DRAFT_KEPT = 14 * 24 * 3600.0  # s since somebody last wrote in it
Keep = Callable[[str], bool]


@dataclass
class _Done:
    rolled_forward: set[str] = field(default_factory=set)
    collected: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)


def recover(
    place: Place, evidence: Evidence, *, keep: Keep | None, grace: float, full: bool
) -> Recovery:
    """Recover one step; see :meth:`sinara.store.step.StepStore.recover`."""
    done = _Done()
    work = _Work(place, evidence, keep or (lambda _: False), grace, done)
    place.backend.sweep(grace)
    place.backend.purge()
    marks = place.backend.names(layout.OPEN)
    claims = {name.removesuffix(".claim") for name in marks if name.endswith(".claim")}
    records = {name.removesuffix(".record") for name in marks if name.endswith(".record")}
    if full:
        claims |= work.unmarked_claims()
        records |= set(evidence.run_ids())
    if any(name.startswith(layout.PIN) for name in marks):
        pinned(place)
    deletions = {name.removesuffix(".delete") for name in marks if name.endswith(".delete")}
    _each(work.deletion, deletions)
    _each(work.claim, claims)
    work.purge()  # before anything is written: what a dead run left may be what fills the disk
    _each(work.record, records)
    return Recovery(
        tuple(sorted(done.rolled_forward)), tuple(sorted(done.collected)), tuple(sorted(done.lost))
    )


def as_it_is(place: Place, evidence: Evidence, record: RunRecord) -> RunRecord:
    """Return a record as recovery would leave it: one whose process is gone does not run."""
    if record.status != "running":
        return record
    return _Work(place, evidence, lambda _: False, GRACE, _Done()).as_it_is(record)


def _each(todo: Callable[[str], None], run_ids: set[str]) -> None:
    for run_id in sorted(run_ids):
        with contextlib.suppress(PermissionError):  # another user's run: theirs to recover
            todo(run_id)


class _Work:
    """What recovery does with one run."""

    def __init__(
        self, place: Place, evidence: Evidence, keep: Keep, grace: float, done: _Done
    ) -> None:
        self._place = place
        self._backend = place.backend
        self._evidence = evidence
        self._keep = keep
        self._grace = grace
        self._done = done
        self._spent: list[str] = []  # marks that go once their runs are out of sight for good

    def unmarked_claims(self) -> set[str]:
        """Return claimed run folders that do not say they were published to the end."""
        return {
            name
            for name in self._backend.names("")
            if layout.is_run_folder(name)
            and self._backend.exists(layout.claim(name))
            and not self._is_complete(name)
        }

    def _is_complete(self, run_id: str) -> bool:
        if not self._backend.exists(f"{run_id}/{layout.COMMIT}"):
            return False
        entry = self._published(run_id, None)
        return entry is None or all(
            self._backend.exists(layout.success(run_id, entity["folder"]))
            for entity in entry.body["entities"].values()
        )

    # -- data ------------------------------------------------------------------------------

    def claim(self, run_id: str) -> None:
        """Publish to the end, collect, or leave alone."""
        holder = self._backend.holder(run_id)
        if holder == "held":
            return
        claim = read_claim(self._place, run_id)
        if claim is None:
            self._without_claim(run_id)
            return
        if not self._is_dead(claim, holder):
            return
        # Nobody can publish it any more, so the log's word from here on is the last one.
        entry = self._published(run_id, claim)
        if entry is not None:
            publish(self._place, entry)
            self._done.rolled_forward.add(run_id)
        elif self._may_go(run_id, claim):
            self._collect(run_id, claim)

    def _without_claim(self, run_id: str) -> None:
        """A mark whose folder is not there yet, not any more, or was damaged."""
        path = layout.open_claim(run_id)
        if not self._backend.exists(run_id) and not self._process_lives(path):
            self._spent.append(path)

    def _process_lives(self, mark: str) -> bool:
        try:
            process = Process.from_dict(json.loads(self._backend.read(mark)))
        except (OSError, ValueError):
            return False
        alive = self._alive(process)
        return self._is_fresh(layout.OPEN) if alive is None else alive

    def _alive(self, process: Process) -> bool | None:
        return self._place.world.alive(process, self._place.world.process())

    def _is_dead(self, claim: Claim, holder: str) -> bool:
        alive = self._alive(claim.process)
        if alive is None:
            return not self._is_fresh(claim.run_id) and not self._is_fresh(
                f"{layout.RUNS}/{claim.run_id}"
            )
        return not alive or holder == "free"  # alive and free: it let go

    def _is_fresh(self, folder: str) -> bool:
        """Return whether something was written lately, as a living process of elsewhere does."""
        changed = self._backend.last_change(folder)
        return changed is not None and changed > self._place.world.clock().timestamp() - self._grace

    def _published(self, run_id: str, claim: Claim | None) -> Entry | None:
        after = claim.log_after if claim else 0
        found = None
        for entry in self._place.log.after(after):
            if entry.run_id == run_id:
                found = None if entry.is_tombstone else entry
        return found

    def _may_go(self, run_id: str, claim: Claim) -> bool:
        if self._keep(run_id) or self._backend.exists(f"{run_id}/{layout.COMMIT}"):
            return False  # the latter: a log entry was lost, which verify reports
        if not claim.draft:
            return True
        changed = self._backend.last_change(run_id) or 0.0
        return changed < self._place.world.clock().timestamp() - DRAFT_KEPT

    def _collect(self, run_id: str, claim: Claim) -> None:
        if self._backend.remote or self._alive(claim.process) is None:
            # Its process might live after all: a tombstone keeps it from publishing, ever.
            bury(self._place, run_id, "collected: its process is gone", after=claim.log_after)
        if self._backend.retire(run_id):
            self._spent.append(layout.open_claim(run_id))
            self._done.collected.add(run_id)

    def purge(self) -> None:
        """Delete what is out of sight; only then forget that there was something to do."""
        self._backend.purge()
        for path in self._spent:
            self._backend.remove(path)

    def deletion(self, run_id: str) -> None:
        """Go on with taking back a run, if it was begun."""
        if self._published(run_id, None) is not None:
            self._backend.remove(layout.open_delete(run_id))  # cut off before the tombstone
        elif finish(self._place, run_id):
            self._done.collected.add(run_id)

    # -- records ---------------------------------------------------------------------------

    def record(self, run_id: str) -> None:
        """End the record of a process that did not live to do so."""
        mark = layout.open_record(run_id)
        try:
            record = self._evidence.read_record(run_id)
        except RunNotFoundError:
            if not self._process_lives(mark):
                self._backend.remove(mark)
            return
        except SinaraError:
            return  # damaged, or of a newer sinara: evidence is not touched
        if record.status == "running":
            ended = self.as_it_is(record)
            if ended is record:
                return
            self._evidence.write_record(ended)
            self._done.lost.add(run_id)
        self._backend.remove(mark)

    def as_it_is(self, record: RunRecord) -> RunRecord:
        """Return a record that says "running" with the end that nobody wrote, if it ended."""
        return record if self._lives(record.run_id, record) else self._ended(record)

    def _lives(self, run_id: str, record: RunRecord) -> bool:
        if self._backend.exists(layout.claim(run_id)) and self._backend.holder(run_id) == "held":
            return True
        try:
            process = Process.from_dict(json.loads(self._backend.read(layout.open_record(run_id))))
        except (OSError, ValueError):
            process = Process(record.host, record.boot_id, record.pid, record.process_started)
        alive = self._alive(process)
        return self._is_fresh(f"{layout.RUNS}/{run_id}") if alive is None else alive

    def _ended(self, record: RunRecord) -> RunRecord:
        published = self._published(record.run_id, read_claim(self._place, record.run_id))
        substeps = tuple(
            replace(part, status="lost") if part.status == "running" else part
            for part in record.substeps
        )
        if published is None:
            message = record.message or "The process of this run ended without a word."
            return replace(record, status="lost", substeps=substeps, message=message)
        message = "Published; its process ended before it could say so."
        return replace(
            record, status="succeeded", published=True, substeps=substeps, message=message
        )
