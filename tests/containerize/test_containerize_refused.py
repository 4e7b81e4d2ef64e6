"""What cannot become an image is told in one line, before anything is built."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara.names import new_run_id
from sinara.substep import ENTITY_NAME, NotebookSubstep, interactive, session
from tests.commands import Answer
from tests.containerize.conftest import Containerize
from tests.containers import BASE
from tests.served import Served, forge_service

ANY = "registry.example.org/team"


def line_of(answer: Answer, code: int = 2) -> str:
    """The one line that is left of a command that failed."""
    assert answer.code == code, answer.err + answer.out
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if not line.startswith("Building ")]
    assert len(lines) == 1, answer.err
    return lines[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param([], "No entity is named", id="no entity"),
        pytest.param(["service", "--entity", "service"], "given twice", id="twice"),
        pytest.param(["nothing"], "No entity 'nothing'. There is pack.service", id="no such"),
        pytest.param(["service", "--run", "run-99"], "in a run 'run-99'", id="no such run"),
        pytest.param(["service", "--push"], "--registry host:5000/team", id="push to nowhere"),
        pytest.param(["service", "--base", "$(id)"], "--base: '$(id)' is not a name", id="base"),
        pytest.param(["service", "--base", "-v"], "--base: '-v' is not a name", id="option"),
        pytest.param(
            ["service", "--backend", "direct"], "add --push, or --archive FILE", id="kept nowhere"
        ),
        pytest.param(
            ["service", "--backend", "podman", "--archive", "x.tar"],
            "podman writes no archive",
            id="archive of podman",
        ),
        pytest.param(
            ["service", "--archive", "/no/such/folder/x.tar"],
            "--archive: there is no folder /no/such/folder",
            id="archive nowhere",
        ),
        pytest.param(
            ["service", "--platform", "windows/amd64"],
            "--platform: 'windows/amd64' cannot be: write linux/amd64 or linux/arm64",
            id="platform",
        ),
        *[
            pytest.param(["service", "--registry", name], "cannot be used", id=f"registry {name!r}")
            for name in (
                "https://registry.example.org/x",
                "reg x",
                "$(touch canary)/x",
                "a..b/c",
                "x/`id`",
                "x\ny",
                "-h/x",
                "x:99999999/y",
            )
        ],
    ],
)
def test_what_cannot_be_is_one_line_and_2(
    containerize: Containerize, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setenv("SINARA_IMAGES_BASE", BASE)

    assert says in line_of(containerize(*words))


def test_a_base_is_asked_for(containerize: Containerize):
    assert "There is no base image. Name one" in line_of(containerize("service"))


def test_without_a_network_and_without_wheels_nothing_begins(
    sinara: Callable[..., Answer], served: Served
):
    answer = sinara("model", "containerize", "service", "--offline", "--base", BASE)

    assert "--wheelhouse DIR" in line_of(answer)


def test_a_wheelhouse_that_is_not_there_is_named(containerize: Containerize, tmp_path: Path):
    words = ("--base", BASE, "--wheelhouse", str(tmp_path / "none"))

    assert f"{tmp_path}/none is no folder" in line_of(containerize("service", *words))


def test_a_backend_that_does_not_exist_is_answered_with_those_that_do(containerize: Containerize):
    answer = containerize("service", "--base", BASE, "--backend", "rocket")

    assert answer.code == 2
    assert "'rocket' is not one of 'buildah', 'podman', 'docker', 'direct'" in answer.err


def test_a_backend_that_is_not_installed_says_what_to_install(
    containerize: Containerize, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "/nowhere")

    answer = containerize("service", "--base", BASE, "--backend", "podman")

    assert "apt-get install podman" in line_of(answer)


def test_direct_says_where_it_takes_a_base_from(containerize: Containerize, tmp_path: Path):
    words = ("--base", "localhost/python:3.11", "--archive", str(tmp_path / "x.tar"))

    line = line_of(containerize("service", *words))

    assert "localhost/python:3.11" in line
    assert "oci-archive:FILE" in line


def test_an_archive_that_is_another_file_stays_as_it_is(
    containerize: Containerize, base: str, tmp_path: Path
):
    (tmp_path / "notes.txt").write_text("of a user")

    answer = containerize("service", "--base", base, "--archive", str(tmp_path / "notes.txt"))

    assert "notes.txt" in line_of(answer)
    assert (tmp_path / "notes.txt").read_text() == "of a user"


# -- entities ------------------------------------------------------------------------------


@pytest.fixture
def own(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A copy of the pipeline that belongs to one test."""
    shutil.copytree(served.folder, tmp_path / "p", symlinks=True)
    copy = Served(tmp_path / "p", served.first, served.second, served.pair)
    monkeypatch.chdir(copy.pack)
    monkeypatch.setenv("SINARA_IMAGES_BASE", BASE)
    return copy


def test_an_entity_that_holds_no_service_says_what_it_holds(
    containerize: Containerize, own: Served
):
    import pandas as pd

    with own.store("raw").claim(new_run_id()) as writer:
        pd.DataFrame({"x": [1]}).to_parquet(writer.entity_url("table"))
        writer.settle("table")
        writer.seal("table")
        writer.commit(inputs={}, code={}, params_sha256="", substeps=[])

    line = line_of(containerize("raw.table", "--registry", ANY))

    assert "holds no service" in line
    assert "save_bentoservice" in line


@pytest.mark.parametrize(
    "name", ["bento.tar", "service.json", "samples.json", "requirements.txt", "lineage.json"]
)
def test_a_damaged_entity_is_3(containerize: Containerize, own: Served, name: str):
    path = own.entity(own.second) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)

    line = line_of(containerize("service", "--registry", ANY), code=3)

    assert name in line


def test_a_run_that_was_never_published_is_refused(containerize: Containerize, own: Served):
    forged = own.entity(own.second).parents[1] / "run-26-01-01-000000-000000-00000000"
    shutil.copytree(own.entity(own.second), forged / "service")

    answer = containerize(str(forged / "service"), "--registry", ANY)

    assert "run-26-01-01-000000" in line_of(answer)


def old_entity(own: Served, kind: str) -> Path:
    """An entity as the original leaves it, with a service of BentoML 0.13."""
    place = own.entity(own.second).parents[2] / "old" / "run-20-11-21-101112-000000" / "service"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "model.zip", "w") as archive:
        archive.writestr("Old/bentoml.yml", f"version: {kind}\nkind: BundledBentoService\n")
        archive.writestr("Old/artifacts/model.bin", "weights")
    (place / "save_info.txt").write_text("BENTO_SERVICE=user.pipe.zone.Old.run-20\n")
    (place / "_SUCCESS").touch()
    (place.parent / "_SUCCESS").touch()
    return place


def test_a_service_of_bentoml_0_13_is_answered_with_what_to_do(
    containerize: Containerize, own: Served, sinara: Callable[..., Answer], tmp_path: Path
):
    place = old_entity(own, "0.13.1")

    line = line_of(containerize(str(place), "--registry", ANY))

    assert "BentoML 0.13.1" in line
    assert "sinara model extract-artifacts" in line
    got = sinara("model", "extract-artifacts", str(place), str(tmp_path / "files"))
    assert got.code == 0, got.err
    assert (tmp_path / "files/Old/artifacts/model.bin").read_text() == "weights"


def test_a_service_of_a_newer_sinara_says_to_upgrade(containerize: Containerize, own: Served):
    run_id = forge_service(own, "newer", {}, told={"schema_version": 99})

    assert "Upgrade" in line_of(containerize("newer.service", "--run", run_id, "--registry", ANY))


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "src/none", "src", ""])
def test_weights_that_are_no_files_of_the_bento_are_refused(
    containerize: Containerize, own: Served, path: str
):
    forge_service(own, "forged", {}, told={"weights": [path]})

    line = line_of(containerize("forged.service", "--registry", ANY, "--dry-run"), code=3)

    assert repr(path) in line


def test_a_notebook_s_snapshot_can_be_an_image(
    containerize: Containerize, own: Served, machine: object
):
    substep = NotebookSubstep()
    substep.interface(outputs=[{ENTITY_NAME: "service"}])
    shutil.copytree(own.entity(own.first), substep.outputs().service, dirs_exist_ok=True)
    (Path(substep.outputs().service) / "_SUCCESS").unlink()
    run_id = substep.publish()
    interactive.leave()
    session._remembered.clear()
    NotebookSubstep.current = None

    answer = containerize("service", "--registry", ANY, "--dry-run", "--json")

    assert json.loads(answer.out)["plan"]["run"] == run_id
