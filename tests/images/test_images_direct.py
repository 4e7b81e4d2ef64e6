"""Images written without a builder: whole, the same each time, and nothing of this machine in them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara.errors import ImageError, RegistryError
from sinara.images.content import extract_files, labels
from sinara.images.direct import Direct
from sinara.images.files import FolderFiles
from sinara.images.layout import LayoutSource, blob_path, write_index
from sinara.images.manifest import Manifest
from sinara.images.origin import open_source, read_config
from sinara.images.push import push
from sinara.images.registry import Registry
from sinara.images.values import BENTO, Built, Running
from tests.containers import Storage, wheel
from tests.images.made import folder, layout
from tests.images.recipes import EPOCH, recipe
from tests.images.registries import Answer, Request, RunningRegistry, registry, server, tags

MAKE_BASE = Path(__file__).parents[2] / "tools" / "base_image.py"
SMALL = [folder("etc"), ("etc/base", b"base")]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base that holds no Python: enough for what is not started."""
    path = tmp_path_factory.mktemp("base")
    layout(path, SMALL, env=["PATH=/opt/bin:/usr/bin", "PYTHON_VERSION=3.11.9", "OLD=1"])
    return f"oci:{path}"


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base with this machine's Python."""
    path = tmp_path_factory.mktemp("debian") / "base.tar"
    command = [sys.executable, str(MAKE_BASE), "--oci-archive", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"no base image can be made here: {done.stderr.strip()}")
    return f"oci-archive:{path}"


@pytest.fixture
def direct(tmp_path: Path) -> Direct:
    (tmp_path / "scratch").mkdir()
    return Direct(cache=tmp_path / "cache", scratch=tmp_path / "scratch")


def quiet(_: str) -> None:
    pass


def manifest_of(built: Built) -> Manifest:
    return LayoutSource(FolderFiles(Path(built.where)), "", "").manifest()


def contents(built: Built) -> bytes:
    """Return all that an image holds, as one text to look for secrets in."""
    blobs = (Path(built.where) / "blobs" / "sha256").iterdir()
    datas = [path.read_bytes() for path in blobs]
    return b"".join(gzip.decompress(d) if d.startswith(b"\x1f\x8b") else d for d in datas)


def test_two_builds_are_one_image_and_new_weights_change_the_last_layer(
    tmp_path: Path, base: str, direct: Direct
):
    said: list[str] = []
    fresh = Direct(scratch=tmp_path / "scratch")
    one = direct.build(recipe(tmp_path / "one", base=base), said.append)

    again = direct.build(recipe(tmp_path / "two", base=base), said.append)
    anew = fresh.build(recipe(tmp_path / "three", base=base), quiet)
    other = direct.build(recipe(tmp_path / "four", base=base, model="new"), said.append)

    assert one.id == again.id == anew.id != other.id
    assert manifest_of(one).digest == manifest_of(again).digest == manifest_of(anew).digest
    layers = [manifest_of(built).layers for built in (one, other)]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]
    assert sum("as in an earlier build" in line for line in said) == 2


def test_what_an_image_says_of_itself(tmp_path: Path, base: str, direct: Direct):
    told = {"org.opencontainers.image.version": "run-1"}
    built = direct.build(recipe(tmp_path / "r", base=base, labels=told), quiet)

    source = open_source(f"oci:{built.where}")
    config = read_config(source)
    env = dict(line.split("=", 1) for line in config["config"]["Env"])

    assert labels(source) == told
    assert config["config"]["User"] == "1034:1034"
    assert config["config"]["Entrypoint"] == ["python3", "-m", "bentoml"]
    assert config["config"]["ExposedPorts"] == {"3000/tcp": {}}
    assert config["created"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
    assert env["PATH"] == "/opt/bin:/usr/bin"
    assert env["PYTHONPATH"] == "/app/site"
    assert env["OLD"] == "1"
    assert [line["created_by"] for line in config["history"]] == [
        "made by hand",
        "sinara: packages",
        "sinara: code",
        "sinara: model",
    ]
    assert built.base_digest == manifest_of_base(base).digest


def manifest_of_base(base: str) -> Manifest:
    return open_source(base).manifest()


def test_what_went_in_comes_out(tmp_path: Path, base: str, direct: Direct):
    built = direct.build(recipe(tmp_path / "r", base=base), quiet)

    extract_files(open_source(f"oci:{built.where}"), BENTO, tmp_path / "bento")
    extract_files(open_source(f"oci:{built.where}"), "/app/site", tmp_path / "site")

    assert (tmp_path / "bento" / "m.bin").read_text() == "weights"
    assert (tmp_path / "bento" / "a.py").read_text() == "x = 1\n"
    site = {
        path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*")
    }
    assert "bentoml/__main__.py" in site
    assert any(name.startswith("bentoml/__pycache__/__main__.cpython-") for name in site)
    assert not {"bin", ".lock", "bentoml-0.0.1.dist-info/direct_url.json"} & site


def test_a_base_in_the_same_registry_is_mounted_and_blobs_that_are_there_are_not_sent(
    tmp_path: Path, base: str, direct: Direct, real: RunningRegistry
):
    push_layout(base, f"{real.host}/base/python:3.11", tmp_path)
    built = direct.build(recipe(tmp_path / "r", base=f"{real.host}/base/python:3.11"), quiet)
    said: list[str] = []

    first = direct.push(built, f"{real.host}/team/model:run-1", said.append)
    again = direct.push(built, f"{real.host}/team/model:run-1", said.append)

    assert first == again == manifest_of(built).digest
    assert not (Path(built.where) / blob_path(manifest_of(built).layers[0].digest)).exists()
    assert [line.rpartition(", ")[2] for line in said] == [
        *("mounted", "sent", "sent", "sent"),
        *["there already"] * 4,
    ]
    assert tags(real.host, "team/model") == ["run-1"]
    annotations = manifest_of(built).annotations
    assert annotations["org.opencontainers.image.base.digest"] == built.base_digest


def push_layout(base: str, name: str, tmp_path: Path) -> None:
    copied = tmp_path / "pushed"
    shutil.copytree(base.removeprefix("oci:"), copied)
    write_index(copied, manifest_of_base(base), "linux/amd64", name)
    push(copied, name, quiet)


def test_a_base_in_another_registry_is_fetched_when_it_is_needed(
    tmp_path: Path, base: str, direct: Direct, real: RunningRegistry
):
    push_layout(base, f"{real.host}/far/python:3.11", tmp_path)
    built = direct.build(recipe(tmp_path / "r", base=f"{real.host}/far/python:3.11"), quiet)

    with registry(tmp_path / "second") as second:
        direct.push(built, f"{second.host}/model:1", quiet)

        assert second.blobs() >= {layer.digest for layer in manifest_of(built).layers}


def test_a_tag_is_never_given_to_other_content(
    tmp_path: Path, base: str, direct: Direct, real: RunningRegistry
):
    name = f"{real.host}/kept/model:run-1"
    one = direct.build(recipe(tmp_path / "one", base=base), quiet)
    other = direct.build(recipe(tmp_path / "two", base=base, model="new"), quiet)
    digest = direct.push(one, name, quiet)

    with pytest.raises(RegistryError, match="other content"):
        direct.push(other, name, quiet)

    with Registry(real.host) as asked:
        assert asked.digest("kept/model", "run-1") == digest
        assert asked.digest("kept/model", manifest_of(other).digest) is None


def test_a_tagged_image_is_an_archive_that_is_found_again(tmp_path: Path, base: str):
    archive = tmp_path / "image.tar"
    direct = Direct(archive=archive)
    built = direct.build(recipe(tmp_path / "r", base=base), quiet)
    assert direct.tagged("host:5000/model:1") is None

    direct.tag(built, "host:5000/model:1")
    direct.discard(built)

    assert direct.tagged("host:5000/model:1") == built.id
    assert direct.tagged("host:5000/model:2") is None
    assert not Path(built.where).exists()
    if shutil.which("skopeo"):
        done = subprocess.run(
            ["skopeo", "inspect", "--config", f"oci-archive:{archive}:host:5000/model:1"],
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert json.loads(done.stdout)["config"]["User"] == "1034:1034"


def answer(running: Running, path: str = "/readyz") -> dict[str, object]:
    end = time.monotonic() + 60
    while running.alive() and time.monotonic() < end:
        try:
            with urllib.request.urlopen(running.url + path, timeout=5) as said:
                return dict(json.load(said))
        except OSError:
            time.sleep(0.1)
    raise AssertionError(running.log())


def test_an_image_that_was_pulled_from_the_registry_serves_without_rights(
    tmp_path: Path, debian: str, direct: Direct, real: RunningRegistry, images: Storage
):
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed: apt-get install -y podman runc")
    built = direct.build(recipe(tmp_path / "r", base=debian), quiet)
    name = f"{real.host}/served/model:1"
    digest = direct.push(built, name, quiet)
    images.run(
        "podman", "pull", "--quiet", "--tls-verify=false", f"{real.host}/served/model@{digest}"
    )

    running = direct.run(built)
    try:
        said = answer(running)
    finally:
        running.stop()

    assert running.how == "podman"
    assert (said["uid"], said["gid"], said["writes"], said["caps"]) == (1034, 1034, False, 0)
    assert said["model"] == "weights"
    assert not running.alive()
    assert images.run("podman", "ps", "--all", "--quiet").strip() == ""


def test_without_an_engine_this_machines_python_serves_and_leaves_nothing(
    tmp_path: Path, base: str, direct: Direct, monkeypatch: pytest.MonkeyPatch
):
    built = direct.build(recipe(tmp_path / "r", base=base), quiet)
    (tmp_path / "temp").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))

    assert direct.cannot_run() == ""
    running = direct.run(built)
    try:
        said = answer(running)
    finally:
        running.stop()
        running.stop()

    assert said["model"] == "weights"
    assert "this machine's Python" in running.how
    assert not running.alive()
    assert list((tmp_path / "temp").iterdir()) == []


STARTED = """
import sys, time
from pathlib import Path
from sinara.images import local, packages
python = packages.find_python(f"{sys.version_info.major}.{sys.version_info.minor}")
print(local.start([Path(layer) for layer in sys.argv[1:]], python).url, flush=True)
time.sleep(120)
"""


def test_a_service_of_this_machines_python_ends_with_whoever_is_killed(
    tmp_path: Path, base: str, direct: Direct
):
    built = direct.build(recipe(tmp_path / "r", base=base), quiet)
    files = FolderFiles(Path(built.where))
    layers = LayoutSource(files, "", "").manifest().layers[-3:]
    paths = [str(Path(built.where, blob_path(layer.digest))) for layer in layers]
    words = [sys.executable, "-c", STARTED, *paths]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        came = waits_for(url, there=True)
        process.kill()

    assert came
    assert waits_for(url, there=False)


def waits_for(url: str, *, there: bool) -> bool:
    """Wait until a service answers, or no longer does; return whether that came."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
            answers = True
        except OSError:
            answers = False
        if answers == there:
            return True
        time.sleep(0.1)
    return False


def test_a_package_without_a_wheel_is_named_and_nothing_is_left(
    tmp_path: Path, base: str, direct: Direct
):
    asked = recipe(tmp_path / "r", base=base, pins="absent==1.0")

    with pytest.raises(ImageError, match="cannot be installed from wheels") as refused:
        direct.build(asked, quiet)

    assert any("absent" in line for line in refused.value.lines)
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("moment", ["packages: ", "code", "model"])
def test_an_interrupted_build_leaves_nothing(
    tmp_path: Path, base: str, direct: Direct, moment: str
):
    def say(line: str) -> None:
        if moment in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        direct.build(recipe(tmp_path / "r", base=base), say)

    assert list((tmp_path / "scratch").iterdir()) == []


def test_two_builds_at_once_make_one_image(tmp_path: Path, base: str, direct: Direct):
    built: list[Built] = []
    asked = recipe(tmp_path / "r", base=base)
    threads = [
        threading.Thread(target=lambda: built.append(direct.build(asked, quiet))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)

    assert len({one.id for one in built}) == 1
    assert len({one.where for one in built}) == 3
    kept = [path.name for path in (tmp_path / "cache").iterdir()]
    assert len(kept) == 1


def test_a_kept_layer_that_was_changed_is_made_again(tmp_path: Path, base: str, direct: Direct):
    asked = recipe(tmp_path / "r", base=base)
    one = direct.build(asked, quiet)
    (kept,) = (tmp_path / "cache").glob("*/layer")
    data = kept.read_bytes()
    kept.unlink()
    kept.write_bytes(data + b"x")
    said: list[str] = []

    assert direct.build(asked, said.append).id == one.id
    assert not any("earlier build" in line for line in said)
    assert direct.build(asked, said.append).id == one.id
    assert any("earlier build" in line for line in said)


def test_the_password_of_an_index_stays_on_this_machine(
    tmp_path: Path, base: str, direct: Direct, monkeypatch: pytest.MonkeyPatch
):
    file = wheel(tmp_path / "index", "bentoml", "0.0.1", {"bentoml/__init__.py": ""})
    login = "Basic " + base64.b64encode(b"bob:index-passw0rd").decode()

    def index(request: Request) -> Answer:
        if request.headers.get("Authorization") != login:
            return Answer(401, headers={"WWW-Authenticate": "Basic"})
        if request.path.endswith(".whl"):
            return Answer(200, file.read_bytes())
        if request.path.rstrip("/").endswith("bentoml"):
            page = f'<a href="/{file.name}">{file.name}</a>'.encode()
            return Answer(200, page, {"Content-Type": "text/html"})
        return Answer(404)

    with server(index) as (host, asked):
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://bob:index-passw0rd@{host}/simple")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        said: list[str] = []
        built = direct.build(recipe(tmp_path / "r", base=base, wheelhouse=None), said.append)

    assert any(request.path.endswith(".whl") for request in asked)
    held = contents(built)
    assert b"bentoml/__init__.py" in held
    for secret in (b"passw0rd", host.encode(), str(tmp_path).encode()):
        assert secret not in held
    assert "passw0rd" not in "".join(said)


def test_an_image_for_another_platform_is_built_but_not_started(tmp_path: Path, direct: Direct):
    layout(tmp_path / "arm", SMALL, platform="linux/arm64")
    asked = recipe(tmp_path / "r", base=f"oci:{tmp_path / 'arm'}", platform="linux/arm64")

    built = direct.build(asked, quiet)

    source = open_source(f"oci:{built.where}", platform="linux/arm64")
    assert read_config(source)["architecture"] == "arm64"
    with pytest.raises(ImageError, match="for linux/arm64; this machine is"):
        direct.run(built)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"platform": "linux/arm64"}, "is for 'linux/amd64', not for linux/arm64"),
        ({"platform": "linux/s390x"}, "is for 'linux/amd64'"),
        ({"python": "3.12"}, "has Python '3.11.9', the model was made with 3.12"),
        ({"base": "registry.invalid/python:3.11", "offline": True}, "no network may be asked"),
        ({"base": "oci:/nowhere"}, "holds no OCI image layout"),
        ({"pins": "--index-url https://a:b@c"}, "no name==version"),
        ({"code": Path("/nowhere")}, "No such file"),
    ],
)
def test_what_cannot_be_built_is_one_line(
    tmp_path: Path, base: str, direct: Direct, how: dict[str, object], said: str
):
    with pytest.raises(ImageError, match=said) as refused:
        direct.build(recipe(tmp_path / "r", **{"base": base, **how}), quiet)  # type: ignore[arg-type]

    assert len(refused.value.lines) == 1
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_link_in_the_service_is_refused(tmp_path: Path, base: str, direct: Direct):
    asked = recipe(tmp_path / "r", base=base)
    (asked.code / "link").symlink_to("a.py")

    with pytest.raises(ImageError, match="it is a link"):
        direct.build(asked, quiet)


def test_offline_a_wheelhouse_and_a_base_that_is_here_are_enough(
    tmp_path: Path, base: str, direct: Direct, monkeypatch: pytest.MonkeyPatch
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing can be reached

    assert direct.build(recipe(tmp_path / "r", base=base, offline=True), quiet).id


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, debian: str):
    """A limit on the size of files stands for the disk: the system refuses to write more."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    recipe(tmp_path / "r")
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from sinara.errors import ImageError\n"
        "from sinara.images.direct import Direct\n"
        "from tests.images.recipes import recipe\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "asked = recipe(Path(sys.argv[1]), base=sys.argv[2])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))\n"
        "try: Direct(scratch=Path(sys.argv[3])).build(asked, lambda line: None)\n"
        "except ImageError as error: print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-B", "-c", script, str(tmp_path / "r"), debian, str(scratch)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    assert "File too large" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(scratch.iterdir()) == []


def test_what_a_build_would_start_is_told_without_starting_it(tmp_path: Path, direct: Direct):
    asked = recipe(tmp_path / "r", base="nowhere.invalid/x", offline=True)

    install, compile_ = direct.commands(asked)

    assert {"--no-deps", "--no-index", "--offline", "--only-binary"} <= set(install)
    assert compile_[-2:] == ["checked-hash", "BUILD/site"]
