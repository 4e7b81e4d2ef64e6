"""Every test gets a home, a temporary folder and an environment of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import Storage, shared_storage, storage


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


@pytest.fixture(scope="session")
def session_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Storage with the base image, made once and shared by the workers of this session."""
    top = tmp_path_factory.getbasetemp()
    with shared_storage(top.parent if os.environ.get("PYTEST_XDIST_WORKER") else top) as made:
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
