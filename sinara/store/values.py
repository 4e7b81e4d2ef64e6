"""The values that the store gives out: frozen, and plain enough to print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1
ASIDE = "aside/"  # begins the trigger key of a run that nobody reads by default
AGAIN = f"{ASIDE}reproduce/"  # of a run made again to be compared: it is not reused either


@dataclass(frozen=True)
class Manifest:
    """Every file of one entity, with its size and digest."""

    entity: str
    folder: str
    files: Mapping[str, tuple[int, str]]  # path inside the folder -> (bytes, SHA-256)
    bytes: int
    rows: int | None = None  # of its parquet files; None if it has none
    columns: tuple[tuple[str, str], ...] = ()  # (name, Arrow type, or "partition")


@dataclass(frozen=True)
class EntityInfo:
    """What an entity holds, and where."""

    name: str
    url: str
    files: int
    bytes: int
    rows: int | None = None  # of its parquet files; None if it has none
    columns: tuple[tuple[str, str], ...] = ()  # (name, Arrow type, or "partition")
    manifest: str | None = None  # SHA-256 of the sealed manifest; None if not sealed
    note: str = ""  # "unverified" for a run that no log entry covers


@dataclass(frozen=True)
class CommittedEntity:
    """One entity in a log entry."""

    folder: str
    manifest_sha256: str
    rows: int | None
    bytes: int
    files: int


@dataclass(frozen=True)
class Commit:
    """One published run: an entry of the commit log.

    A legacy run, written by the original with a ``_SUCCESS`` and nothing else, is a
    commit with ``sequence`` 0 and ``legacy`` true: older than every entry of the log.
    """

    sequence: int
    run_id: str
    time: str  # ISO 8601, UTC; for people: order is by sequence
    entities: Mapping[str, CommittedEntity] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # full name -> run_id, …
    interactive: bool = False
    draft: str | None = None  # the draft that an interactive snapshot was taken of
    trigger_key: str | None = None
    nonce: str = ""
    code: Mapping[str, Any] = field(default_factory=dict)
    params_sha256: str = ""
    substeps: tuple[Any, ...] = ()
    sha256: str = ""  # of the entry's body
    legacy: bool = False
    skipped: Mapping[str, str] = field(default_factory=dict)  # snapshot: entity -> why left out
    schema_version: int = SCHEMA_VERSION

    @property
    def aside(self) -> bool:
        """Whether nobody reads it by default: a point of a sweep, a run made again."""
        return (self.trigger_key or "").startswith(ASIDE)

    @property
    def again(self) -> bool:
        """Whether it was made only to see whether an earlier run comes out the same."""
        return (self.trigger_key or "").startswith(AGAIN)


@dataclass(frozen=True)
class Word:
    """What the commit log says last of a run that was published once."""

    commit: Commit
    taken_back: str | None = None  # why; None while it is published


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it was published."""

    path: str
    what: str


@dataclass(frozen=True)
class Recovery:
    """What a recovery did: run ids, sorted."""

    rolled_forward: tuple[str, ...] = ()  # published runs whose marks were completed
    collected: tuple[str, ...] = ()  # unpublished data that was deleted
    lost: tuple[str, ...] = ()  # records that said "running" of a process that is gone

    def __bool__(self) -> bool:
        """Return whether anything had to be done."""
        return bool(self.rolled_forward or self.collected or self.lost)


@dataclass(frozen=True)
class Note:
    """Something learned about a run after it ended."""

    number: int
    what: str
    time: str  # ISO 8601, UTC
    body: Mapping[str, Any]
