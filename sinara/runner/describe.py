"""The record of a run: how it begins, what it is judged to be, which exit code follows."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sinara import __version__
from sinara.record import Failure, RunRecord, RunStatus, SubstepRecord, SubstepStatus
from sinara.repository import read_code
from sinara.runner.prepare import PreparedStep
from sinara.store.world import this_process


def first_record(prepared: PreparedStep, run_id: str, url: str, step_folder: Path) -> RunRecord:
    """Return the record of a run that begins now, in this process."""
    params, process = prepared.params, this_process()
    return RunRecord(
        run_id=run_id,
        env_name=params.env_name,
        pipeline_name=params.pipeline_name,
        zone_name=params.zone_name,
        step_name=params.step_name,
        status="running",
        started=now(),
        url=url,
        step_folder=str(step_folder),
        user=prepared.settings.user,
        host=process.host,
        pid=process.pid,
        process_started=process.started,
        boot_id=process.boot,
        pipeline_params=params.pipeline_params,
        step_params=params.step_params,
        substeps=tuple(
            SubstepRecord(
                name=s.name, params=s.given, notebook_sha256=s.sha256, warnings=s.checked.warnings
            )
            for s in prepared.substeps
        ),
        code=read_code(prepared.folder),
        versions=_versions(),
    )


def verdict(record: RunRecord, outside: Failure | None) -> tuple[RunStatus, str]:
    """Return the status of a run whose substeps are over, and why, in one line.

    Args:
        record: The run's record.
        outside: A cause from outside the substeps, if there is one.
    """
    for substep in record.substeps:
        if substep.failure is not None:
            status: RunStatus = "cancelled" if substep.status == "cancelled" else "failed"
            return status, f"{substep.name}: {substep.failure.message}"
        if substep.status == "stopped":
            return "stopped", f"{substep.name} stopped after its interface (design mode)."
    if outside is not None:
        return ("cancelled" if outside.kind == "interrupted" else "failed"), outside.message
    left = [substep.name for substep in record.substeps if substep.status != "succeeded"]
    if left:
        return "failed", f"Nothing was published: {', '.join(left)} did not run."
    return "succeeded", ""


def settled(record: RunRecord, status: RunStatus) -> RunRecord:
    """Return the record with no substep left open: what was running shares the run's fate."""
    ended: SubstepStatus = "cancelled" if status == "cancelled" else "failed"
    fate: dict[SubstepStatus, SubstepStatus] = {"running": ended, "pending": "skipped"}
    substeps = tuple(replace(s, status=fate.get(s.status, s.status)) for s in record.substeps)
    return replace(record, substeps=substeps)


def exit_code(record: RunRecord, status: RunStatus) -> int:
    """Return the exit code of a run that ended with ``status``; its last attempts count."""
    fixed = {"succeeded": 0, "stopped": 254, "cancelled": 130}
    if status in fixed:
        return fixed[status]
    kinds = {substep.failure.kind for substep in record.substeps if substep.failure}
    if kinds & {"kernel died", "memory"}:
        return 4
    return 5 if kinds & {"timeout", "cpu limit"} else 1


def params_digest(record: RunRecord) -> str:
    """Return the SHA-256 of every parameter of a run (hexadecimal)."""
    told = {
        "pipeline_params": record.pipeline_params,
        "step_params": record.step_params,
        "substeps": {substep.name: substep.params for substep in record.substeps},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def now() -> str:
    """Return the time, ISO 8601, UTC, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _versions() -> dict[str, str]:
    found = {
        "sinara": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in ("papermill", "ipykernel", "pyarrow", "pandas"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
