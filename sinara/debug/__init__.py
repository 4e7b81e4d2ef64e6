"""A failed substep, restored as it was, to be looked into.

::

    run id ──find_failed──► FailedSubstep ──restored──► Restored ──┬─► open_console
           what ran, where it failed      parameters, the inputs   └─► open_lab
                                          it read, environment

A debug session never publishes and changes no entity and no evidence: it has a run id that
nobody claimed, and its outputs go to a scratch folder that is removed at its end.
"""

from __future__ import annotations

from sinara.debug.console import open_console
from sinara.debug.failed import FailedSubstep, find_failed, newest_failed
from sinara.debug.lab import open_lab
from sinara.debug.restore import Restored, restored

__all__ = [
    "FailedSubstep",
    "Restored",
    "find_failed",
    "newest_failed",
    "open_console",
    "open_lab",
    "restored",
]
