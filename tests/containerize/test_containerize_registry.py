"""Registries that are down, refuse, or are slow; and a person who presses Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.containerize.conftest import Containerize, Made, names_of
from tests.containerize.test_containerize_names import left_of
from tests.containerize.test_containerize_refused import line_of
from tests.containers import Storage
from tests.images.registries import Answer, Request, free_port, registry, server
from tests.images.test_images_interrupt import below, wait
from tests.served import Served

pytestmark = pytest.mark.slow


def test_a_registry_that_is_down_is_told_before_anything_is_built(
    containerize: Containerize, machine: Storage
):
    host = f"127.0.0.1:{free_port()}"

    line = line_of(containerize("service", "--registry", f"{host}/x", "--push"))

    assert f"Registry {host} refuses the connection" in line
    assert names_of(machine, host) == []


def test_a_registry_that_wants_a_login_says_so(
    containerize: Containerize, machine: Storage, tmp_path: Path
):
    with registry(tmp_path / "registry", login=True) as here:
        line = line_of(containerize("service", "--registry", f"{here.host}/x", "--push"))

    assert here.host in line
    assert "login" in line
    assert names_of(machine, here.host) == []


def test_a_registry_that_takes_nothing_leaves_the_image_here_and_says_so(
    built: Made, containerize: Containerize, machine: Storage
):
    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer(200, b"{}")
        if request.method in ("GET", "HEAD"):
            return Answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        return Answer(403, b'{"errors":[{"code":"DENIED","message":"requested access is denied"}]}')

    with server(answer) as (host, _):
        answered = containerize("service", "--registry", f"{host}/x", "--push")

    image = f"{host}/x/{built['image'].rpartition('/')[2]}"
    assert answered.code == 2
    assert "Traceback" not in answered.err
    assert f"{image} is on this machine" in answered.err
    assert names_of(machine, host) == [image]


def test_a_registry_that_never_answers_is_given_up(
    containerize: Containerize, machine: Storage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sinara.images.registry.TIMEOUT", 1.0)
    over = threading.Event()

    def answer(request: Request) -> Answer:
        over.wait(60)
        return Answer(503)

    try:
        with server(answer) as (host, _):
            line = line_of(containerize("service", "--registry", f"{host}/x", "--push"))
            over.set()
    finally:
        over.set()

    assert host in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_nothing(
    built: Made,
    machine: Storage,
    served: Served,
    wheelhouse: Path,
    temporary: Path,
    number: signal.Signals,
):
    """The registry says that it does not have the image, and never takes it."""
    asked, over = threading.Event(), threading.Event()

    def answer(request: Request) -> Answer:
        if request.path == "/v2/":
            return Answer(200, b"{}")
        if request.method in ("GET", "HEAD") and "manifests" in request.path:
            return Answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        asked.set()
        over.wait(120)
        return Answer(503)

    words = ["--offline", "--wheelhouse", str(wheelhouse), "--push", "--verify", "--registry"]
    with server(answer) as (host, _):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sinara",
                "model",
                "containerize",
                "service",
                *words,
                f"{host}/x",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "A_MARK": str(temporary)},
        )
        try:
            assert asked.wait(200), process.stderr
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
        finally:
            over.set()
            process.kill()

    assert process.returncode == 130
    assert "Traceback" not in said
    wait(lambda: not below(temporary))
    assert list(temporary.iterdir()) == []
    assert left_of(machine) == []
