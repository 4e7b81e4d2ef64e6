"""Time limits: each has a name that a person set it by."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One limit that is running."""

    name: str  # begins a sentence: "The cell limit"
    seconds: float
    ends: float  # on the clock of time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until it is over, negative afterwards."""
        return self.ends - time.monotonic()


def limit(name: str, seconds: float | None) -> Limit | None:
    """Return a limit that starts now; ``None`` stands for no limit, here and everywhere."""
    return None if seconds is None else Limit(name, seconds, time.monotonic() + seconds)


def earliest(*limits: Limit | None) -> Limit | None:
    """Return the limit that is over first."""
    return min((one for one in limits if one is not None), key=lambda one: one.ends, default=None)
