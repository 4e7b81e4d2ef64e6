"""The commit log of a step: entries numbered from 1 without a gap, each created once.

A writer creates entry N+1 or, when somebody else was faster, reads that one and goes on.
Because there is no gap, it meets every entry that could forbid its own before it finds a
free number. The end is found by probing, in a few calls for any length, and never by
listing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sinara.errors import CorruptError, StoreError
from sinara.store import layout
from sinara.store.backend import Backend
from sinara.store.codec import seal, unseal
from sinara.store.manifest import check_version
from sinara.store.values import SCHEMA_VERSION, Commit, CommittedEntity
from sinara.store.world import World

RUN = "run"
TOMBSTONE = "tombstone"
_KEPT = 4096  # entries in memory; they never change
_TRIES = 10_000


@dataclass(frozen=True)
class Entry:
    """One entry of the log, as it stands there."""

    sequence: int
    sha256: str
    body: dict[str, Any]

    @property
    def run_id(self) -> str:
        """The run that is published, or taken back."""
        return str(self.body["run_id"])

    @property
    def is_tombstone(self) -> bool:
        """Whether the entry takes a run back."""
        return self.body.get("kind") == TOMBSTONE


class CommitLog:
    """The log of one step."""

    def __init__(self, backend: Backend, world: World) -> None:
        self._backend = backend
        self._world = world
        self._known = 0  # an entry that was seen
        self._entries: dict[int, Entry] = {}

    def tail(self) -> int:
        """Return the number of the newest entry, 0 if there is none.

        Raises:
            CorruptError: If an entry is missing before it.
        """
        low = self._known or self._hint()
        if low and not self._exists(low):
            low = 0  # the folder was replaced, or the hint is wrong: look from the start
        while True:
            low = self._climb(low)
            if not self._exists(low + 2):
                break
            if not self._exists(low + 1):
                raise CorruptError(
                    f"{self._where(low + 1)} is missing, and later entries are there."
                )
        self._known = low
        return low

    def _climb(self, low: int) -> int:
        stride = 1
        while self._exists(low + stride):
            low += stride
            stride *= 2
        high = low + stride  # low is there, high is not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._exists(middle) else (low, middle)
        return low

    def _hint(self) -> int:
        """Return where the log ended not long ago; on a remote store each probe costs time."""
        if self._backend.remote:
            with contextlib.suppress(OSError, ValueError):
                return max(0, int(self._backend.read(layout.HINT)))
        return 0

    def _exists(self, sequence: int) -> bool:
        return self._backend.exists(layout.commit(sequence))

    def _where(self, sequence: int) -> str:
        return f"{self._backend.folder}/{layout.commit(sequence)}"

    def read(self, sequence: int, *, fresh: bool = False) -> Entry:
        """Return an entry.

        Args:
            sequence: Its number.
            fresh: Whether to read it again if it is in memory.

        Raises:
            CorruptError: If it is missing or differs from its digest.
        """
        kept = self._entries.get(sequence)
        if kept is not None and not fresh:
            return kept
        where = self._where(sequence)
        try:
            data = self._backend.read(layout.commit(sequence))
        except FileNotFoundError as error:
            raise CorruptError(f"{where} is missing.") from error
        body, digest = unseal(data, where)
        check_version(body, where)
        if body.get("sequence") != sequence or not isinstance(body.get("run_id"), str):
            raise CorruptError(f"{where} is damaged: it is another entry.")
        if len(self._entries) >= _KEPT:
            self._entries.clear()
        self._entries[sequence] = entry = Entry(sequence, digest, body)
        return entry

    def newest_first(self) -> Iterator[Entry]:
        """Yield every entry, the newest first."""
        for sequence in range(self.tail(), 0, -1):
            yield self.read(sequence)

    def after(self, sequence: int) -> Iterator[Entry]:
        """Yield the entries that follow ``sequence``, the oldest first."""
        for number in range(sequence + 1, self.tail() + 1):
            yield self.read(number)

    def published(self) -> Iterator[Entry]:
        """Yield the entries of runs that were not taken back, the newest first."""
        gone: set[str] = set()
        for entry in self.newest_first():
            if entry.is_tombstone:
                gone.add(entry.run_id)
            elif entry.run_id not in gone:
                yield entry

    def runs(self) -> Iterator[tuple[Entry, Entry | None]]:
        """Yield every run that was ever published, newest first, and what took it back."""
        gone: dict[str, Entry] = {}
        told: set[str] = set()
        for entry in self.newest_first():
            if entry.run_id in told:
                continue
            if entry.is_tombstone:
                gone.setdefault(entry.run_id, entry)
            else:
                told.add(entry.run_id)
                yield entry, gone.get(entry.run_id)

    def append(
        self, body: dict[str, Any], *, after: int, judge: Callable[[Entry], bool]
    ) -> tuple[Entry, bool]:
        """Add an entry at the end: the moment at which a run is published.

        Args:
            body: All but ``sequence``, ``previous`` and ``nonce``.
            after: Entries up to this number cannot bear on this one.
            judge: Called with every entry after that, in order, before a free number is
                taken. It returns True to stop there (what was to be added is there
                already), or raises to give up.

        Returns:
            The entry, and whether it is a new one.
        """
        sequence = after
        for entry in self.after(after):
            if judge(entry):
                return entry, False
            sequence = entry.sequence
        # From here on, not one number is passed over: each entry is judged before the next.
        nonce = self._world.nonce()
        for _ in range(_TRIES):
            sequence += 1
            entry = self._create(sequence, {**body, "nonce": nonce})
            if entry.body.get("nonce") == nonce:
                return entry, True
            if judge(entry):
                return entry, False
        raise StoreError(f"Cannot publish in {self._backend.folder}: too many others do so now.")

    def _create(self, sequence: int, body: dict[str, Any]) -> Entry:
        """Create an entry; return what has that number then, ours or not."""
        previous = self.read(sequence - 1).sha256 if sequence > 1 else ""
        full = {
            **body,
            "schema_version": SCHEMA_VERSION,
            "sequence": sequence,
            "previous": previous,
        }
        data, digest = seal(full)
        if not self._backend.create(layout.commit(sequence), data):
            return self.read(sequence)
        self._known = sequence
        if self._backend.remote:
            with contextlib.suppress(OSError):  # a hint that is old costs a few probes
                self._backend.replace(layout.HINT, str(sequence).encode(), durable=False)
        return Entry(sequence, digest, full)


def to_commit(entry: Entry, where: str) -> Commit:
    """Return what an entry says.

    Raises:
        CorruptError: If the entry is no commit.
    """
    body = entry.body
    try:
        entities = {
            str(name): CommittedEntity(**{key: value[key] for key in _ENTITY_KEYS})
            for name, value in body["entities"].items()
        }
        return Commit(
            sequence=entry.sequence,
            run_id=body["run_id"],
            time=body["time"],
            entities=entities,
            inputs=body["inputs"],
            interactive=body["interactive"],
            draft=body["draft"],
            trigger_key=body["trigger_key"],
            nonce=body["nonce"],
            code=body["code"],
            params_sha256=body["params_sha256"],
            substeps=tuple(body["substeps"]),
            sha256=entry.sha256,
            schema_version=body["schema_version"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        path = f"{where}/{layout.commit(entry.sequence)}"
        raise CorruptError(f"{path} is damaged: {error}.") from error


_ENTITY_KEYS = ("folder", "manifest_sha256", "rows", "bytes", "files")
