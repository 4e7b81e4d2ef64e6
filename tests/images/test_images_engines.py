from __future__ import annotations

import contextlib
import io
import json
import sys
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sinara.errors import BadNameError, ImageError, RegistryError
from sinara.images.backends import choose
from sinara.images.engines import Buildah, Podman
from sinara.images.runtime import CMD, ENTRYPOINT, environment
from sinara.images.values import Backend, Running
from tests.containers import Storage, storage, wheel
from tests.images.recipes import EPOCH, recipe
from tests.images.registries import Answer, Request, registry, server

ENGINES = [Buildah, Podman]
Engine = type[Buildah] | type[Podman]


def quiet(line: str) -> None:
    pass


def content(engine: Buildah | Podman, id_: str, folder: Path) -> tuple[dict[str, Any], list[bytes]]:
    """The configuration of an image, and its layers, from an export."""
    file = folder / "export.tar"
    engine.save(id_.removeprefix("sha256:"), file)
    with tarfile.open(file) as tar:
        read = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        files = {name: stream.read() for name, stream in read.items() if stream}
    file.unlink()
    index = json.loads(files["manifest.json"])[0]
    return json.loads(files[index["Config"]]), [files[name] for name in index["Layers"]]


def names(layer: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return tar.getnames()


@pytest.mark.slow
def test_two_storages_two_engines_and_no_cache_give_one_id(
    images: Storage, tmp_path: Path, monkeypatch
):
    first = Buildah().build(recipe(tmp_path / "one"), quiet)

    with storage(tmp_path / "containers") as other:
        other.use(monkeypatch)
        second = Podman().build(recipe(tmp_path / "two"), quiet)

    assert (second.id, second.base_digest) == (first.id, first.base_digest)
    assert first.base_digest.startswith("sha256:")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_new_weights_of_a_later_run_make_only_the_last_layer_again(
    images: Storage, tmp_path: Path, engine: Engine
):
    builder = engine()
    before = builder.build(recipe(tmp_path / "one"), quiet)
    said: list[str] = []
    after = builder.build(recipe(tmp_path / "two", model="new", epoch=EPOCH + 86_400), said.append)

    old, new = (content(builder, built.id, tmp_path) for built in (before, after))

    assert "Installed 1 package" not in "\n".join(said)
    differ = [i for i, pair in enumerate(zip(old[1], new[1], strict=True)) if pair[0] != pair[1]]
    assert [[n for n in names(new[1][i]) if "m.bin" in n] for i in differ] == [
        ["home/bentoml/bento/m.bin"]
    ]
    assert new[0]["created"] == "2026-11-22T05:10:00Z"
    assert {entry["created"] for entry in new[0]["history"][1:]} == {new[0]["created"]}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_says_how_it_starts_and_has_its_labels_word_for_word(
    images: Storage, tmp_path: Path, engine: Engine
):
    labels = {"org.opencontainers.image.version": 'r "$HOME" $(id)\nRUN echo evil \\ end', "b": "ü"}
    builder = engine()

    config, layers = content(
        builder, builder.build(recipe(tmp_path / "r", labels=labels), quiet).id, tmp_path
    )

    told = config["config"]
    assert told["Labels"] == labels
    assert told["User"] == "1034:1034"
    assert (told["Entrypoint"], told["Cmd"]) == (list(ENTRYPOINT), list(CMD))
    assert set(told["Env"]) >= {f"{name}={value}" for name, value in environment().items()}
    assert told["ExposedPorts"] == {"3000/tcp": {}}
    assert told["WorkingDir"] == "/home/bentoml/bento"
    assert told["Healthcheck"]["Test"][0] == "CMD"
    assert "evil" not in json.dumps(config["history"])
    assert "app/site/bentoml/__main__.py" in names(layers[2])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_indexes_passwords_and_paths_of_this_machine_stay_out_of_the_image(
    fresh_images: Storage, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    user, token = "planted-user", "planted-token"
    file = wheel(tmp_path, "tiny", "1.0", {"tiny/__init__.py": "x = 1\n"})
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(request.headers.get("Authorization", ""))
        if not asked[-1]:
            return Answer(401, headers={"WWW-Authenticate": "Basic realm=x"})
        page = f'<a href="/files/{file.name}">{file.name}</a>'.encode()
        if request.path.startswith("/files/"):
            return Answer(200, file.read_bytes())
        return Answer(200, page, {"Content-Type": "text/html"})

    said: list[str] = []
    with server(answer) as (host, _):
        settings = tmp_path / "pip.conf"
        settings.write_text(f"[global]\nindex-url = http://{user}:{token}@{host}/simple\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
        wanted = recipe(tmp_path / "r", pins="tiny==1.0", wheelhouse=None)
        built = engine().build(wanted, said.append)
    config, layers = content(engine(), built.id, tmp_path)

    assert any(asked)
    assert "app/site/tiny/__init__.py" in names(layers[2])
    whole = json.dumps(config).encode() + b"".join(layers[1:])
    for planted in (
        user,
        token,
        host,
        "planted",
        str(tmp_path),
        "sinara-image-",
        "direct_url.json",
    ):
        assert planted.encode() not in whole
    assert token not in "\n".join(said)
    here = [n for layer in layers[1:] for n in names(layer)]
    assert not [n for n in here if "cache" in n and "__pycache__" not in n]
    assert not [n for n in here if n.startswith(("root", "tmp", "run/build", "app/site/bin"))]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_base_with_another_python_is_told(images: Storage, tmp_path: Path, engine: Engine):
    with pytest.raises(ImageError, match=r"has Python 3\.11, the model was made with 3\.99"):
        engine().build(recipe(tmp_path / "r", python="3.99"), quiet)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_build_that_fails_shows_the_last_lines_and_leaves_no_container(
    fresh_images: Storage, tmp_path: Path, engine: Engine
):
    before = set((fresh_images.folder / "tmp").glob("sinara-*"))
    with pytest.raises(ImageError, match="could not be installed") as raised:
        engine().build(recipe(tmp_path / "r", pins="nosuch==1.0"), quiet)

    assert any("nosuch" in line for line in raised.value.lines[1:])
    assert fresh_images.containers() == []
    assert set((fresh_images.folder / "tmp").glob("sinara-*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_offline_takes_only_what_is_here(images: Storage, tmp_path: Path, engine: Engine):
    wanted = recipe(tmp_path / "r", offline=True)

    assert engine().build(wanted, quiet).id.startswith("sha256:")
    with pytest.raises(ImageError, match=r"Fetch it first: \w+ pull localhost/nosuch:1"):
        engine().build(replace(wanted, base="localhost/nosuch:1"), quiet)


@pytest.mark.slow
def test_without_uv_and_pip_the_build_says_what_to_install(
    images: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wanted = recipe(tmp_path / "r", model="no uv", pins="bentoml==0.0.1\ntiny==1.0")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")  # its folder has no uv
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")

    with pytest.raises(ImageError, match=r"neither uv nor pip runs .*Install uv"):
        Buildah().build(wanted, quiet)


@pytest.mark.slow
def test_what_was_discarded_leaves_its_layers_to_the_next_build(images: Storage, tmp_path: Path):
    buildah, said = Buildah(), list[str]()
    first = buildah.build(recipe(tmp_path / "one", model="discarded"), quiet)

    buildah.discard(first)
    again = buildah.build(recipe(tmp_path / "two", model="discarded"), said.append)

    assert again == first
    assert not [line for line in said if "Installed" in line]


@pytest.mark.slow
def test_two_builds_at_once_make_the_same_image(images: Storage, tmp_path: Path):
    wanted = [recipe(tmp_path / str(i), model="both") for i in range(2)]
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda one=one: ids.append(Buildah().build(one, quiet).id))
        for one in wanted
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert len(ids) == 2
    assert ids[0] == ids[1]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_is_named_sent_found_and_discarded(
    fresh_images: Storage, tmp_path: Path, engine: Engine
):
    builder = engine()
    built = builder.build(recipe(tmp_path / "r"), quiet)
    with registry(tmp_path / "registry") as here:
        name = f"{here.host}/user.pipe.zone.step:run-1"
        assert builder.tagged(name) is None
        builder.tag(built, name)

        digest = builder.push(built, name, quiet)

        assert builder.tagged(name) == built.id
        with urllib.request.urlopen(
            urllib.request.Request(
                f"http://{here.host}/v2/user.pipe.zone.step/manifests/{digest}",
                headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
            ),
            timeout=10,
        ) as answer:
            assert json.load(answer)["config"]["digest"] == built.id
    builder.discard(built)
    assert builder.tagged(name) == built.id  # it has a name: not what a failed check may remove
    other = builder.build(recipe(tmp_path / "r2", model="bad"), quiet)
    builder.discard(other)
    builder.discard(other)
    with pytest.raises(ImageError, match="could not name"):
        builder.tag(other, "localhost/bad:1")
    with pytest.raises(RegistryError, match="could not be pushed"):
        builder.push(built, name, quiet)


@contextlib.contextmanager
def running(backend: Backend, folder: Path) -> Iterator[Running]:
    built = backend.build(recipe(folder), quiet)
    it = backend.run(built)
    try:
        yield it
    finally:
        it.stop()


def asked(url: str, until: Callable[[], bool]) -> dict[str, Any]:
    """The answer of a service that is starting."""
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
                return dict(json.load(answer))
        except OSError:
            if not until():
                raise


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_what_runs_is_confined_and_gone_when_it_is_stopped(
    images: Storage, tmp_path: Path, engine: Engine
):
    with running(engine(), tmp_path / "r") as it:
        told = asked(it.url, it.alive)
        log = it.log()
        name = it.name  # type: ignore[attr-defined]
        assert it.alive()
        labelled = images.run("podman", "ps", "--quiet", "--filter", "label=sinara.verify")
    it.stop()

    assert told == {
        "path": "/readyz",
        "uid": 1034,
        "gid": 1034,
        "writes": False,
        "caps": 0,
        "model": "weights",
    }
    assert it.url.startswith("http://127.0.0.1:")
    assert it.how == "podman"
    assert "serving" in log
    assert labelled
    assert not it.alive()
    assert name not in images.run("podman", "ps", "--all", "--format", "{{.Names}}")


def test_a_name_that_is_none_is_refused_before_anything_runs(tmp_path: Path):
    with pytest.raises(BadNameError, match="--evil"):
        Buildah().build(recipe(tmp_path, base="--evil"), quiet)


def test_the_first_that_works_is_chosen_and_says_why(images: Storage):
    backend, why = choose()

    assert backend.name == "buildah"
    assert why == "buildah: the same bytes each time, no daemon"
