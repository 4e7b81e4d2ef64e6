"""Published and failed runs without a kernel: real data, a real commit, and a record to match."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sinara import names
from sinara.names import StepName
from sinara.record import CodeRecord, EntityRecord, RunRecord, SubstepRecord
from sinara.settings import load_settings
from sinara.store import StepStore, open_store

Input = tuple[str, str]  # full name of an entity, and its run


def store_of(folder: Path, step: str, env: str = "user", pipeline: str = "pipe") -> StepStore:
    """The store of a step of the pipeline whose steps lie in ``folder``."""
    root = load_settings(folder / "step").env(env).root
    store = open_store(root, durability="fast")
    return store.step(StepName(env, pipeline, "zone", step))


def parquet(rows: int, **columns: str) -> bytes:
    """A parquet file; ``columns`` are further ones, by their Arrow type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    more = {name: pa.array([None] * rows, getattr(pa, kind)()) for name, kind in columns.items()}
    file = io.BytesIO()
    pq.write_table(pa.table({"x": pa.array(range(rows), pa.int64()), **more}), file)
    return file.getvalue()


def forge(
    store: StepStore,
    outputs: Mapping[str, int | bytes] | None = None,
    *,
    inputs: Sequence[Input] = (),
    raw: Sequence[tuple[str, str]] = (),
    run_id: str = "",
    substep: str = "work.ipynb",
    params: Mapping[str, Any] | None = None,
    status: Any = "succeeded",
    commit: str | None = "c0ffee",
    with_record: bool = True,
    **record: Any,
) -> str:
    """Leave one run, as a run would; return its id.

    Args:
        store: Of the step.
        outputs: Entity -> its rows, or its one file.
        inputs: What it read.
        raw: Custom inputs: name and path.
        run_id: A new one by default.
        substep: The one substep.
        params: Of the substep.
        status: If it is not ``succeeded``, nothing is published.
        commit: Of the code.
        with_record: Whether it leaves a record.
        record: Further fields of the record, or of its substep.
    """
    run_id = run_id or names.new_run_id()
    step = store.step
    written = []
    code = CodeRecord(commit, "main", None, record.pop("dirty", ()))
    of_substep = {
        name: record.pop(name)
        for name in ("metrics", "adopted_from", "failure", "notebook", "cells", "seconds")
        if name in record
    }
    with store.claim(run_id) as writer:
        for name, content in (outputs or {}).items():
            data = parquet(content) if isinstance(content, int) else content
            Path(writer.entity_url(name)).write_bytes(data)
            info = writer.seal(name)
            written.append(
                EntityRecord(
                    name,
                    names.full_name(step, name),
                    info.url,
                    run_id,
                    "outputs",
                    substep,
                    info.files,
                    info.bytes,
                    info.rows,
                    tuple(info.columns),
                    info.manifest,
                )
            )
        if status == "succeeded":
            writer.commit(
                inputs={name: {"run_id": run} for name, run in inputs},
                code={"commit": commit, "branch": "main", "origin": None, "dirty": []},
                params_sha256="",
                substeps=[{"name": substep, "sha256": None}],
            )
    read = [EntityRecord(n.split(".", 4)[4], n, "", run, "inputs", substep) for n, run in inputs]
    read += [EntityRecord(name, name, path, "", "custom_inputs", substep) for name, path in raw]
    part = SubstepRecord(
        substep, status, params=dict(params or {}), inputs=tuple(read), outputs=tuple(written)
    )
    told = RunRecord(
        run_id, step.env, step.pipeline, step.zone, step.step, status,
        "2025-01-01T00:00:00+00:00", published=status == "succeeded", code=code,
        substeps=(replace(part, **of_substep),),
    )  # fmt: skip
    if with_record:
        store.write_record(replace(told, **record))
    return run_id
