"""A step in a folder of its own, a real store beside it, and jobs with a real context."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sinara.context import Handback, RunContext, read_handback, write_context
from sinara.names import StepName, new_run_id
from sinara.store import Commit, StepStore, open_store
from sinara.substep import interactive, session

PARAMS = {
    "pipeline_params": {"env_name": "user", "pipeline_name": "demo", "zone_name": "zone", "x": 1},
    "step_params": {"step_name": "train", "y": 2},
    "substeps_params": [{"substep_name": "fit.ipynb", "substep_params": {"lr": 0.1}}],
}


@pytest.fixture(autouse=True)
def no_draft_is_left() -> Iterator[None]:
    """Leave what a test joined, as a kernel does that ends."""
    yield
    interactive.leave()
    session._remembered.clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step's folder with parameter files; it is the current one."""
    folder = tmp_path / "steps" / "demo-train"
    (folder / "params").mkdir(parents=True)
    (folder / "params" / "step_params.json").write_text(json.dumps(PARAMS))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def data(folder: Path) -> Path:
    """Where the envs lie when nothing is set."""
    return folder.parent / "sinara_data"


Publish = Callable[..., Commit]


@pytest.fixture
def step_store(data: Path) -> Callable[..., StepStore]:
    """A function that opens the store of a step."""

    def open_step(step: str, env: str = "user", zone: str = "zone") -> StepStore:
        return open_store(str(data / env)).step(StepName(env, "demo", zone, step))

    return open_step


@pytest.fixture
def publish(step_store: Callable[..., StepStore]) -> Publish:
    """A function that publishes one run of a step, with one small table per entity."""

    def write(
        step: str,
        *entities: str,
        env: str = "user",
        zone: str = "zone",
        run_id: str | None = None,
        by_hand: bool = False,
    ) -> Commit:
        about: dict[str, Any] = {"inputs": {}, "code": {}, "params_sha256": "", "substeps": []}
        with step_store(step, env, zone).claim(run_id or new_run_id()) as writer:
            for entity in entities:
                pd.DataFrame({"run": [writer.run_id]}).to_parquet(writer.entity_url(entity))
                writer.seal(entity)
            return writer.commit(**about, interactive=by_hand)

    return write


@dataclass(frozen=True)
class Job:
    """A job that the tests drive: its context, and what its substep handed back."""

    context: RunContext

    @property
    def handback(self) -> Handback:
        """What the substep handed back so far."""
        return read_handback(Path(self.context.handback_file))


@pytest.fixture
def job(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Job]:
    """A function that puts this process into a job of the step, as the driver does."""

    def begin(**changes: Any) -> Job:
        private = tmp_path / f"job-{new_run_id()}"
        (private / "work").mkdir(parents=True)
        values: Mapping[str, Any] = {
            "run_id": new_run_id(),
            "env_name": "user",
            "pipeline_name": "demo",
            "zone_name": "zone",
            "step_name": "train",
            "substep_name": "fit.ipynb",
            "step_folder": str(folder),
            "pipeline_params": {"pipeline_name": "demo", "x": "from the run"},
            "step_params": {"y": "from the run"},
            "substep_params": {"lr": 0.5},
            "pins_file": str(private / "pins.json"),
            "handback_file": str(private / "handback.json"),
            "work_path": str(private / "work"),
            **changes,
        }
        context = RunContext(**values)
        write_context(private / "context.json", context)
        monkeypatch.setenv("SINARA_CONTEXT", str(private / "context.json"))
        return Job(context)

    return begin


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An S3 server of our own with one bucket; gives fsspec's options."""
    import fsspec
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tester")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {"client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}
    files = fsspec.filesystem("s3", **options)
    files.makedirs("bucket", exist_ok=True)
    yield options
    files.clear_instance_cache()
    server.stop()


@pytest.fixture
def on_s3(folder: Path, bucket: dict[str, Any]) -> dict[str, Any]:
    """The step, with its env and its temporary entities in the bucket."""
    endpoint = bucket["client_kwargs"]["endpoint_url"]
    (folder / "sinara.toml").write_text(
        "[envs.user]\nroot = 's3://bucket/user'\ntmp = 's3://bucket/tmp'\n"
        f"[envs.user.storage_options.client_kwargs]\nendpoint_url = '{endpoint}'\n"
    )
    return bucket
