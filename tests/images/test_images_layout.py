"""Images in folders and files: written the same each time, read from whoever wrote them."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara.errors import ArchiveError, BadNameError, ImageError
from sinara.images.content import extract_files, labels
from sinara.images.layout import write_archive
from sinara.images.origin import open_source
from tests.images.made import BENTO, folder, layout
from tests.images.registries import RunningRegistry, registry

FILES = [folder(BENTO), (f"{BENTO}/a", b"one"), (f"{BENTO}/b/c", b"two")]
FOUND = {"a": b"one", "b/c": b"two"}


def files_in(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def read(name: str, tmp_path: Path) -> dict[str, bytes]:
    source = open_source(name, platform="linux/amd64")
    try:
        extract_files(source, BENTO, tmp_path / "out")
    finally:
        source.close()
    return files_in(tmp_path / "out")


def test_a_layout_is_found_by_its_path_and_by_name(tmp_path: Path):
    layout(tmp_path / "a:b", FILES, name="host/x:1")

    assert read(f"oci:{tmp_path / 'a:b'}", tmp_path) == FOUND
    assert read(f"oci:{tmp_path / 'a:b'}:host/x:1", tmp_path) == FOUND


def test_a_name_that_a_layout_does_not_have_is_refused_with_those_it_has(tmp_path: Path):
    layout(tmp_path / "image", FILES, name="v1")

    assert read(f"oci:{tmp_path / 'image'}:v1", tmp_path) == FOUND
    with pytest.raises(ImageError, match="no image of that name; there: 'v1'"):
        read(f"oci:{tmp_path / 'image'}:v2", tmp_path)


def test_an_archive_is_the_same_bytes_each_time_and_is_read_back(tmp_path: Path):
    manifest = layout(tmp_path / "image", FILES)

    for name in ("one.tar", "two.tar"):
        write_archive(tmp_path / "image", tmp_path / name, "host:5000/x:1")

    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert read(f"oci-archive:{tmp_path / 'one.tar'}", tmp_path) == FOUND
    source = open_source(str(tmp_path / "one.tar"), platform="linux/amd64")
    assert source.manifest() == manifest
    source.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "image",
        "one.tar",
        "out",
        "two.tar",
    ]


def test_an_archive_may_be_compressed(tmp_path: Path):
    layout(tmp_path / "image", FILES)
    write_archive(tmp_path / "image", tmp_path / "one.tar", "x:1")
    (tmp_path / "one.tgz").write_bytes(gzip.compress((tmp_path / "one.tar").read_bytes()))

    assert read(str(tmp_path / "one.tgz"), tmp_path) == FOUND


def test_an_archive_without_a_layer_is_not_written(tmp_path: Path):
    manifest = layout(tmp_path / "image", FILES)
    digits = manifest.layers[0].digest.removeprefix("sha256:")
    (tmp_path / "image" / "blobs" / "sha256" / digits).unlink()

    with pytest.raises(ImageError, match="was not written"):
        write_archive(tmp_path / "image", tmp_path / "one.tar", "x:1")

    assert [path.name for path in tmp_path.iterdir()] == ["image"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.tar", b"", "damaged|no image"),
        ("a.tar", b"x" * 5000, "damaged or no tar"),
        ("a.tar", None, "holds no image"),
    ],
)
def test_a_file_that_is_no_image_is_one_line(
    tmp_path: Path, name: str, data: bytes | None, said: str
):
    path = tmp_path / name
    if data is None:
        with tarfile.open(path, "w"):
            pass
    else:
        path.write_bytes(data)

    with pytest.raises((ImageError, ArchiveError), match=said) as refused:
        open_source(str(path))

    assert "\n" not in str(refused.value)


def saved(path: Path, listed: object, **files: bytes) -> str:
    with tarfile.open(path, "w") as made:
        for name, data in {"manifest.json": json.dumps(listed).encode(), **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return f"docker-archive:{path}"


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([], "lists no image"),
        ([{}, {}], "holds 2 images"),
        ([{"Config": 1, "Layers": []}], "lists no image"),
        ([{"Config": "c", "Layers": [1]}], "lists no layers"),
        ([{"Config": "../../etc/passwd", "Layers": []}], "cannot be read"),
        ([{"Config": "c", "Layers": ["/etc/passwd"]}], "lists other layers"),
        ("x" * (5 << 20), "larger than 4 MiB"),
    ],
)
def test_a_saved_image_that_lies_is_one_line(tmp_path: Path, listed: object, said: str):
    config = json.dumps({"rootfs": {"diff_ids": []}}).encode()

    with pytest.raises(ImageError, match=said) as refused:
        read(saved(tmp_path / "a.tar", listed, c=config), tmp_path)

    assert "\n" not in str(refused.value)


def test_a_layout_whose_blob_is_a_pipe_does_not_wait(tmp_path: Path):
    layout(tmp_path / "image", FILES)
    (tmp_path / "image" / "index.json").unlink()
    os.mkfifo(tmp_path / "image" / "index.json")

    with pytest.raises(ImageError, match="no OCI image layout"):
        read(f"oci:{tmp_path / 'image'}", tmp_path)


def test_a_name_that_is_nothing_is_refused(tmp_path: Path):
    with pytest.raises(BadNameError):
        open_source("No Name")
    with pytest.raises(ImageError, match="cannot be read: No such file"):
        open_source(f"oci-archive:{tmp_path / 'absent'}")


# ---- what buildah and podman write ----


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which buildah has a store of its own, and an image ``x``."""
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed: apt-get install -y buildah")
    home = tmp_path_factory.mktemp("buildah")
    (home / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/store"\nrunroot = "{home}/run"\n'
    )
    env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"), "HOME": str(home)}
    (home / "one").mkdir()
    for name, data in (("a", b"old"), ("gone", b"gone")):
        (home / "one" / name).write_bytes(data)
    (home / "two").mkdir()
    (home / "two" / "a").write_bytes(b"newer")

    first = buildah(env, "from", "scratch")
    buildah(env, "copy", "-q", first, str(home / "one"), f"/{BENTO}")
    buildah(env, "commit", "-q", "--rm", first, "localhost/first")
    second = buildah(env, "from", "--pull-never", "localhost/first")
    mounted = Path(buildah(env, "mount", second))
    (mounted / BENTO / "gone").unlink()
    buildah(env, "umount", second)
    buildah(env, "copy", "-q", second, str(home / "two"), f"/{BENTO}")
    buildah(env, "config", "--label", "made.by=buildah", second)
    buildah(env, "commit", "-q", "--rm", second, "localhost/x")
    return env


def buildah(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *arguments], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive", "oci", "registry"])
@pytest.mark.skipif(os.geteuid() != 0, reason="buildah mount needs root")
def test_what_buildah_writes_is_read(
    tmp_path: Path, builder: dict[str, str], real: RunningRegistry, form: str
):
    target = f"docker://{real.host}/x:1" if form == "registry" else f"{form}:{tmp_path / 'x'}:x:1"
    buildah(builder, "push", "-q", "--tls-verify=false", "localhost/x", target)

    name = f"{real.host}/x:1" if form == "registry" else f"{form}:{tmp_path / 'x'}"
    source = open_source(name)

    assert labels(source)["made.by"] == "buildah"
    extract_files(source, f"/{BENTO}", tmp_path / "out")
    assert files_in(tmp_path / "out") == {"a": b"newer"}
    source.close()


def test_skopeo_reads_what_is_written(tmp_path: Path):
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed: apt-get install -y skopeo")
    manifest = layout(tmp_path / "image", FILES, labels={"a": "b"})
    write_archive(tmp_path / "image", tmp_path / "one.tar", "host:5000/x:1")

    for name in (f"oci:{tmp_path / 'image'}", f"oci-archive:{tmp_path / 'one.tar'}"):
        done = subprocess.run(
            ["skopeo", "inspect", name], capture_output=True, text=True, timeout=60, check=True
        )
        told = json.loads(done.stdout)
        assert (told["Digest"], told["Labels"]) == (manifest.digest, {"a": "b"})
