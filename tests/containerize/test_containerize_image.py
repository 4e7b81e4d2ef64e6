"""From a run to an image, to a registry, to another machine, to an answer."""

from __future__ import annotations

import io
import json
import tarfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara.serving.ask import ask
from sinara.serving.server import is_ready
from tests.commands import Answer
from tests.containerize.conftest import Containerize, Made, names_of, started, told
from tests.containers import BASE, Storage
from tests.images.registries import RunningRegistry, tags
from tests.served import Served

pytestmark = pytest.mark.slow
NAME = "user.pipe.zone.pack"


def manifest_of(image: str) -> dict:
    """The manifest that a registry has of an image."""
    host, _, rest = image.partition("/")
    repository, _, tag = rest.rpartition(":")
    kinds = ("oci.image.manifest.v1", "docker.distribution.manifest.v2")
    asked = urllib.request.Request(
        f"http://{host}/v2/{repository}/manifests/{tag}",
        headers={"Accept": ", ".join(f"application/vnd.{kind}+json" for kind in kinds)},
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return {**json.load(answer), "digest": answer.headers["Docker-Content-Digest"]}


def blob(registry: RunningRegistry, digest: str) -> bytes:
    """What a registry stores."""
    hexed = digest.removeprefix("sha256:")
    place = registry.folder / f"docker/registry/v2/blobs/sha256/{hexed[:2]}/{hexed}/data"
    return place.read_bytes()


def config_of(registry: RunningRegistry, image: str) -> dict:
    """The configuration that a registry has of an image."""
    config: dict = json.loads(blob(registry, manifest_of(image)["config"]["digest"]))
    return config


def wait_ready(url: str) -> None:
    end = time.monotonic() + 60
    while not is_ready(url):
        assert time.monotonic() < end, "it was never ready"
        time.sleep(0.1)


def test_the_pulled_image_answers_what_the_notebook_predicted(
    built: Made, machine: Storage, served: Served
):
    assert built["image"].rpartition("/")[2] == f"{NAME}:{served.second}"
    assert built["verified"] == "1 sample, in podman"
    host, _, rest = built["image"].partition("/")
    assert tags(host, rest.rpartition(":")[0]) == [served.second]
    machine.run("podman", "rmi", built["image"])
    machine.run("podman", "pull", "--quiet", "--tls-verify=false", built["image"])

    with started(machine, built["image"]) as url:
        wait_ready(url)
        samples = json.loads((served.entity(served.second) / "samples.json").read_text())
        [sample] = samples["samples"]
        assert sample["answer"] == [3.0, 7.5]
        assert ask(url, "predict", sample["request"]) == sample["answer"]
        assert ask(url, "version", {})["run_id"] == served.second


def test_an_image_says_what_it_is_and_runs_as_nobody_of_the_machine(
    built: Made, session_registry: RunningRegistry, served: Served
):
    config = config_of(session_registry, built["image"])["config"]

    assert config["User"] == "1034:1034"
    assert list(config["ExposedPorts"]) == ["3000/tcp"]
    labels = config["Labels"]
    lineage = json.loads((served.entity(served.second) / "lineage.json").read_text())
    held = served.store().commit(served.second).entities["service"]
    assert labels["org.opencontainers.image.version"] == served.second
    assert labels["io.sinara.run_id"] == served.second
    assert labels["io.sinara.entity"] == f"{NAME}.service"
    assert labels["io.sinara.entity.sha256"] == held.manifest_sha256
    assert json.loads(labels["io.sinara.lineage"]) == {**lineage, "user": ""}
    assert lineage["user"] != ""


def test_twice_is_the_same_image_under_the_same_digest(
    built: Made, containerize: Containerize, machine: Storage, place: str
):
    other = told(containerize("service", "--registry", place, "--push", "--json"))

    assert (other["id"], other["digest"]) == (built["id"], built["digest"])
    assert not other["was_there"]
    for image in (built["image"], other["image"]):
        assert manifest_of(image)["digest"] == built["digest"]
        assert manifest_of(image)["config"]["digest"] == built["id"]


def test_the_same_image_once_more_is_said_to_be_there(
    built: Made, containerize: Containerize, machine: Storage
):
    again = containerize("service", "--registry", built["image"].rpartition("/")[0], "--push")

    assert again.code == 0
    assert "The same image was there already." in again.err
    assert "Sending it" not in again.err
    assert built["digest"] in again.out


def test_the_run_remembers_its_image_and_what_is_in_it(
    built: Made, served: Served, sinara: Callable[..., Answer]
):
    shown = json.loads(sinara("run", "show", served.second, "--json").out)["run"]

    noted = [one["body"] for one in shown["notes"] if one["body"]["image"] == built["image"]]
    assert {(one["id"], one["digest"]) for one in noted} == {(built["id"], built["digest"])}
    folder = Path(served.store().record_folder(served.second)) / "images"
    [bom] = folder.glob(f"service-{built['id'][7:19]}*.cdx.json")
    components = {one["name"] for one in json.loads(bom.read_text())["components"]}
    assert {"bentoml", "numpy", BASE} <= components


def test_new_weights_change_the_last_layer_only(
    built: Made, containerize: Containerize, machine: Storage, served: Served, place: str
):
    words = ("service", "--run", served.first, "--registry", place, "--push", "--json")
    old = told(containerize(*words))

    before, after = (manifest_of(one["image"])["layers"] for one in (old, built))
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


def test_a_second_service_of_a_run_has_its_own_name(
    containerize: Containerize, machine: Storage, served: Served, place: str
):
    answer = containerize("pair.times", "--registry", place, "--dry-run", "--json")

    plan = json.loads(answer.out)["plan"]
    assert plan["image"] == f"{place}/user.pipe.zone.pair.times:{served.pair}"
    assert plan["backend"] == "buildah"
    assert plan["commands"][0][:2] == ["buildah", "build"]
    assert names_of(machine, place) == []
    assert "Nothing was built" not in answer.out


@pytest.mark.parametrize("backend", ["buildah", "direct"])
def test_no_word_of_the_build_machine_is_in_the_image(
    containerize: Containerize,
    machine: Storage,
    session_registry: RunningRegistry,
    place: str,
    base: str,
    private_machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
):
    secret = "hunter2secret"
    address = f"http://me:{secret}@127.0.0.1:9/simple"
    for name in ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "API_TOKEN"):
        monkeypatch.setenv(name, address)
    (private_machine / ".config/pip").mkdir(parents=True)
    (private_machine / ".config/pip/pip.conf").write_text(f"[global]\nindex-url = {address}\n")
    words = ["--backend", backend, *(["--base", base] if backend == "direct" else [])]

    answer = containerize("service", "--registry", place, "--push", "--json", "--verbose", *words)

    image = told(answer)["image"]
    told_in_config = json.dumps(config_of(session_registry, image))
    for word in (secret, "127.0.0.1:9/", str(private_machine)):
        assert word not in answer.err
        assert word not in told_in_config
    for layer in manifest_of(image)["layers"][1:]:
        with tarfile.open(fileobj=io.BytesIO(blob(session_registry, layer["digest"]))) as tar:
            for member in tar:
                content = tar.extractfile(member).read() if member.isfile() else b""
                assert secret.encode() not in content, member.name
                assert not member.name.startswith(("root/.cache", "run/", "tmp/")), member.name
