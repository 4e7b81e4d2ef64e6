"""Where a published entity came from, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal[
    "published",
    "taken back",  # it was published; its data is deleted, or will be
    "not published",  # its run failed, was stopped, or goes on
    "missing",  # nobody knows that run, or it holds no such entity
    "unsealed",  # written by the original: no log entry covers it
    "unreadable",  # its store, record or log cannot be read
]
Key = tuple[str, str]
"""Full name of an entity, and the run that it is of."""


@dataclass(frozen=True)
class Raw:
    """Data from outside of the store: a custom input."""

    name: str
    path: str


@dataclass(frozen=True)
class Maker:
    """One execution of one substep: what made an entity.

    Attributes:
        step: ``env.pipeline.zone.step``.
        run_id: The run that published what it wrote.
        substep: Its file; empty where no record says which of the run's substeps it was.
        executed_in: The run in which its cells ran, if that was an earlier one.
        time: When its run began, ISO 8601 in UTC.
        commit: Git commit of the code.
        branch: The branch that was checked out.
        origin: Address of the repository's remote, with no user name or token.
        dirty: Files that differed from the commit.
        params: Values that were set: of the substep, the step and the pipeline, without the names
            by which sinara finds things. ``None`` if nobody recorded them.
        inputs: What it read from the store, by full name and run.
        raw: What it read from elsewhere.
        by_hand: Whether a person published it from a notebook.
    """

    step: str
    run_id: str
    substep: str
    executed_in: str | None = None
    time: str = ""
    commit: str | None = None
    branch: str | None = None
    origin: str | None = None
    dirty: tuple[str, ...] = ()
    params: Mapping[str, Any] | None = None
    inputs: tuple[Key, ...] = ()
    raw: tuple[Raw, ...] = ()
    by_hand: bool = False


@dataclass(frozen=True)
class Ancestor:
    """One entity of one run, and what made it.

    Attributes:
        entity: Full name.
        run_id: The run that it is of; empty if none was recorded.
        state: What became of it.
        told: Why it is not simply there, in a clause; empty if it is.
        rows: Rows of its parquet files.
        bytes: Size of its files.
        maker: What made it; ``None`` if nobody knows.
    """

    entity: str
    run_id: str
    state: State
    told: str = ""
    rows: int | None = None
    bytes: int | None = None
    maker: Maker | None = None

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return self.entity, self.run_id


@dataclass(frozen=True)
class Lineage:
    """An entity with everything that it was made from.

    Attributes:
        root: The entity that was asked for.
        ancestors: Each entity once, the root first, nearer ones before farther ones.
    """

    root: Key
    ancestors: Mapping[Key, Ancestor] = field(default_factory=dict)
