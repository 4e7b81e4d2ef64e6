"""Where things lie in the folder of one step. Paths are relative to it, with ``/``."""

from __future__ import annotations

import hashlib

COMMITS = "_commits"
RUNS = "_runs"
OPEN = "_open"
KEYS = "_keys"
TRASH = "_trash"
HINT = f"{COMMITS}/HINT"
CLAIM = "_CLAIM"
COMMIT = "_COMMIT"
SUCCESS = "_SUCCESS"
MANIFESTS = "_manifests"
SNAPSHOT = "_SNAPSHOT"
CHECKPOINTS = "_checkpoints"
LOCK = "_LOCK"
SETTLING = "_settling-"
RECORD = "record.json"
NOTES = "notes"
TMP = "tmp."
PIN = "pin."


def commit(sequence: int) -> str:
    """Return the path of a log entry. Twenty digits hold any 64-bit number, and sort."""
    return f"{COMMITS}/{sequence:020d}.json"


def claim(run_id: str) -> str:
    """Return the path of the claim of a run."""
    return f"{run_id}/{CLAIM}"


def manifest(run_id: str, folder: str) -> str:
    """Return the path of the manifest of an entity folder."""
    return f"{run_id}/{MANIFESTS}/{folder}.json"


def success(run_id: str, folder: str) -> str:
    """Return the path of the mark that other engines look for."""
    return f"{run_id}/{folder}/{SUCCESS}"


def key(trigger_key: str) -> str:
    """Return the path that belongs to a trigger key, which may be any text."""
    return f"{KEYS}/{hashlib.sha256(trigger_key.encode()).hexdigest()[:40]}.json"


def open_claim(run_id: str) -> str:
    """Return the mark of a run whose data is not published yet."""
    return f"{OPEN}/{run_id}.claim"


def open_record(run_id: str) -> str:
    """Return the mark of a run whose record says "running"."""
    return f"{OPEN}/{run_id}.record"


def open_delete(run_id: str) -> str:
    """Return the mark of a published run that is being taken back."""
    return f"{OPEN}/{run_id}.delete"


def evidence(run_id: str, relpath: str) -> str:
    """Return the path of a file of evidence."""
    return f"{RUNS}/{run_id}/{relpath}"


def is_run_folder(name: str) -> bool:
    """Return whether a name in a step's folder can be a run (ours all begin with ``_``)."""
    return not name.startswith(("_", "."))
