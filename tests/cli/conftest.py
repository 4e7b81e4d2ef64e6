"""A pipeline's folder with published entities, made without kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from sinara.names import StepName, new_run_id
from sinara.record import Failure, RunRecord, SubstepRecord
from sinara.store import StepStore, open_store
from tests.commands import Answer, runner
from tests.steps import notebook, write_step

Publish = Callable[..., str]


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a pipeline with one step folder; the current folder is the step's."""
    step = write_step(
        tmp_path / "pipe-load", {"load.ipynb": notebook(outputs=[{"ENTITY_NAME": "raw"}])}
    )
    monkeypatch.chdir(step)
    return tmp_path


@pytest.fixture
def store(pipeline: Path) -> StepStore:
    """The store of the step ``load``."""
    return open_store(str(pipeline / "sinara_data" / "user")).step(
        StepName("user", "pipe", "zone", "load")
    )


@pytest.fixture
def publish(store: StepStore) -> Publish:
    """A function that leaves one published run, as a run would."""

    def publish_run(*entities: str, rows: int = 3, status: str = "succeeded") -> str:
        run_id = new_run_id()
        writer = store.claim(run_id)
        for entity in entities:
            pd.DataFrame({"x": range(rows), "name": ["a"] * rows}).to_parquet(
                writer.entity_url(entity)
            )
            writer.settle(entity)
            writer.seal(entity)
        if status == "succeeded":
            writer.commit(inputs={}, code={}, params_sha256="", substeps=[])
        writer.release()
        failure = Failure(
            kind="cell", message="ZeroDivisionError: division by zero", cell=2, traceback=("a", "b")
        )
        substep = SubstepRecord(
            "load.ipynb", status=status, failure=None if status == "succeeded" else failure
        )
        store.write_record(
            RunRecord(
                run_id,
                "user",
                "pipe",
                "zone",
                "load",
                status,
                "2025-01-01T00:00:00+00:00",
                substeps=(substep,),
            )
        )
        store.put_file(
            run_id, "log.jsonl", b'{"time": "2025-01-01T10:00:00.000", "kind": "run_start"}\n{"half'
        )
        return run_id

    return publish_run


@pytest.fixture
def sinara(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run the command line in this process."""
    return runner(capsys)


__all__: Sequence[str] = ["Answer", "Publish"]
