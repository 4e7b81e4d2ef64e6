"""docker's client against a real daemon: the socket of podman, which has the storage of the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara.errors import ImageError, RegistryError
from sinara.images.backends import choose
from sinara.images.docker import Docker
from tests.containers import Storage
from tests.images.recipes import recipe
from tests.images.registries import registry
from tests.images.test_images_engines import asked


def quiet(line: str) -> None:
    pass


@pytest.fixture
def daemon(images: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A daemon that answers docker's client."""
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed: apt-get install -y docker.io")
    socket, settings = tmp_path / "docker.sock", tmp_path / "registries.conf"
    settings.write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')  # as Docker's
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    process = subprocess.Popen(
        ["podman", "system", "service", "--time", "0", f"unix://{socket}"],
        env={**os.environ, "CONTAINERS_REGISTRIES_CONF": str(settings)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while not socket.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        yield images
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def test_without_a_daemon_docker_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed: apt-get install -y docker.io")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    assert "docker's daemon does not answer" in Docker().missing()
    with pytest.raises(ImageError, match=r"The backend docker cannot be used: .* does not answer"):
        choose("docker")


@pytest.mark.slow
def test_docker_builds_names_sends_and_runs(daemon: Storage, tmp_path: Path):
    docker = Docker()
    assert docker.missing() == ""
    labels = {"a": 'x "$HOME" $(id)\nRUN evil'}
    wanted = recipe(tmp_path / "r", offline=True, labels=labels, model="of docker")

    built = docker.build(wanted, quiet)
    it = docker.run(built)
    try:
        told = asked(it.url, it.alive)
    finally:
        it.stop()
    with registry(tmp_path / "registry") as here:
        name = f"{here.host}/user.pipe.zone.step:run-1"
        docker.tag(built, name)
        tagged = docker.tagged(name)
        digest = docker.push(built, name, quiet)
        sent = here.blobs()
    with pytest.raises(RegistryError, match="could not be pushed"):
        docker.push(built, name, quiet)
    docker.save(name, tmp_path / "export.tar")
    docker.discard(built)

    assert (told["uid"], told["caps"], told["writes"]) == (1034, 0, False)
    assert told["model"] == "of docker"
    assert it.how == "docker"
    assert not it.alive()
    assert tagged == built.id == docker.tagged(name)
    assert (tmp_path / "export.tar").stat().st_size > 1_000_000
    assert {digest, built.id} <= sent


@pytest.mark.slow
def test_offline_a_base_that_is_not_here_is_told(daemon: Storage, tmp_path: Path):
    with pytest.raises(ImageError, match=r"docker pull localhost/nosuch:1"):
        Docker().build(recipe(tmp_path / "r", offline=True, base="localhost/nosuch:1"), quiet)


@pytest.mark.slow
def test_a_build_that_fails_shows_why(daemon: Storage, tmp_path: Path):
    with pytest.raises(ImageError, match=r"has Python .*, the model was made with 3\.99"):
        Docker().build(recipe(tmp_path / "r", python="3.99"), quiet)
