"""Ctrl-C in the middle of a build: a process of its own, a real index that never answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.containers import BASE, Storage
from tests.images.recipes import recipe
from tests.images.registries import Answer, Request, registry, server

BUILD = """
import sys
from pathlib import Path
from sinara.images.engines import Buildah, Podman
from sinara.images.values import Recipe
engine, folder, base, python = sys.argv[1:]
folder = Path(folder)
recipe = Recipe(base, python, folder / "requirements.txt", folder / "code", folder / "model")
{"buildah": Buildah, "podman": Podman}[engine]().build(recipe, lambda line: print(line, flush=True))
"""


def below(folder: Path) -> list[str]:
    """The command lines of processes that have to do with a folder, or were started with it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes()
            if str(folder).encode() in environ and int(entry.name) != os.getpid():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def wait(until: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["buildah", "podman"])
def test_ctrl_c_ends_the_builder_and_leaves_nothing(
    fresh_images: Storage, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
):
    wanted = recipe(tmp_path / "r", pins="tiny==1.0", wheelhouse=None)
    asked, over = threading.Event(), threading.Event()

    def answer(request: Request) -> Answer:
        asked.set()
        over.wait(120)
        return Answer(503)

    try:
        with server(answer) as (host, _):
            monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{host}/simple")
            words = [engine, str(tmp_path / "r"), BASE, wanted.python]
            process = subprocess.Popen(
                [sys.executable, "-c", BUILD, *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            assert asked.wait(90)

            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[0].decode()
            over.set()
    finally:
        over.set()

    assert "KeyboardInterrupt" in said
    wait(lambda: not below(fresh_images.folder))
    assert fresh_images.containers() == []
    assert not list((fresh_images.folder / "tmp").glob("sinara-*"))
    mounts = Path("/proc/self/mountinfo").read_text()
    assert f"{fresh_images.folder}/store/overlay/" not in mounts


@pytest.mark.slow
def test_an_image_of_a_registry_can_be_the_base(fresh_images: Storage, tmp_path: Path):
    from sinara.images.engines import Buildah

    with registry(tmp_path / "registry") as here:
        base = f"{here.host}/python:base"
        told = tmp_path / "digest"
        fresh_images.run(
            "buildah",
            "push",
            "--tls-verify=false",
            f"--digestfile={told}",
            BASE,
            f"docker://{base}",
        )
        fresh_images.run("buildah", "rmi", "--all", "--force")

        built = Buildah().build(recipe(tmp_path / "r", base=f"{base}@{told.read_text()}"), print)

    assert built.base_digest == told.read_text()
