"""Entities with a service that somebody forged: every digest right, what they say of anybody's."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinara.names import new_run_id
from sinara.serving.values import StoredFile
from sinara.store import StepStore

INFO = {
    "name": "iris",
    "version": "user.demo.zone.iris.run",
    "entity": "user.demo.zone.pack.service",
    "run_id": "run-26-11-27-094842-800003-23bb769c",
    "kind": "model",
    "format": "pickle",
    "python": "3.11",
    "bentoml": "1.4.40",
    "epoch": 1_795_237_800,
    "weights": ["bento.yaml"],
}
SAMPLES = {"samples": [{"route": "predict", "request": {"rows": [1]}, "answer": [1]}]}
LINEAGE = {"entity": INFO["entity"], "run_id": INFO["run_id"]}


def tar(files: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """A tar of files, or of members of any kind."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                made.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return out.getvalue()


def forge(
    place: Path,
    *,
    info: Mapping[str, Any] | None = None,
    samples: Any = SAMPLES,
    lineage: Any = LINEAGE,
    requirements: bytes = b"bentoml==1.4.40\n",
    archive: bytes | None = None,
    raw_info: bytes | None = None,
) -> Path:
    """Write an entity whose digests are right."""
    place.mkdir(parents=True, exist_ok=True)
    files = {
        "bento.tar": archive or tar({"bento.yaml": b"name: iris\n", "src/a.py": b"x = 1\n"}),
        "save_info.txt": b"BENTO_SERVICE=x\n",
        "requirements.txt": requirements,
        "samples.json": json.dumps(samples).encode(),
        "lineage.json": json.dumps(lineage).encode(),
    }
    stored = {name: vars(StoredFile.of(content)) for name, content in files.items()}
    told = {**INFO, "files": stored, **(info or {})}
    files["service.json"] = json.dumps(told).encode() if raw_info is None else raw_info
    for name, content in files.items():
        (place / name).write_bytes(content)
    return place


def publish(store: StepStore, **forged: Any) -> str:
    """Publish a forged entity ``service`` as a run does; return the run."""
    run_id = new_run_id()
    with store.claim(run_id) as writer:
        forge(Path(writer.entity_url("service")), **forged)
        writer.settle("service")
        writer.seal("service")
        writer.commit(inputs={}, code={}, params_sha256="", substeps=[])
    return run_id
