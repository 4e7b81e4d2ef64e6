"""Which failed runs keep their data for a resume, and for how long."""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.errors import SinaraError
from sinara.store.layout import CHECKPOINTS

if TYPE_CHECKING:
    from sinara.store import StepStore

KEPT_RUNS = 3
KEPT_FOR = timedelta(days=14)
_FREE_SHARE, _FREE_BYTES = 0.05, 10_000_000_000  # below both, a disk is too full to keep anything


class Keep:
    """The ``keep`` of a recovery: says of which runs the unpublished data stays.

    Data is kept of the newest three runs of a step that can be resumed: a substep of theirs
    succeeded, or a checkpoint was saved. It is kept until a newer run is published, for two weeks
    at most, and not on a disk that is nearly full.
    """

    def __init__(self, store: StepStore, wanted: str = "") -> None:
        """Decide for one step.

        Args:
            store: Of the step.
            wanted: A run that is about to be resumed: its data stays in any case.
        """
        self._store = store
        self._wanted = wanted

    def __call__(self, run_id: str) -> bool:
        """Return whether the data of a run stays."""
        return run_id == self._wanted or run_id in self._kept

    @cached_property
    def _kept(self) -> frozenset[str]:
        if not self._store.local or _is_full(Path(self._store.url)):
            return frozenset()
        newest = self._store.latest((), interactive=False)
        oldest = datetime.now(UTC) - KEPT_FOR
        kept: list[str] = []
        for run_id in self._store.unpublished():
            if (newest and run_id <= newest.run_id) or names.run_id_time(run_id) < oldest:
                break
            if self._is_worth(run_id):
                kept.append(run_id)
            if len(kept) == KEPT_RUNS:
                break
        return frozenset(kept)

    def _is_worth(self, run_id: str) -> bool:
        if any(Path(self._store.url, run_id, CHECKPOINTS).glob("*/*/checkpoint.json")):
            return True
        with contextlib.suppress(SinaraError):  # no record, or a broken one: nothing to adopt
            record = self._store.read_record(run_id)
            return any(substep.status == "succeeded" for substep in record.substeps)
        return False


def _is_full(folder: Path) -> bool:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return False
    return usage.free < min(_FREE_SHARE * usage.total, _FREE_BYTES)
