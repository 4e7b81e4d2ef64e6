"""Two runs of one step, or two commits, compared.

::

    run, executed notebooks ──run_side────┐
                                          ├─ Side, Side ──compare──► Diff ──► tell, as_json, page
    commit: notebooks, parameters ──commit_sides──┘

Code is compared cell by cell, by what it means. Entities are compared by what the seals say: no
data file is opened.
"""

from sinara.compare.commits import commit_sides
from sinara.compare.compare import compare
from sinara.compare.page import page
from sinara.compare.runs import run_side
from sinara.compare.text import as_json, tell
from sinara.compare.values import Diff, Side

__all__ = ["Diff", "Side", "as_json", "commit_sides", "compare", "page", "run_side", "tell"]
