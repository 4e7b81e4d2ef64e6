"""An image asked where it came from, and for its files, without being run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara.containerize import origin
from tests.commands import Answer
from tests.containerize.conftest import Made, names_of
from tests.containers import BASE, Storage, need
from tests.images import made
from tests.images.registries import Answer as Reply
from tests.images.registries import free_port, server
from tests.served import Served

Sinara = Callable[..., Answer]
FIRST = "user.pipe.zone.pack.service"


def test_an_image_of_this_machine_is_traced_to_its_data(
    built: Made, machine: Storage, served: Served, sinara: Sinara
):
    answer = sinara("why", built["image"])

    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"{FIRST}  {served.second}\n")
    assert "made by  save.ipynb" in answer.out
    assert "factor=3.0" in answer.out
    assert answer.err == ""


def test_an_image_of_a_registry_is_traced_too_and_nothing_is_pulled(
    built: Made, machine: Storage, served: Served, sinara: Sinara, place: str
):
    image = f"{place}/{built['image'].rpartition('/')[2]}"
    words = ("--src-tls-verify=false", "--dest-tls-verify=false")
    need("skopeo")
    subprocess.run(
        ["skopeo", "copy", "-q", *words, f"docker://{built['image']}", f"docker://{image}"],
        check=True, timeout=60,
    )  # fmt: skip

    answer = sinara("why", image)

    assert answer.out.startswith(f"{FIRST}  {served.second}\n")
    assert names_of(machine, place) == []


def test_where_the_store_is_another_one_the_labels_speak(
    built: Made, machine: Storage, sinara: Sinara, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    words = ("why", built["image"], "--env", "user", "--pipeline", "pipe")

    answer = sinara(*words)

    assert answer.code == 0, answer.err
    assert "The store here does not have that run" in answer.err
    assert FIRST in answer.out
    assert "save.ipynb" in answer.out
    told = json.loads(sinara(*words, "--json").out)["origin"]
    assert told["entity"] == FIRST
    assert told["user"] == ""


def test_a_registry_that_is_down_leaves_the_name_and_that_is_said(served: Served, sinara: Sinara):
    host = f"127.0.0.1:{free_port()}"

    answer = sinara("why", f"{host}/x/user.pipe.zone.pack:{served.first}")

    assert answer.code == 0
    assert f"The image itself was not looked at: Registry {host} refuses" in answer.err
    assert answer.out.startswith(f"{FIRST}  {served.first}\n")


@pytest.mark.parametrize("name", ["user.pipe.zone.other", "packed", "user.pipe.zone.pack.times"])
def test_a_name_that_no_run_here_would_have_is_no_answer(served: Served, sinara: Sinara, name: str):
    answer = sinara("why", f"127.0.0.1:{free_port()}/x/{name}:{served.first}")

    assert answer.code == 2
    assert answer.out == ""
    assert "refuses the connection" in answer.err


def test_a_registry_that_never_answers_is_given_up(
    served: Served, sinara: Sinara, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(origin, "_TIMEOUT", 0.5)

    with server(lambda request: Reply(503, delay=3)) as (host, _):
        answer = sinara("why", f"{host}/x/user.pipe.zone.pack:{served.first}")

    assert answer.code == 0
    assert "was not looked at" in answer.err


def test_an_image_that_is_not_ours_is_told_so(
    machine: Storage, served: Served, sinara: Sinara, base: str
):
    for image in (BASE, base):
        answer = sinara("why", image)

        assert answer.code == 2
        assert answer.err == (
            f"sinara: {image} was not made by sinara: it has no label io.sinara.entity.\n"
        )


# -- files ---------------------------------------------------------------------------------


def test_the_files_of_an_image_come_out_and_it_never_runs(
    served: Served, sinara: Sinara, tmp_path: Path
):
    """Its entry point would make a file; so would a module that is imported."""
    canary = tmp_path / "canary"
    evil = f"import os; os.mkdir({str(canary)!r})".encode()
    members = [(f"{made.BENTO}/src/evil.py", evil), (f"{made.BENTO}/bento.yaml", b"name: evil\n")]
    made.layout(tmp_path / "image", members, [("entrypoint.sh", b"touch " + bytes(canary))])

    answer = sinara("model", "extract-artifacts", f"oci:{tmp_path}/image", str(tmp_path / "files"))

    assert answer.code == 0, answer.err
    assert answer.out == f"{tmp_path}/files\n"
    assert "2 files of the image." in answer.err
    assert (tmp_path / "files/src/evil.py").read_bytes() == evil
    assert not canary.exists()


def test_an_image_that_writes_elsewhere_is_refused(served: Served, sinara: Sinara, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    members = [
        made.link(f"{made.BENTO}/src", str(outside)),
        (f"{made.BENTO}/src/evil", b"evil"),
        (f"{made.BENTO}/../../../evil", b"evil"),
    ]
    made.layout(tmp_path / "image", members)

    answer = sinara("model", "extract-artifacts", f"oci:{tmp_path}/image", str(tmp_path / "files"))

    assert answer.code == 2
    assert answer.err.count("sinara: ") == 1
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_folder_that_holds_something_keeps_it(served: Served, sinara: Sinara, tmp_path: Path):
    (tmp_path / "files/src").mkdir(parents=True)
    (tmp_path / "files/src/mine.py").write_text("mine")
    made.layout(tmp_path / "image", [(f"{made.BENTO}/src/mine.py", b"theirs")])

    for source in (f"oci:{tmp_path}/image", "service"):
        answer = sinara("model", "extract-artifacts", source, str(tmp_path / "files"))

        assert answer.code == 2
        assert "holds 'src' already" in answer.err
    assert (tmp_path / "files/src/mine.py").read_text() == "mine"


def test_an_image_without_a_bento_is_told_so(
    served: Served, sinara: Sinara, base: str, tmp_path: Path
):
    answer = sinara("model", "extract-artifacts", base, str(tmp_path / "files"))

    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "/home/bentoml/bento" in answer.err


@pytest.mark.slow
def test_an_image_of_this_machine_gives_its_model(
    built: Made, machine: Storage, served: Served, sinara: Sinara, tmp_path: Path
):
    answer = sinara("model", "extract-artifacts", built["image"], str(tmp_path / "files"))

    assert answer.code == 0, answer.err
    samples = (served.entity(served.second) / "samples.json").read_bytes()
    assert (tmp_path / "files/sinara/samples.json").read_bytes() == samples
    assert (tmp_path / "files/src/model/model.pkl").is_file()
    assert (
        machine.run("podman", "ps", "--all", "--quiet", "--filter", f"ancestor={built['id']}") == ""
    )
