"""One step's folder with all that works on it: what the parts of the store share."""

from __future__ import annotations

from dataclasses import dataclass

from sinara import names
from sinara.errors import CorruptError
from sinara.names import StepName
from sinara.store import layout
from sinara.store.backend import Backend
from sinara.store.codec import seal, unseal
from sinara.store.log import CommitLog, Entry
from sinara.store.world import World


@dataclass(frozen=True)
class Place:
    """A step, where it lies, and its log."""

    step: StepName
    root: str
    backend: Backend
    world: World
    log: CommitLog

    def run_url(self, run_id: str) -> str:
        """Return where the data of a run lies."""
        return names.run_url(self.root, self.step, run_id)

    def entity_url(self, run_id: str, entity: str) -> str:
        """Return where an entity of a run lies."""
        return names.entity_url(self.root, self.step, run_id, entity)


def publish(place: Place, entry: Entry) -> None:
    """Write what follows from a log entry: marks, modes. May be cut off and done again.

    What the run folder holds beside its published entities was never published: it goes.
    """
    backend, run_id = place.backend, entry.run_id
    folders = {entity["folder"] for entity in entry.body["entities"].values()}
    kept = {*folders, layout.CLAIM, layout.COMMIT, layout.MANIFESTS}
    for name in backend.names(run_id):
        if name not in kept:
            backend.clear(f"{run_id}/{name}")
    for folder in sorted(folders):
        backend.mark(layout.success(run_id, folder))
        backend.freeze(f"{run_id}/{folder}")
    if folders:
        backend.freeze(f"{run_id}/{layout.MANIFESTS}")
    backend.create(f"{run_id}/{layout.COMMIT}", commit_mark(entry))
    backend.remove(layout.open_claim(run_id))


def marked_entry(place: Place, run_id: str) -> Entry | None:
    """Return the log entry that a run's own mark leads to; the mark is checked.

    It is the log's last word on the run: a run that is being taken back says so beside it, and one
    that was taken back has no mark any more. ``None`` proves nothing.
    """
    backend = place.backend
    try:
        mark, _ = unseal(backend.read(f"{run_id}/{layout.COMMIT}"), run_id)
        entry = place.log.read(int(mark["sequence"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (CorruptError, KeyError, TypeError, ValueError):
        return None  # a damaged mark proves nothing: the log itself is asked
    if entry.run_id != run_id or backend.exists(layout.open_delete(run_id)):
        return None
    return entry


def commit_mark(entry: Entry) -> bytes:
    """Return what the ``_COMMIT`` file of a published run holds."""
    return seal({"sequence": entry.sequence, "entry": entry.sha256})[0]
