"""A run as a side of a comparison: its record, and the notebooks that it executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sinara.compare.values import Part, Picture, Side
from sinara.errors import NotebookError, RunNotFoundError
from sinara.reading import CellSource, cells_of, read_notebook_json
from sinara.reading.checkpoints import counted
from sinara.record import RunRecord, SubstepRecord
from sinara.report.pictures import KINDS, joined
from sinara.store import StepStore

_PICTURES = ("image/svg+xml", *KINDS)


def run_side(store: StepStore, record: RunRecord) -> Side:
    """Return a run with everything that it left.

    Args:
        store: Of its step.
        record: Its record.
    """
    shared = {
        **{f"pipeline.{name}": value for name, value in record.pipeline_params.items()},
        **{f"step.{name}": value for name, value in record.step_params.items()},
    }
    return Side(
        label=record.run_id,
        commit=record.code.commit,
        dirty=record.code.dirty,
        record=record,
        params=flat(shared),
        versions=record.versions,
        parts=tuple(_part(store, record, substep) for substep in record.substeps),
    )


def _part(store: StepStore, record: RunRecord, substep: SubstepRecord) -> Part:
    cells, pictures = _notebook(store, record, substep)
    return Part(
        name=substep.name,
        cells=cells,
        pictures=pictures,
        params=flat(substep.params),
        metrics={name: value for name, value in substep.metrics.items() if name != "run_id"},
        inputs=substep.inputs,
        outputs=substep.outputs,
        status=substep.status,
        seconds=substep.seconds if substep.started or substep.seconds else None,
        failure=substep.failure.message if substep.failure else "",
    )


def _notebook(
    store: StepStore, record: RunRecord, substep: SubstepRecord
) -> tuple[tuple[CellSource, ...] | None, dict[int, tuple[Picture, ...]]]:
    """Return the code cells of the executed notebook, and their pictures; None if it is gone."""
    if not substep.notebook:
        return None, {}
    where = Path(record.run_id, substep.notebook)
    try:
        text = store.get_file(record.run_id, substep.notebook).decode("utf-8", "replace")
        document = read_notebook_json(text, where)
        cells = cells_of(document, where)
    except (RunNotFoundError, NotebookError):  # never written, or cut off by a death
        return None, {}
    found = {cell.index: tuple(_pictures(document["cells"][cell.index])) for cell in cells}
    return counted(cells), {index: pictures for index, pictures in found.items() if pictures}


def _pictures(cell: Mapping[str, Any]) -> Iterator[Picture]:
    """Yield the pictures among the outputs of a cell; a notebook may hold anything."""
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, Mapping) else None
        if isinstance(data, Mapping):
            kind = next((kind for kind in _PICTURES if kind in data), None)
            if kind is not None:
                yield Picture(kind, joined(data[kind]))


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested values by their path: ``{"a": {"b": 1}}`` is ``{"a.b": 1}``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{path}.")
        else:
            found[path] = value
    return found
