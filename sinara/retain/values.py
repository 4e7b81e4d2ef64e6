"""What a clean-up may delete, and why: values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sinara.names import StepName

READ = "a live run reads it"
What = Literal["data", "evidence"]


@dataclass(frozen=True)
class Limits:
    """Which runs are too many or too old. At least one of the two is set.

    Attributes:
        keep: So many of the newest published runs of each step stay.
        older_than: Only runs that began longer ago than that go.
        lineage: Whether the inputs of a run that stays, stay too.
    """

    keep: int | None = None
    older_than: timedelta | None = None
    lineage: bool = True


@dataclass(frozen=True)
class Verdict:
    """What is to become of a run.

    Attributes:
        step: Its step.
        run_id: The run.
        what: ``data``: the entities of a published run; ``evidence``: record, log, notebooks and
            pages of a run that was not published.
        goes: Whether it is to be deleted.
        why: Why it goes or stays, in a clause.
        bytes: How much that is.
    """

    step: StepName
    run_id: str
    what: What
    goes: bool
    why: str
    bytes: int


@dataclass(frozen=True)
class Done:
    """What was made of a verdict: ``deleted``, ``waits`` for a reader to end, or ``stays``."""

    verdict: Verdict
    outcome: Literal["deleted", "waits", "stays"]
    why: str = ""
