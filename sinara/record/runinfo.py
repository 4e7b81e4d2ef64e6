"""``runinfo.json`` and ``metrics.json`` of a substep, with the keys of the original."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from sinara import names
from sinara.record.coding import plain
from sinara.record.values import SCHEMA_VERSION, EntityRecord, RunRecord, SubstepRecord

_STATUS_WORDS = {"succeeded": "COMPLETE"}  # the original's word; all others say themselves
_RESULTS = {"succeeded": "SUCCESS", "failed": "FAIL", "cancelled": "FAIL", "lost": "FAIL"}


def metrics(substep: SubstepRecord) -> dict[str, Any]:
    """Return what ``metrics.json`` of a substep holds."""
    return dict(plain(substep.metrics))


def runinfo(record: RunRecord, substep: SubstepRecord) -> dict[str, Any]:
    """Return what ``runinfo.json`` of a substep holds: the original's keys, and ours after them.

    ``start_time`` and ``stop_time`` are ISO 8601 in UTC, ``duration`` is ``H:MM:SS.ffffff``;
    ``inputs``, ``outputs`` and ``tmp`` map full names to URLs. ``status`` is ``COMPLETE``,
    ``RUNNING``, ``FAILED``, ``CANCELLED``, ``STOPPED``, ``SKIPPED``, ``PENDING`` or ``LOST``,
    and ``result`` is ``SUCCESS``, ``FAIL`` or ``UNKNOWN``: never better than what happened.
    """
    entities = (*substep.inputs, *substep.outputs)
    info = {
        "start_time": substep.started or record.started,
        "stop_time": _stop_time(substep),
        "result": _RESULTS.get(substep.status, "UNKNOWN"),
        "pipeline_params": record.pipeline_params,
        "step_params": record.step_params,
        "substeps_params": substep.params,
        "inputs": _urls(e for e in substep.inputs if not e.kind.startswith("tmp")),
        "outputs": _urls(e for e in substep.outputs if not e.kind.startswith("tmp")),
        "tmp": _urls(e for e in entities if e.kind.startswith("tmp")),
        "status": _STATUS_WORDS.get(substep.status, substep.status.upper()),
        "duration": str(timedelta(seconds=substep.seconds)),
        "origin": record.code.origin,
        "step_name": record.step_name,
        "input_nb_name": substep.name,
        "output_nb_name": PurePosixPath(substep.notebook or "report.ipynb").name,
        "sinara_version": record.versions.get("sinara"),
        "commit": record.code.commit,
        "outputs_url": record.url,
        "notebook_report_url": f"{record.url}/{reports_folder(substep.name)}" if record.url else "",
    }
    return {key: plain(value) for key, value in (info | _our_keys(record, substep)).items()}


def reports_folder(substep_name: str) -> str:
    """Return the folder of a substep's reports: ``reports_train_ipynb``."""
    return names.entity_folder(names.reports_entity(substep_name))


def _our_keys(record: RunRecord, substep: SubstepRecord) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": record.run_id,
        "env_name": record.env_name,
        "pipeline_name": record.pipeline_name,
        "zone_name": record.zone_name,
        "substep_name": substep.name,
        "seconds": substep.seconds,
        "versions": record.versions,
        "branch": record.code.branch,
        "dirty": record.code.dirty,
        "input_runs": {e.full_name: e.run_id for e in substep.inputs if e.run_id},
        "failure": substep.failure,
    }


def _urls(entities: Iterable[EntityRecord]) -> dict[str, str]:
    return {entity.full_name: entity.url for entity in entities}


def _stop_time(substep: SubstepRecord) -> str | None:
    """Return when a substep ended, or None while that is not known."""
    if not substep.started or substep.status in ("pending", "running", "lost"):
        return None
    try:
        started = datetime.fromisoformat(substep.started)
        return (started + timedelta(seconds=substep.seconds)).isoformat()
    except (ValueError, OverflowError):
        return None
