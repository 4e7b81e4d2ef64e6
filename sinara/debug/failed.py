"""Which substep of a run failed, what ran then, and what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara import names
from sinara.errors import RunNotFoundError, StoreError, UsageError, suggest
from sinara.postmortem import FILE_NAME, Variables, read
from sinara.record import RunRecord, SubstepRecord
from sinara.repository import read_code
from sinara.runner.substep import NOTEBOOK_NAME
from sinara.store.world import Process, is_alive, this_process

if TYPE_CHECKING:
    from sinara.store import StepStore

_ENDED_BADLY = ("failed", "cancelled", "lost")


@dataclass(frozen=True)
class FailedSubstep:
    """A substep of a run, as its evidence tells it.

    Attributes:
        store: The store of the step.
        record: The run.
        substep: The substep.
        notebook: The executed notebook (nbformat 4): the sources and parameters that ran.
        failed: Index of the cell that failed; ``None`` if all cells ran.
        kept: The variables at the failure, if any were kept.
    """

    store: StepStore
    record: RunRecord
    substep: SubstepRecord
    notebook: dict[str, Any]
    failed: int | None
    kept: Variables | None

    @property
    def folder(self) -> Path:
        """The step's folder."""
        return Path(self.record.step_folder)

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook, not a Python module."""
        return self.substep.name.endswith(".ipynb")

    def cell(self, index: int) -> dict[str, Any]:
        """Return one cell."""
        found: dict[str, Any] = self.notebook["cells"][index]
        return found

    def source(self, index: int) -> str:
        """Return the source of one cell."""
        source = self.cell(index).get("source", "")
        return source if isinstance(source, str) else "".join(source)


def newest_failed(stores: Iterable[StepStore]) -> tuple[StepStore, str] | None:
    """Return the newest run of any of these steps that ended badly, and its step's store."""
    found: list[tuple[str, StepStore]] = []
    for store in stores:
        for run_id in store.run_ids():
            try:
                status = store.read_record(run_id).status
            except StoreError:  # a record that cannot be read must not hide the others
                continue
            if status in _ENDED_BADLY:
                found.append((run_id, store))
                break
    if not found:
        return None
    run_id, store = max(found, key=lambda pair: pair[0])
    return store, run_id


def find_failed(store: StepStore, run_id: str, substep_name: str | None = None) -> FailedSubstep:
    """Return the substep of a run that failed, or the one that is asked for.

    Args:
        store: The store of the step.
        run_id: The run.
        substep_name: A substep's name, with or without its ending.

    Raises:
        RunNotFoundError: If the run left no record.
        UsageError: If it still runs, nothing failed, the substep did not run or the step's
            folder is not on this machine.
    """
    record = store.read_record(run_id)
    if record.status == "running" and _may_run(record):
        raise UsageError(f"Run {run_id} is still running. Wait for its end, or stop it first.")
    substep = _chosen(record, substep_name)
    folder = names.entity_folder(names.reports_entity(substep.name))
    try:
        notebook = json.loads(store.get_file(run_id, f"{folder}/{NOTEBOOK_NAME}"))
        _ = [cell["cell_type"] for cell in notebook["cells"]]
    except RunNotFoundError:
        raise UsageError(
            f"{substep.name} did not begin in run {run_id}. {_began(record)}"
        ) from None
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"The executed {substep.name} of run {run_id} is damaged: {error}"
        ) from None
    _require_folder(record)
    return FailedSubstep(
        store,
        record,
        substep,
        notebook,
        _failed_cell(substep, notebook),
        _kept(store, run_id, f"{folder}/{FILE_NAME}"),
    )


def _may_run(record: RunRecord) -> bool:
    process = Process(record.host, record.boot_id, record.pid, record.process_started)
    return is_alive(process, this_process()) is not False


def _chosen(record: RunRecord, name: str | None) -> SubstepRecord:
    if name is not None:
        for substep in record.substeps:
            if name in (substep.name, Path(substep.name).stem):
                return substep
        known = [substep.name for substep in record.substeps]
        advice = suggest(name, known) or f"It has {', '.join(known) or 'none'}."
        raise UsageError(f"Run {record.run_id} has no substep '{name}'. {advice}")
    for substep in record.substeps:
        if substep.failure is not None or substep.status in (*_ENDED_BADLY, "running"):
            return substep
    if record.status == "succeeded":
        first = record.substeps[0].name if record.substeps else "NAME"
        raise UsageError(
            f"Run {record.run_id} succeeded: nothing failed. "
            f"Choose a substep to look into: --substep {first}"
        )
    raise UsageError(f"No substep of run {record.run_id} failed: {record.message}")


def _began(record: RunRecord) -> str:
    began = [s.name for s in record.substeps if s.status not in ("pending", "skipped")]
    return f"These did: {', '.join(began)}." if began else "None did."


def _require_folder(record: RunRecord) -> None:
    if Path(record.step_folder, "params").is_dir():
        return
    here = this_process().host
    host = f" It ran on {record.host}, this is {here}." if record.host != here else ""
    raise UsageError(
        f"The step's folder {record.step_folder} of run {record.run_id} is not here.{host} "
        "Bring it back, or run the step where it is now and debug that run."
    )


def _failed_cell(substep: SubstepRecord, notebook: dict[str, Any]) -> int | None:
    cells = notebook["cells"]
    failure = substep.failure
    if failure is not None and failure.cell is not None:
        return failure.cell if 0 <= failure.cell < len(cells) else None
    if substep.status == "succeeded" or (
        failure is not None and failure.kind in ("outputs", "contract")
    ):
        return None
    for index, cell in enumerate(cells):
        status = (cell.get("metadata") or {}).get("sinara", {}).get("status")
        ran = status == "done" or (status is None and cell.get("execution_count") is not None)
        if cell["cell_type"] == "code" and "".join(cell.get("source", "")).strip() and not ran:
            return index
    return None


def _kept(store: StepStore, run_id: str, path: str) -> Variables | None:
    try:
        return read(store.get_file(run_id, path))
    except RunNotFoundError:
        return None


def changes(failed: FailedSubstep) -> Iterator[str]:
    """Yield a line for each thing about the code that is not what it was when the run was made."""
    name, file = failed.substep.name, failed.folder / failed.substep.name
    try:
        now = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        now = ""
    if failed.substep.notebook_sha256 not in (None, now):
        what = "was changed since" if now else "is gone since"
        yield f"{name} {what}: this is {name} as it ran."
    then, today = failed.record.code, read_code(failed.folder)
    if then.commit != today.commit:
        commits = " then, ".join((commit or "none")[:10] for commit in (then.commit, today.commit))
        yield f"The step's commit is another one ({commits} now): its modules are as they are now."
