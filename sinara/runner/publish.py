"""Publish a run: seal what its substeps wrote, and commit it as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara import names
from sinara.errors import OutputError
from sinara.record import RunRecord, SubstepRecord
from sinara.runner.describe import params_digest
from sinara.store.layout import RUNS

if TYPE_CHECKING:
    from sinara.runner.substep import SubstepOutcome
    from sinara.store import RunWriter


def seal(record: RunRecord, run_id: str, writer: RunWriter) -> RunRecord:
    """Seal the outputs that were written under ``run_id``.

    Returns:
        The record with rows, bytes, schema and digest of each sealed entity. What was sealed when
        its substep ended, and did not change since, is not read again.

    Raises:
        OutputError: If an entity is missing, unreadable or still being written.
    """
    return replace(
        record, substeps=tuple(_seal_substep(s, run_id, writer) for s in record.substeps)
    )


def _seal_substep(substep: SubstepRecord, run_id: str, writer: RunWriter) -> SubstepRecord:
    outputs = []
    for entity in substep.outputs:
        if entity.kind != "outputs" or entity.run_id != run_id:
            outputs.append(entity)
            continue
        info = writer.sealed(entity.name)
        if entity.contract and (info is None or info.manifest != entity.manifest):
            raise OutputError(
                f"Output '{entity.name}' changed after its contract was checked. "
                "Write it before its substep ends, and nowhere else."
            )
        info = info or writer.seal(entity.name)
        outputs.append(
            replace(
                entity,
                files=info.files,
                bytes=info.bytes,
                rows=info.rows,
                columns=tuple(info.columns),
                manifest=info.manifest,
            )
        )
    return replace(substep, outputs=tuple(outputs))


def with_sealed(outcomes: Sequence[SubstepOutcome], record: RunRecord) -> list[SubstepOutcome]:
    """Return what became of each substep, with its outputs as they were sealed."""
    sealed = {substep.name: substep for substep in record.substeps}
    return [
        replace(one, record=replace(one.record, outputs=sealed[one.record.name].outputs))
        for one in outcomes
    ]


def seal_reports(record: RunRecord, evidence: Path, writer: RunWriter) -> None:
    """Seal each substep's report as an entity of the run, beside the data."""
    for substep in record.substeps:
        entity = names.reports_entity(substep.name)
        folder = evidence / names.entity_folder(entity)
        files = {
            p.name: _beside_the_data(p, record.run_id)
            for p in sorted(folder.iterdir())
            if p.is_file()
        }
        writer.add_files(entity, files)
        writer.seal(entity)


def _beside_the_data(file: Path, run_id: str) -> bytes | Path:
    """Return what an entity holds of a report; a page's link to the run page leads there still."""
    from sinara.report.notebook import RUN_PAGE

    if file.name != "report.html":
        return file
    link, evidence = f'<a href="{RUN_PAGE}">', f"../../{RUNS}/{run_id}/index.html"
    return file.read_bytes().replace(link.encode(), f'<a href="{evidence}">'.encode(), 1)


def commit(record: RunRecord, writer: RunWriter, keys: Mapping[str, str]) -> None:
    """Commit what was sealed: from here on others read it.

    Args:
        record: The run's record.
        writer: Of the run.
        keys: The key of each substep's ingredients, where it is known.
    """
    writer.commit(
        inputs=_inputs(record),
        code=dataclasses.asdict(record.code),
        params_sha256=params_digest(record),
        substeps=[
            {"name": s.name, "sha256": s.notebook_sha256, "key": keys.get(s.name, "")}
            for s in record.substeps
        ],
    )


def _inputs(record: RunRecord) -> Mapping[str, dict[str, Any]]:
    return {
        entity.full_name: {"run_id": entity.run_id, "manifest_sha256": entity.manifest}
        for substep in record.substeps
        for entity in substep.inputs
        if entity.kind == "inputs"
    }
