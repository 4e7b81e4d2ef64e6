"""A published run as the source of a substep that need not run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.errors import UsageError

if TYPE_CHECKING:
    from sinara.store import StepStore


class PublishedRun:
    """One published run on a local store, held while its outputs are copied.

    Attributes:
        record: Its record.
    """

    def __init__(self, store: StepStore, run_id: str) -> None:
        """Hold the run.

        Raises:
            UsageError: If the store is on no local disk.
            RunNotFoundError: If the run was taken back meanwhile.
        """
        if not store.local:
            raise UsageError("single substeps are reused on a local store only")
        self._data = Path(store.url, run_id)
        self._evidence = store.record_folder(run_id) or self._data
        self._pin = store.pin(run_id)
        try:
            self.record = store.read_record(run_id)
        except BaseException:
            self._pin.release()
            raise

    def release(self) -> None:
        """Let the store delete the run, if somebody takes it back."""
        self._pin.release()

    def entity_folder(self, entity: str) -> Path:
        """Return where an entity of the run lies."""
        return self._data / names.entity_folder(entity)

    def reports_folder(self, substep: str) -> Path:
        """Return where the reports of a substep of the run lie."""
        return self._evidence / names.entity_folder(names.reports_entity(substep))
