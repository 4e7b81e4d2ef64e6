"""Images with no builder: into a registry, into a file, and without any network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sinara.serving.ask import ask
from tests.containerize.conftest import Containerize, names_of, started, told
from tests.containerize.test_containerize_image import manifest_of, wait_ready
from tests.containers import Storage, need
from tests.served import Served

pytestmark = pytest.mark.slow


def test_two_pushes_are_one_digest_and_no_engine_has_it(
    containerize: Containerize, machine: Storage, base: str, place: str, temporary: Path
):
    words = ("service", "--backend", "direct", "--base", base, "--push", "--json")
    one = told(containerize(*words, "--registry", place))
    two = told(containerize(*words, "--registry", f"{place}/more"))

    assert (one["id"], one["digest"]) == (two["id"], two["digest"])
    assert manifest_of(two["image"])["config"]["digest"] == one["id"]
    assert names_of(machine, place) == []
    assert list(temporary.iterdir()) == []


def test_an_archive_is_loaded_by_podman_and_answers(
    containerize: Containerize, machine: Storage, base: str, tmp_path: Path, served: Served
):
    file = tmp_path / "image.tar"

    made = told(containerize("service", "--base", base, "--archive", str(file), "--json"))

    assert made["backend"] == "direct"
    assert made["archive"] == str(file)
    loaded = machine.run("podman", "load", "--quiet", "--input", str(file))
    name = loaded.split()[-1]
    assert name == f"localhost/{made['image']}"
    try:
        with started(machine, name) as url:
            wait_ready(url)
            assert ask(url, "predict", {"rows": [[4.0, 0.0]]}) == [12.0]
    finally:
        machine.run("podman", "rmi", "--force", name)


def test_an_archive_is_the_same_once_more_and_another_run_takes_its_place(
    containerize: Containerize, base: str, tmp_path: Path, served: Served
):
    file = tmp_path / "image.tar"
    words = ("service", "--base", base, "--archive", str(file), "--json")
    first = told(containerize(*words))
    content = file.read_bytes()

    again, other = told(containerize(*words)), told(containerize(*words, "--run", served.first))

    assert again["was_there"]
    assert again["id"] == first["id"]
    assert other["id"] != first["id"]
    assert file.read_bytes() != content


def test_without_any_network_an_image_is_made(
    base: str, tmp_path: Path, temporary: Path, served: Served, wheelhouse: Path
):
    need("unshare")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        pytest.skip("unshare -n is not permitted here: run as root")
    words = ["--offline", "--wheelhouse", str(wheelhouse), "--base", base]

    done = subprocess.run(
        [
            "unshare",
            "-n",
            sys.executable,
            "-m",
            "sinara",
            "model",
            "containerize",
            "service",
            *words,
            "--archive",
            str(tmp_path / "image.tar"),
        ],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "image.tar").stat().st_size > 20_000_000
    assert list(temporary.iterdir()) == []


def test_a_package_that_is_no_wheel_here_is_named(
    containerize: Containerize, base: str, tmp_path: Path, wheelhouse: Path
):
    wheels = tmp_path / "wheels"
    shutil.copytree(wheelhouse, wheels, ignore=shutil.ignore_patterns("numpy-*"))
    words = ("--base", base, "--archive", str(tmp_path / "x.tar"), "--wheelhouse", str(wheels))

    answer = containerize("service", *words)

    assert answer.code == 2
    assert "numpy" in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "x.tar").exists()
