"""Records, reports and notes of runs: kept until somebody asks for their deletion."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sinara.errors import CorruptError, RunNotFoundError, StoreError
from sinara.record import RunRecord, from_json, to_json
from sinara.store import layout
from sinara.store.backend import Backend
from sinara.store.codec import canonical
from sinara.store.trees import bad_path
from sinara.store.values import Note
from sinara.store.world import Process, World

Record = TypeVar("Record")

_NOTE = re.compile(r"(\d{4,})-(.*)\.json", re.DOTALL)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Evidence:
    """What is kept under ``_runs``."""

    def __init__(self, backend: Backend, world: World) -> None:
        self._backend = backend
        self._world = world
        self._marked: set[str] = set()

    def run_ids(self) -> tuple[str, ...]:
        """Return every run with evidence, newest first."""
        return tuple(sorted(self._backend.names(layout.RUNS), reverse=True))

    def put_file(self, run_id: str, relpath: str, data: bytes) -> None:
        """Write a file whole, in place of one that may be there."""
        self._backend.replace(self._at(run_id, relpath), data)

    def get_file(self, run_id: str, relpath: str) -> bytes:
        """Return a file.

        Raises:
            RunNotFoundError: If it is not there.
        """
        try:
            return self._backend.read(self._at(run_id, relpath))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            place = f"{self._backend.folder}/{layout.RUNS}"
            if relpath == layout.RECORD and run_id in self._backend.names(layout.RUNS):
                why = "it has only just begun, or it died before it could write one"
                raise RunNotFoundError(f"Run {run_id} has no record in {place}: {why}.") from error
            raise RunNotFoundError(f"Run {run_id} has no file '{relpath}' in {place}.") from error

    def list_files(self, run_id: str) -> tuple[str, ...]:
        """Return the paths of a run's files, sorted."""
        try:
            found = self._backend.scan(f"{layout.RUNS}/{run_id}")
        except FileNotFoundError:
            return ()
        return tuple(sorted(seen.path for seen in found if seen.kind == "file"))

    def size(self, run_id: str) -> int:
        """Return how many bytes a run's files have."""
        try:
            found = self._backend.scan(f"{layout.RUNS}/{run_id}")
        except (FileNotFoundError, NotADirectoryError):
            return 0
        return sum(seen.size for seen in found if seen.kind == "file")

    def discard(self, run_id: str) -> None:
        """Delete all that a run left as evidence, its record last: cut off, it is done again."""
        for path in self.list_files(run_id):
            if path != layout.RECORD:
                self._backend.clear(layout.evidence(run_id, path))
        self._backend.clear(f"{layout.RUNS}/{run_id}")
        self._backend.remove(layout.open_record(run_id))

    def _at(self, run_id: str, relpath: str) -> str:
        problem = bad_path(relpath) if relpath else "a name may not be empty."
        if problem:
            raise StoreError(f"{relpath!r} cannot be a file of a run: {problem}")
        return layout.evidence(run_id, relpath)

    # -- records ---------------------------------------------------------------------------

    def write_record(self, record: RunRecord) -> None:
        """Write a run's record; while it says "running", its process is remembered."""
        run_id, running = record.run_id, record.status == "running"
        if running and run_id not in self._marked:
            mark = canonical(_process_of(record, self._world).as_dict())
            self._backend.replace(layout.open_record(run_id), mark)
            self._marked.add(run_id)
        self._backend.replace(layout.evidence(run_id, layout.RECORD), to_json(record).encode())
        if not running:
            self._backend.remove(layout.open_record(run_id))
            self._marked.discard(run_id)

    def read_record(self, run_id: str) -> RunRecord:
        """Return a run's record.

        Raises:
            RunNotFoundError: If the run left none.
        """
        return self.decoded(run_id, self.get_file(run_id, layout.RECORD), from_json)

    def decoded(self, run_id: str, data: bytes, read: Callable[[str], Record]) -> Record:
        """Return a run's record out of the bytes of its file.

        Raises:
            CorruptError: If they hold none; it says which file that is.
        """
        try:
            return read(data.decode("utf-8", "replace"))
        except CorruptError as error:
            place = f"{self._backend.folder}/{layout.evidence(run_id, layout.RECORD)}"
            raise CorruptError(*(f"{place}: {line}" for line in error.lines)) from error

    # -- notes -----------------------------------------------------------------------------

    def add_note(self, run_id: str, what: str, body: Mapping[str, Any]) -> Note:
        """Append what was learned about a run; nothing that is there is changed."""
        if not _WORD.fullmatch(what):
            raise StoreError(f"'{what}' cannot name a note: use letters, digits, - and _.")
        time = self._world.stamp()
        data = canonical({"what": what, "time": time, "body": dict(body)})
        number = max((n for n, _ in self._note_names(run_id)), default=0) + 1
        while not self._backend.create(self._note_path(run_id, number, what), data):
            number += 1
        return Note(number, what, time, dict(body))

    def _note_path(self, run_id: str, number: int, what: str) -> str:
        return layout.evidence(run_id, f"{layout.NOTES}/{number:04d}-{what}.json")

    def notes(self, run_id: str) -> tuple[Note, ...]:
        """Return a run's notes, the oldest first."""
        return tuple(self._note(run_id, number, name) for number, name in self._note_names(run_id))

    def _note(self, run_id: str, number: int, name: str) -> Note:
        path = layout.evidence(run_id, f"{layout.NOTES}/{name}")
        try:
            note = json.loads(self._backend.read(path))
            return Note(number, note["what"], note["time"], note["body"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._backend.folder}/{path} is no note: {error}") from error

    def _note_names(self, run_id: str) -> list[tuple[int, str]]:
        found = self._backend.names(layout.evidence(run_id, layout.NOTES))
        matches = ((_NOTE.fullmatch(name), name) for name in found)
        return sorted((int(match[1]), name) for match, name in matches if match)


def _process_of(record: RunRecord, world: World) -> Process:
    here = world.process()
    if record.pid and record.process_started:
        return Process(record.host or here.host, record.boot_id, record.pid, record.process_started)
    return here
