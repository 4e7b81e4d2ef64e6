"""Taking back what was published: tombstone first, data last; and pins, which hold it up."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from sinara.errors import RunNotFoundError
from sinara.names import check_run_id
from sinara.store import layout
from sinara.store.codec import canonical
from sinara.store.log import TOMBSTONE, Entry
from sinara.store.place import Place, marked_entry
from sinara.store.world import Process

GRACE = 24 * 3600.0  # s; after that, a process of another machine is taken for gone


@dataclass(frozen=True)
class Pin:
    """Keeps the data of one run while this process reads it."""

    place: Place
    run_id: str
    path: str

    def release(self) -> None:
        """Let go."""
        self.place.backend.remove(self.path)

    def __enter__(self) -> Pin:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def pin(place: Place, run_id: str) -> Pin:
    """Pin a run.

    Raises:
        RunNotFoundError: If the run was taken back before the pin was there.
    """
    world = place.world
    path = f"{layout.OPEN}/{layout.PIN}{world.nonce()}"
    process = world.process().as_dict()
    body = {"run_id": check_run_id(run_id), "process": process, "time": world.stamp()}
    place.backend.create(path, canonical(body))
    made = Pin(place, run_id, path)
    if place.backend.exists(layout.open_delete(run_id)) or is_taken_back(place, run_id):
        made.release()
        raise RunNotFoundError(f"Run {run_id} of {place.step.dotted} was taken back.")
    return made


def is_taken_back(place: Place, run_id: str) -> bool:
    """Return whether the log's newest word on a run is a tombstone."""
    if place.backend.exists(layout.claim(run_id)):
        return False  # its folder is still here: see the mark of a deletion under way
    return any(entry.is_tombstone for entry in _newest_word(place, run_id))


def _newest_word(place: Place, run_id: str) -> list[Entry]:
    found = next((entry for entry in place.log.newest_first() if entry.run_id == run_id), None)
    return [found] if found else []


def take_back(place: Place, run_id: str, reason: str) -> bool:
    """Take back a published run: readers stop finding it, then its data is deleted.

    Returns:
        Whether the data is gone already; if somebody holds it, a later recovery deletes it.

    Raises:
        RunNotFoundError: If no such run is published.
    """
    after = place.log.tail()  # before the mark is looked at: then no tombstone is among these
    if marked_entry(place, run_id) is None:
        word = _newest_word(place, run_id)
        if not word or word[0].is_tombstone:
            raise RunNotFoundError(f"Run {run_id} of {place.step.dotted} is not published.")
        after = word[0].sequence
    why = canonical({"run_id": run_id, "reason": reason})
    place.backend.create(layout.open_delete(run_id), why)
    bury(place, run_id, reason, after=after)
    return finish(place, run_id)


def bury(place: Place, run_id: str, reason: str, *, after: int) -> None:
    """Append a tombstone unless there is one: from then on the run cannot be (re)published."""
    body = {"kind": TOMBSTONE, "run_id": run_id, "reason": reason, "time": place.world.stamp()}
    place.log.append(
        body, after=after, judge=lambda entry: entry.is_tombstone and entry.run_id == run_id
    )


def finish(place: Place, run_id: str) -> bool:
    """Delete the data of a run that was taken back, unless it is pinned or held."""
    if run_id in pinned(place) or not place.backend.retire(run_id):
        return False
    place.backend.purge()
    place.backend.remove(layout.open_claim(run_id))
    place.backend.remove(layout.open_delete(run_id))
    return True


def pinned(place: Place, *, tidy: bool = True) -> set[str]:
    """Return the runs that a living process pinned; with ``tidy`` pins of others are removed."""
    held: set[str] = set()
    for name in place.backend.names(layout.OPEN):
        if not name.startswith(layout.PIN):
            continue
        path = f"{layout.OPEN}/{name}"
        with contextlib.suppress(FileNotFoundError):
            run_id, alive = _read_pin(place, path)
            if alive:
                held.add(run_id)
            elif tidy:
                place.backend.remove(path)
    return held


def _read_pin(place: Place, path: str) -> tuple[str, bool]:
    try:
        body = json.loads(place.backend.read(path))
        since = datetime.fromisoformat(body["time"])
        alive = place.world.alive(Process.from_dict(body["process"]), place.world.process())
        age = (place.world.clock() - since).total_seconds()
        return str(body["run_id"]), age < GRACE if alive is None else alive
    except (ValueError, KeyError, TypeError):
        return "", False
