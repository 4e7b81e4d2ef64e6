"""What images of saved services are made with: one storage, one registry, one cache per session."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Answer, runner
from tests.conftest import shared
from tests.containers import BASE, Storage
from tests.images.registries import RunningRegistry, shared_registry
from tests.served import Served, clean_environ, once

Containerize = Callable[..., Answer]
Made = dict[str, Any]
"""What ``sinara model containerize --json`` says."""
_MAKE_BASE = Path(__file__).parents[2] / "tools" / "base_image.py"


@pytest.fixture(scope="session")
def session_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """The registry of this session."""
    with shared_registry(shared(tmp_path_factory)) as made:
        yield made


@pytest.fixture
def place(session_registry: RunningRegistry) -> str:
    """A namespace of the registry that belongs to one test: ``host:port/…``."""
    return f"{session_registry.host}/t{uuid.uuid4().hex[:8]}"


@pytest.fixture
def sinara(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run the command line in this process."""
    return runner(capsys)


@pytest.fixture
def temporary(
    private_machine: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The temporary folder of this test alone; the cache of packages is the session's."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared(tmp_path_factory) / "cache"))
    return folder


@pytest.fixture
def machine(
    built: Made, images: Storage, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> Storage:
    """A machine with buildah and podman, and a base image in their storage."""
    monkeypatch.setenv("TMPDIR", str(temporary))  # not that of the storage
    monkeypatch.setenv("SINARA_IMAGES_BASE", BASE)
    return images


@pytest.fixture(scope="session")
def session_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base image in a file, for which no engine is needed."""
    with once(shared(tmp_path_factory), "base") as (folder, new):
        file = folder / "base.tar"
        if new:
            make = [sys.executable, str(_MAKE_BASE), "--oci-archive", str(file)]
            done = subprocess.run(make, capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                pytest.skip(f"no base image: {done.stderr.strip()}")
        return file


@pytest.fixture
def base(session_base: Path) -> str:
    """The base image in a file, as a person names it."""
    return f"oci-archive:{session_base}"


@pytest.fixture
def containerize(
    sinara: Callable[..., Answer], served: Served, temporary: Path, wheelhouse: Path
) -> Containerize:
    """Run ``sinara model containerize`` without an index."""
    words = ("model", "containerize", "--offline", "--wheelhouse", str(wheelhouse))
    return lambda *more: sinara(*words, *more)


def told(answer: Answer) -> Made:
    """What ``--json`` says of an image that was made."""
    assert answer.code == 0, answer.err
    made: Made = json.loads(answer.out)["image"]
    return made


@pytest.fixture(scope="session")
def session_built(
    made_served: Served,
    wheelhouse: Path,
    session_storage: Storage,
    session_registry: RunningRegistry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Made:
    """The image of the service's newest run, verified and pushed, as a person would make it."""
    with once(shared(tmp_path_factory), "built") as (folder, new):
        file = folder / "built.json"
        if new:
            words = ["--offline", "--wheelhouse", str(wheelhouse), "--push", "--verify", "--json"]
            words += ["--base", BASE, "--registry", f"{session_registry.host}/built"]
            done = subprocess.run(
                [sys.executable, "-m", "sinara", "model", "containerize", "service", *words],
                cwd=made_served.pack,
                env={**clean_environ(folder), **session_storage.environ},
                capture_output=True,
                text=True,
                timeout=240,
            )
            assert done.returncode == 0, done.stderr
            file.write_text(done.stdout)
        made: Made = json.loads(file.read_text())["image"]
        return made


@pytest.fixture
def built(session_built: Made) -> Made:
    """The image of the service's newest run: with its layers, others are built quickly."""
    return session_built


def names_of(machine: Storage, part: str) -> list[str]:
    """The names of this machine's images that hold a text."""
    listed = json.loads(machine.run("buildah", "images", "--json") or "[]") or []
    return [name for one in listed for name in one.get("names") or () if part in name]


@contextlib.contextmanager
def started(machine: Storage, image: str) -> Iterator[str]:
    """Start an image as a user would; give the service's address."""
    name = f"t{uuid.uuid4().hex[:8]}"
    machine.run("podman", "run", "-d", "--name", name, "-p", "127.0.0.1::3000", image)
    try:
        yield f"http://{machine.run('podman', 'port', name, '3000').strip()}"
    finally:
        machine.run("podman", "rm", "--force", "--time", "1", name)
