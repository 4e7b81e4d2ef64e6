"""Published runs that hold services, made once for a session; and runs forged from them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.names import StepName, new_run_id
from sinara.settings import load_settings
from sinara.store import StepStore, open_store
from tests.steps import cell, notebook, write_step

MODELS = '''\
"""Models of the step: what they predict is easy to tell."""

import os


class Times:
    """Multiplies; ``padding`` makes its file larger."""

    def __init__(self, factor):
        self.factor = factor

    def predict(self, rows):
        return [float(row[0]) * self.factor for row in rows]


class Astray(Times):
    """Predicts something else where it runs as the user of an image."""

    def predict(self, rows):
        return super().predict(rows) if os.getuid() != 1034 else [-1.0 for _ in rows]
'''
PACK = """\
from models import Astray, Times
from sinara.bentoml import make_service, save_bentoservice
import numpy as np

factor = substep_params["factor"]
rows = np.array([[1.0, 0.0], [2.5, 0.0]])
for name in substep_params["services"]:
    kind = Astray if name == "astray" else Times
    save_bentoservice(
        make_service(kind(factor), rows, name=name),
        substep=substep,
        path=getattr(substep.outputs(), name),
    )
"""
PACK_ENTITY = "user.pipe.zone.pack.service"
ASTRAY_ENTITY = "user.pipe.zone.pair.astray"
_INSTALL_SECONDS = 300


@dataclass(frozen=True)
class Served:
    """Published runs that hold services.

    Attributes:
        folder: Of the pipeline; its data is in ``sinara_data``.
        first: Run of the step ``pack``, whose one service doubles.
        second: A later run of it, with other weights: it triples.
        pair: Run of the step ``pair``, with the services ``times`` and ``astray``.
    """

    folder: Path
    first: str
    second: str
    pair: str

    @property
    def pack(self) -> Path:
        """The folder of the step ``pack``."""
        return self.folder / "pipe-pack"

    def store(self, step: str = "pack") -> StepStore:
        """The store of one of its steps."""
        env = load_settings(self.pack).env("user")
        return open_store(env.root).step(StepName("user", "pipe", "zone", step))

    def entity(self, run_id: str, name: str = "service", step: str = "pack") -> Path:
        """The folder of one entity."""
        return Path(self.store(step).entity_url(run_id, name))


def make_served(folder: Path) -> Served:
    """Run two steps with real kernels: one twice with other weights, one with two services."""
    for step, services in (("pack", ["service"]), ("pair", ["times", "astray"])):
        made = notebook(cell(PACK), outputs=[{"ENTITY_NAME": name} for name in services])
        given = {"factor": 2.0, "services": services}
        place = write_step(
            folder / f"pipe-{step}", {"save.ipynb": made}, substep_params={"save.ipynb": given}
        )
        (place / "models.py").write_text(MODELS)
    first = _run(folder / "pipe-pack")
    second = _run(folder / "pipe-pack", "--set", "factor=3.0")
    return Served(folder, first, second, _run(folder / "pipe-pair"))


def make_wheelhouse(folder: Path, requirements: Path) -> None:
    """Fill a folder with the wheels of a list of packages.

    Raises:
        RuntimeError: If no index can be reached.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), "--requirement", str(requirements)],
        capture_output=True, text=True, timeout=_INSTALL_SECONDS, env=clean_environ(folder.parent),
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-300:])


def clean_environ(home: Path) -> dict[str, str]:
    """This process's variables without the settings of the person who runs the tests."""
    ours = ("SINARA_", "DSML_", "XDG_", "JUPYTER_", "IPYTHON", "GIT_", "AWS_", "DESIGN_MODE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    named = {f"GIT_{who}_{what}": "tester@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
    return {**kept, **named, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


@contextlib.contextmanager
def once(parent: Path, name: str) -> Iterator[tuple[Path, bool]]:
    """Give a folder that the workers of a session share, and whether it has to be filled now."""
    folder = parent / name
    with (parent / f"{name}-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = parent / f"{name}-done"
        new = not done.exists()
        if new:
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            folder.mkdir()
        yield folder, new
        done.touch()


def _run(step: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sinara", "step", "run", *words],
        cwd=step, capture_output=True, text=True, timeout=240, env=clean_environ(step.parent),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def forge_service(
    served: Served,
    step: str,
    changes: Mapping[str, bytes],
    *,
    told: Mapping[str, Any] | None = None,
    name: str = "service",
    of: str = "service",
) -> str:
    """Publish a copy of the first run's service with other files, through the store; return the run.

    Args:
        served: Where.
        step: Of the new run.
        changes: File of the entity -> its content; ``service.json`` then has their digests.
        told: Fields of ``service.json``.
        name: Of the new entity.
        of: The entity to copy.
    """
    store, run_id = served.store(step), new_run_id()
    source = served.entity(served.first, of)
    with store.claim(run_id) as writer:
        place = Path(writer.entity_url(name))
        shutil.copytree(source, place)
        (place / "_SUCCESS").unlink()
        service = json.loads((place / "service.json").read_text())
        for file, content in changes.items():
            (place / file).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            service["files"][file] = {"size": len(content), "sha256": digest}
        (place / "service.json").write_text(json.dumps({**service, **(told or {})}))
        writer.seal(name)
        writer.commit(inputs={}, code={}, params_sha256="", substeps=[])
    return run_id
