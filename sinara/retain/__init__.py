"""Which runs are kept, and the deletion of all others.

::

    every step's log and records ──judge──► a verdict for each run ──clean──► tombstones, then data
"""

from sinara.retain.ages import parse_age, told_age
from sinara.retain.clean import clean
from sinara.retain.judge import judge
from sinara.retain.values import READ, Done, Limits, Verdict

__all__ = ["READ", "Done", "Limits", "Verdict", "clean", "judge", "parse_age", "told_age"]
