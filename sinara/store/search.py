"""Single runs looked up in a long log, of which no mark leads to the entry (any more)."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property

from sinara.errors import CorruptError
from sinara.store import layout
from sinara.store.log import to_commit
from sinara.store.place import Place
from sinara.store.values import Word

_RUN_ID = re.compile(rb'"(run-[0-9][A-Za-z0-9_.-]*)"')


class LogSearch:
    """The log as it is at the first question; made anew for every command, so never stale.

    Every entry's bytes are looked through once, for run ids. Only those that name a run in question
    are decoded and checked, which is what takes the time.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def word(self, run_id: str) -> Word | None:
        """Return the log's last word on a run; None if it never published it.

        Raises:
            CorruptError: If an entry that names the run is damaged, or the log has a gap.
        """
        reason: str | None = None
        for sequence in reversed(self._naming.get(run_id, ())):
            entry = self._place.log.read(sequence)
            if entry.run_id != run_id:  # it read that run, or goes on with it
                continue
            if not entry.is_tombstone:
                return Word(to_commit(entry, self._place.backend.folder), reason)
            if reason is None:
                reason = str(entry.body.get("reason", ""))
        return None

    @cached_property
    def _naming(self) -> dict[str, list[int]]:
        """Which entries name each run id, in order."""
        naming: dict[str, list[int]] = defaultdict(list)
        for sequence in range(1, self._place.log.tail() + 1):
            try:
                data = self._place.backend.read(layout.commit(sequence))
            except FileNotFoundError as error:
                where = f"{self._place.backend.folder}/{layout.commit(sequence)}"
                raise CorruptError(f"{where} is missing.") from error
            for run_id in dict.fromkeys(_RUN_ID.findall(data)):
                naming[run_id.decode("ascii")].append(sequence)
        return naming
