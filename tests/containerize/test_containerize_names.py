"""A name is given to one content, once it answers; what fails leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara.settings import load_settings
from tests.commands import Answer
from tests.containerize.conftest import Containerize, Made, names_of
from tests.containerize.test_containerize_image import manifest_of
from tests.containers import BASE, Storage
from tests.images.registries import tags
from tests.served import Served

pytestmark = pytest.mark.slow


def left_of(machine: Storage) -> list[str]:
    """Containers that were started to verify an image, by this process."""
    words = ("--filter", f"label=sinara.verify={os.getpid()}", "--quiet")
    return machine.run("podman", "ps", "--all", *words).split()


@pytest.mark.parametrize("backend", ["buildah", "podman", "direct"])
def test_an_image_that_predicts_something_else_gets_no_name_anywhere(
    containerize: Containerize,
    machine: Storage,
    base: str,
    place: str,
    temporary: Path,
    session_registry,
    backend: str,
):
    before = machine.run("podman", "images", "--quiet", "--no-trunc").split()
    words = ["--registry", place, "--push", "--verify", "--backend", backend]
    words += ["--base", base] if backend == "direct" else []

    answer = containerize("pair.astray", *words)

    assert answer.code == 1
    assert "answer[0] is -1.0, and 2.0 was predicted" in answer.err
    assert "gets no name" in answer.err
    assert "POST,path=/predict" in answer.err  # its log
    assert names_of(machine, place) == []
    assert not list(session_registry.folder.glob(f"**/{place.rpartition('/')[2]}"))
    assert left_of(machine) == []
    assert list(temporary.iterdir()) == []
    if backend == "direct":
        assert set(machine.run("podman", "images", "--quiet", "--no-trunc").split()) >= set(before)


def test_a_name_that_other_content_has_here_stays_with_it(
    built: Made, containerize: Containerize, machine: Storage, served: Served, place: str
):
    image = f"{place}/{built['image'].rpartition('/')[2]}"
    machine.run("podman", "tag", BASE, image)

    answer = containerize("service", "--registry", place, "--push")

    assert answer.code == 2
    assert f"{image} exists in buildah's storage with other content" in answer.err
    [known] = json.loads(machine.run("podman", "image", "inspect", image))
    assert BASE in known["RepoTags"]


@pytest.mark.parametrize("backend", ["buildah", "direct"])
def test_a_name_that_other_content_has_in_the_registry_stays_with_it(
    built: Made, containerize: Containerize, machine: Storage, base: str, place: str, backend: str
):
    image = f"{place}/{built['image'].rpartition('/')[2]}"
    machine.run("podman", "push", "--quiet", "--tls-verify=false", BASE, f"docker://{image}")
    there = manifest_of(image)["digest"]
    words = ["--backend", backend, *(["--base", base] if backend == "direct" else [])]

    answer = containerize("service", "--registry", place, "--push", *words)

    assert answer.code == 2
    assert f"{image} exists at {place.partition('/')[0]} with other content" in answer.err
    assert manifest_of(image)["digest"] == there
    assert names_of(machine, place) == []


def test_two_at_once_are_one_image(
    built: Made, machine: Storage, served: Served, wheelhouse: Path, place: str
):
    words = ["--offline", "--wheelhouse", str(wheelhouse), "--registry", place, "--push", "--json"]
    command = [sys.executable, "-m", "sinara", "model", "containerize", "service", *words]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [(*one.communicate(timeout=240), one.returncode) for one in both]

    assert [code for _, _, code in said] == [0, 0], said
    made = [json.loads(out)["image"] for out, _, _ in said]
    assert {one["digest"] for one in made} == {manifest_of(made[0]["image"])["digest"]}
    assert {one["id"] for one in made} == {built["id"]}


def test_a_store_that_cannot_be_written_only_keeps_no_note(
    built: Made, containerize: Containerize, machine: Storage, served: Served, place: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sinara: Callable[..., Answer],
):  # fmt: skip
    """As root every folder can be written: a file is in the way of the notes."""
    shutil.copytree(served.folder, tmp_path / "p", symlinks=True)
    monkeypatch.chdir(tmp_path / "p" / "pipe-pack")
    root = Path(load_settings(Path.cwd()).env("user").root)
    evidence = root / "pipe/zone/pack/_runs" / served.second
    shutil.rmtree(evidence)
    evidence.write_text("in the way")

    answer = containerize("service", "--registry", place, "--push")

    assert answer.code == 0, answer.err
    assert "warning: The run keeps no note of this image" in answer.err
    assert served.second in answer.out
    host, _, rest = place.partition("/")
    assert tags(host, f"{rest}/user.pipe.zone.pack") == [served.second]
