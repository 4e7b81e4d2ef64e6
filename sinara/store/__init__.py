"""Keep entities and the evidence of runs: the only reader and writer of both.

One step has one folder, and in it one log that says what was published, in which order::

    <root of env>/<pipeline>/<zone>/<step>/
        _commits/00000000000000000001.json   the log: an entry is created once, never replaced
        _runs/<run_id>/                      evidence of every run, whatever became of it
        _open/                               marks of runs that have not ended, and temporary files
        _keys/                               where in the log each trigger key can first occur
        _trash/                              what is being deleted
        <run_id>/                            the data of one run
            _CLAIM                           whose it is; locked while that process lives
            _manifests/<folder>.json         size and SHA-256 of every file of an entity
            _checkpoints/                    for a resume; gone once the run is published
            _COMMIT                          which log entry published it (derived from the log)
            <entity folder>/...              data files, and an empty _SUCCESS (derived, too)

Rules that the rest of sinara leans on:

* a run is published by the creation of one log entry: all of its entities, or none;
* what is published never changes, and every byte of it is covered by a digest;
* "latest" is the order of the log, never a clock and never a listing of folders;
* a process may die at any moment: :meth:`~sinara.store.step.StepStore.recover`, which any
  command may call, finishes what was published and removes what was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinara.lazy import exports

if TYPE_CHECKING:
    from sinara.store.api import Store, open_store
    from sinara.store.errors import AlreadyPublishedError, LostClaimError
    from sinara.store.step import StepStore
    from sinara.store.tar import SinaraStore
    from sinara.store.values import Commit, EntityInfo, Manifest, Note, Problem, Recovery, Word
    from sinara.store.writer import RunWriter

_HOME = {
    "AlreadyPublishedError": "errors",
    "Commit": "values",
    "EntityInfo": "values",
    "LostClaimError": "errors",
    "Manifest": "values",
    "Note": "values",
    "Problem": "values",
    "Recovery": "values",
    "RunWriter": "writer",
    "SinaraStore": "tar",
    "StepStore": "step",
    "Store": "api",
    "Word": "values",
    "open_store": "api",
}

__all__ = [
    "AlreadyPublishedError",
    "Commit",
    "EntityInfo",
    "LostClaimError",
    "Manifest",
    "Note",
    "Problem",
    "Recovery",
    "RunWriter",
    "SinaraStore",
    "StepStore",
    "Store",
    "Word",
    "open_store",
]


__getattr__ = exports(__name__, _HOME)
