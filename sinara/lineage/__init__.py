"""Where a published entity came from: code, parameters and inputs, back to the raw data.

::

    an entity's name or path ──find──► (full name, run id) ──trace──► Lineage ──draw──► lines

Records and commit logs are read, and nothing else: there is no index that could be stale.
"""

from sinara.lineage.draw import as_json, draw
from sinara.lineage.find import find_entity
from sinara.lineage.trace import trace
from sinara.lineage.values import Ancestor, Key, Lineage, Maker, Raw

__all__ = [
    "Ancestor",
    "Key",
    "Lineage",
    "Maker",
    "Raw",
    "as_json",
    "draw",
    "find_entity",
    "trace",
]
