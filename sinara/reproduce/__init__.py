"""Run a run again as it was, and say whether it gives the same.

::

    again        its commit in a scratch worktree, its parameters, the inputs that it pinned
    environment  the packages that were there then, in an environment of their own if need be
    compare      entity by entity: equal, within tolerance, different
"""

from sinara.reproduce.again import Reproduction, reproduce
from sinara.reproduce.compare import Comparison, Verdict

__all__ = ["Comparison", "Reproduction", "Verdict", "reproduce"]
