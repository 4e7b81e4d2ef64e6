"""Runs of whole pipelines: their records, logs and pages, beside the zones of the pipeline.

::

    <env>/<pipeline>/_runs/<pipeline run id>/record.json  index.html  log.jsonl

They hold no data: every step's run lies with its step.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from sinara.errors import CorruptError, RunNotFoundError
from sinara.names import new_run_id
from sinara.record import PipelineRecord, pipeline_from_json, to_json
from sinara.store import layout
from sinara.store.backend import Backend
from sinara.store.errors import told
from sinara.store.evidence import Evidence
from sinara.store.world import Process, World

_OVER_IN_A_ROW = 20  # runs that are over; several may go on at once, and end in any order
_AT_LAST: dict[str, Literal["lost", "skipped"]] = {"running": "lost", "pending": "skipped"}
PREFIX = "pl-"  # tells the id of a pipeline's run from that of a step's


def new_pipeline_run_id() -> str:
    """Return an id that no other run has."""
    return PREFIX + new_run_id().removeprefix("run-")


class PipelineRuns:
    """The runs of one pipeline in one env; made by :meth:`sinara.store.api.Store.pipeline`."""

    def __init__(self, backend: Backend, world: World, pipeline: str) -> None:
        self.pipeline = pipeline
        self._backend = backend
        self._world = world
        self._evidence = Evidence(backend, world)

    def run_ids(self) -> tuple[str, ...]:
        """Return the ids of all runs, newest first."""
        with told(f"list the runs of pipeline '{self.pipeline}'"):
            return tuple(i for i in self._evidence.run_ids() if i.startswith(PREFIX))

    def folder(self, run_id: str) -> Path | None:
        """Return the local folder of a run, made if need be; ``None`` on a remote store."""
        if self._backend.remote:
            return None
        with told(f"make the folder of run {run_id}"):
            return Path(self._backend.make_folder(f"{layout.RUNS}/{run_id}"))

    def write(self, record: PipelineRecord) -> None:
        """Write a record whole, in place of the one before."""
        with told(f"write the record of run {record.run_id}"):
            self._evidence.put_file(record.run_id, layout.RECORD, to_json(record).encode())

    def put_file(self, run_id: str, name: str, data: bytes) -> None:
        """Write a file of a run whole."""
        with told(f"write '{name}' of run {run_id}"):
            self._evidence.put_file(run_id, name, data)

    def get_file(self, run_id: str, name: str) -> bytes:
        """Return a file of a run.

        Raises:
            RunNotFoundError: If it is not there.
        """
        with told(f"read '{name}' of run {run_id}"):
            return self._evidence.get_file(run_id, name)

    def read(self, run_id: str) -> PipelineRecord:
        """Return a record; one that says "running" of a process that is gone says "lost".

        Raises:
            RunNotFoundError: If there is none.
        """
        with told(f"read the record of run {run_id}"):
            data = self._evidence.get_file(run_id, layout.RECORD)
            record = self._evidence.decoded(run_id, data, pipeline_from_json)
        return self._ended(record) if self._is_dead(record) else record

    def recover(self) -> tuple[PipelineRecord, ...]:
        """End the records of processes that did not live to do so, and return them.

        A record that cannot be read is nobody's to end: it is passed over.
        """
        found = []
        over = 0
        for run_id in self.run_ids():
            try:
                data = self._evidence.get_file(run_id, layout.RECORD)
                if b'"status": "running"' not in data[:2000]:
                    over += 1
                    if over == _OVER_IN_A_ROW:
                        break  # those before were looked at when these began
                    continue
                record = self._evidence.decoded(run_id, data, pipeline_from_json)
            except (RunNotFoundError, CorruptError):
                continue
            if self._is_dead(record):
                self.write(self._ended(record))
                found.append(self._ended(record))
        return tuple(found)

    def _is_dead(self, record: PipelineRecord) -> bool:
        if record.status != "running":
            return False
        process = Process(record.host, record.boot_id, record.pid, record.process_started)
        return self._world.alive(process, self._world.process()) is False

    def _ended(self, record: PipelineRecord) -> PipelineRecord:
        """Return a record with the end that nobody wrote."""
        steps = tuple(
            replace(
                step,
                status=_AT_LAST.get(step.status, step.status),
                substeps=tuple(
                    replace(one, status=_AT_LAST.get(one.status, one.status))
                    for one in step.substeps
                ),
            )
            for step in record.steps
        )
        return replace(
            record,
            status="lost",
            steps=steps,
            message=record.message or "The process of this run ended without a word.",
        )
