from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sinara.errors import ImageError, UsageError
from sinara.images import dockerfile
from sinara.images.backends import NAMES, choose
from sinara.images.docker import Docker
from sinara.images.engines import Buildah, Podman
from tests.images.recipes import recipe
from tests.images.registries import Answer, server


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match=r"no backend 'buildha'; .*Did you mean 'buildah'\?"):
        choose("buildha")


@pytest.mark.parametrize("name", ["buildah", "podman", "docker"])
def test_what_is_not_installed_says_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ImageError, match=rf"{name} is not installed\. Install it: "):
        choose(name)


def test_the_order_is_deterministic_and_without_a_daemon_first():
    assert NAMES == ("buildah", "podman", "docker", "direct")


def test_a_builder_that_cannot_run_images_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "apt-get install podman" in Buildah().cannot_run()


@pytest.mark.parametrize("backend", [Buildah(), Podman(), Docker()])
def test_a_dry_run_names_what_would_start_and_starts_nothing(
    backend: Buildah | Podman | Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))

    commands = backend.commands(recipe(tmp_path / "r", platform="linux/arm64"))

    assert commands[0][:2] == [backend.name, "build"]
    assert "linux/arm64" in commands[0]
    assert str(tmp_path) not in shlex.join(commands[0])


@pytest.mark.parametrize(
    ("base", "insecure", "plain"),
    [
        ("127.0.0.1:5000/x:1", (), True),
        ("registry.example.org/x:1", (), False),
        ("registry.example.org/x:1", ("registry.example.org",), True),
        ("python:3.11", (), False),
    ],
)
def test_only_this_machine_and_what_is_named_goes_without_tls(
    base: str, insecure: tuple[str, ...], plain: bool, tmp_path: Path
):
    command = Podman(insecure).commands(recipe(tmp_path, base=base))[0]

    assert ("--tls-verify=false" in command) is plain


def test_offline_asks_no_registry_and_a_runtime_gives_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wanted = recipe(tmp_path, offline=True)
    monkeypatch.delenv("BUILDAH_ISOLATION", raising=False)
    plain = shlex.join(Buildah().commands(wanted)[0])
    monkeypatch.setenv("BUILDAH_ISOLATION", "oci")
    oci = shlex.join(Buildah().commands(wanted)[0])

    assert "--pull=never --isolation chroot" in plain
    assert "--pull=never --network none" in oci
    assert "--network none" in shlex.join(Docker().commands(wanted)[0])


def test_the_health_check_asks_whether_the_service_is_ready(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    command = [sys.executable, *dockerfile.HEALTH_COMMAND[1:]]
    codes = []
    for status in (200, 503):
        with server(lambda request, s=status: Answer(s)) as (host, asked):
            monkeypatch.setenv("PORT", host.rpartition(":")[2])
            codes.append(subprocess.run(command, capture_output=True, timeout=30).returncode)
            assert asked[0].path == "/readyz"

    assert codes == [0, 1]


def test_the_layers_are_in_the_order_in_which_they_change():
    steps = [line.split()[0:2] for line in dockerfile.text().splitlines() if line[0].isupper()]

    assert [words for words in steps if words[0] in ("FROM", "COPY", "RUN")] == [
        ["FROM", "${BASE}"],
        ["COPY", "requirements.txt"],
        ["RUN", "--mount=type=bind,source=build,target=/run/build"],
        ["COPY", "code"],
        ["COPY", "model"],
    ]
