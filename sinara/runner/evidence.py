"""The evidence of one run: its record, log, notebooks and pages, kept whatever becomes of the run.

On a local store the files are written where they stay, so that a launcher that is killed
leaves them behind. On an object store they are written to a scratch folder and uploaded.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sinara.runner.events import RunEvent
from sinara.runner.ticks import Ticks

if TYPE_CHECKING:
    from sinara.record import RunRecord
    from sinara.store import StepStore

LOG_NAME = "log.jsonl"
PAGE_NAME = "index.html"


class Evidence:
    """Writes what is to be kept of one run.

    Attributes:
        folder: A local folder; what lies in it is (or will be) in the store.
    """

    def __init__(self, store: StepStore, run_id: str, scratch: Path) -> None:
        self._store = store
        self._run_id = run_id
        there = store.record_folder(run_id)
        self._remote = there is None
        self.folder = scratch / "evidence" if there is None else there
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ticks = Ticks(self._append)

    def log(self, event: RunEvent) -> None:
        """Append one event to the run's log, with the time (ISO 8601, UTC).

        Of a progress bar, which is drawn over itself, one state in ten seconds and the last.
        """
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        told = {"seconds": round(event.seconds, 3)}
        line |= {k: v for k, v in (vars(event) | told).items() if v not in (None, "")}
        self._ticks.pass_on(event, json.dumps(line, ensure_ascii=True) + "\n")

    def _append(self, text: str) -> None:
        with (self.folder / LOG_NAME).open("a", encoding="utf-8") as log:
            log.write(text)

    def record(self, record: RunRecord) -> None:
        """Write the run's record, whole or not at all."""
        self._store.write_record(record)

    def page(self, name: str, text: str) -> None:
        """Write one page, whole or not at all."""
        self._store.put_file(self._run_id, name, text.encode("utf-8", "replace"))

    def upload(self) -> None:
        """Bring what was written locally into an object store; nothing to do on a local one."""
        if not self._remote:
            return
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                self._store.put_file(
                    self._run_id, path.relative_to(self.folder).as_posix(), path.read_bytes()
                )
