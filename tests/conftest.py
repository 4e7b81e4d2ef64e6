"""Every test gets a home, a temporary folder and an environment of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import Storage, shared_storage, storage
from tests.served import Served, make_served, make_wheelhouse, once


@pytest.fixture(autouse=True)
def private_machine(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Point HOME at an empty folder, and drop every setting of the person who runs the tests."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in list(os.environ):
        if name.startswith(
            ("SINARA_", "DSML_", "XDG_", "JUPYTER_", "IPYTHON", "GIT_", "AWS_")
        ) or name in {"DESIGN_MODE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "A Tester")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "tester@example.org")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "A Tester")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "tester@example.org")
    return home


def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the workers of this session share."""
    top = tmp_path_factory.getbasetemp()
    return top.parent if os.environ.get("PYTEST_XDIST_WORKER") else top


@pytest.fixture(scope="session")
def session_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Storage with the base image, made once and shared by the workers of this session."""
    with shared_storage(shared(tmp_path_factory)) as made:
        yield made


@pytest.fixture
def images(session_storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """The session's storage, for what runs in this process."""
    session_storage.use(monkeypatch)
    return session_storage


@pytest.fixture
def fresh_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """Storage in which nothing was built, and nobody else builds."""
    with storage(tmp_path / "containers") as made:
        made.use(monkeypatch)
        yield made


@pytest.fixture(scope="session")
def made_served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A pipeline with published services; nobody changes what is in it."""
    pytest.importorskip("bentoml", reason="pip install 'sinara[bento]'")
    with once(shared(tmp_path_factory), "served") as (folder, new):
        told = folder / "served.json"
        if new:
            made = make_served(folder / "p")
            told.write_text(json.dumps([made.first, made.second, made.pair]))
        return Served(folder / "p", *json.loads(told.read_text()))


@pytest.fixture
def served(made_served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A pipeline with published services; the current folder is the step's that saved one."""
    monkeypatch.chdir(made_served.pack)
    return made_served


@pytest.fixture(scope="session")
def wheelhouse(made_served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of all packages that the services need."""
    with once(shared(tmp_path_factory), "wheels") as (folder, new):
        if new:
            wanted = made_served.entity(made_served.first) / "requirements.txt"
            try:
                make_wheelhouse(folder, wanted)
            except RuntimeError as error:
                pytest.skip(f"no index of packages can be reached: {error}")
        return folder
