"""Base images with settings of their own, and what builders say of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sinara.errors import ImageError
from sinara.images import running
from sinara.images.call import Done
from sinara.images.dockerfile import volume_in_the_way
from sinara.images.engines import Buildah, Podman
from tests.containers import BASE, Storage
from tests.images.recipes import recipe
from tests.images.test_images_engines import asked, quiet


def base(images: Storage, folder: Path, name: str, *lines: str) -> str:
    """Build a base image on the one of the tests; its name."""
    place = folder / "base"
    place.mkdir()
    (place / "Dockerfile").write_text("\n".join([f"FROM {BASE}", *lines, ""]))
    images.run("buildah", "build", "--isolation", "chroot", "-t", f"localhost/{name}", str(place))
    return f"localhost/{name}"


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Buildah, Podman])
def test_a_base_with_a_user_an_entry_point_and_a_path_of_its_own_will_do(
    images: Storage, tmp_path: Path, engine: type[Buildah] | type[Podman]
):
    lines = ("USER 1000:1000", 'ENTRYPOINT ["/bin/false"]', "ENV PYTHONPATH=/evil PORT=1")
    name = base(images, tmp_path, "odd", *lines)
    builder = engine()

    built = builder.build(recipe(tmp_path / "r", base=name), quiet)

    container = builder.run(built)
    try:
        answer = asked(container.url, container.alive)
    finally:
        container.stop()
    assert (answer["uid"], answer["gid"], answer["caps"]) == (1034, 1034, 0)


@pytest.mark.slow
def test_a_volume_that_would_swallow_the_packages_is_told(images: Storage, tmp_path: Path):
    name = base(images, tmp_path, "volume", "VOLUME /app")

    with pytest.raises(
        ImageError, match="declares a volume at /app, which would take the packages"
    ):
        Buildah().build(recipe(tmp_path / "r", base=name), quiet)


@pytest.mark.slow
def test_an_image_that_ends_at_once_says_why(images: Storage, tmp_path: Path):
    name = base(images, tmp_path, "ending", 'ENTRYPOINT ["/bin/sh", "-c", "echo a reason; exit 3"]')
    id_ = images.run("podman", "image", "inspect", "--format", "{{.Id}}", name).strip()

    try:
        container = running.start("podman", id_)
    except ImageError as error:  # it ended before it was asked for its port
        told = str(error)
    else:
        told = container.log()
        container.stop()
    assert "a reason" in told
    assert images.containers() == []


@pytest.mark.slow
def test_the_container_of_a_process_that_was_killed_goes_with_the_next(
    images: Storage, tmp_path: Path
):
    built = Podman().build(recipe(tmp_path / "r"), quiet)
    start = (
        "import sys, time; from sinara.images import running;"
        "print(running.start('podman', sys.argv[1]).name, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", start, built.id.removeprefix("sha256:")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        name = said.readline().strip()
    process.kill()
    process.wait()
    assert name in images.run("podman", "ps", "--format", "{{.Names}}")

    first = Podman().run(built)
    second = Podman().run(built)
    there = images.run("podman", "ps", "--all", "--format", "{{.Names}}").split()
    first.stop()
    second.stop()

    assert name not in there
    assert {first.name, second.name} <= set(there)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("volumes", "found"),
    [
        ((), ""),
        (("/data", "/apple", "/app/site2"), ""),
        (("/data", "/app"), "/app"),
        (("/app/site/",), "/app/site/"),
        (("/",), "/"),
    ],
)
def test_volumes_above_the_packages_are_found(volumes: Sequence[str], found: str):
    assert volume_in_the_way(volumes) == found


def test_a_reason_is_not_taken_from_the_words_of_the_step_that_failed():
    step = 'Error: building at STEP "RUN … || { echo "sinara: the base image has no python3." }"'

    assert Done(1, "", ("[Errno 13] Permission denied", step)).reason == step
    assert Done(1, "", ("#12 0.51 sinara: why", step)).reason == "why"
    assert Done(1, "", ("sinara: why", step)).reason == "why"
