"""``bash containerize.sh``: arguments, answers, settings; nothing of them reaches a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containerize.conftest import Made, names_of
from tests.containers import Storage
from tests.served import Served, forge_service

SCRIPT = Path(__file__).parents[2] / "containerize.sh"


def script(
    *words: str, answers: str = "", folder: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run it as a person would."""
    return subprocess.run(
        ["bash", str(SCRIPT), *words],
        cwd=folder,
        input=answers,
        env={**os.environ, "PYTHON": sys.executable, **variables},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.slow
def test_arguments(built: Made, machine: Storage, served: Served, wheelhouse: Path, place: str):
    words = ["--entity", "service", "--registry", place, "--offline", "--wheelhouse"]

    done = script(*words, str(wheelhouse))

    assert done.returncode == 0, done.stderr
    image = f"{place}/user.pipe.zone.pack:{served.second}"
    assert f"image  {image}\n" in done.stdout
    assert names_of(machine, place) == [image]


@pytest.mark.parametrize(
    ("answers", "registry"),
    [
        pytest.param(
            "service\nregistry.example.org/team\n", "registry.example.org/team/", id="both"
        ),
        pytest.param("service\n\n", "", id="no registry"),
        pytest.param("service", "", id="nothing more"),
        pytest.param("PATH\n", "", id="a path"),
    ],
)
def test_answers_on_standard_input(base: str, served: Served, answers: str, registry: str):
    answers = answers.replace("PATH", str(served.entity(served.second)))
    words = ["--base", base, "--archive", "image.tar", "--dry-run"]

    done = script(*words, answers=answers)

    assert done.returncode == 0, done.stderr
    assert f"image    {registry}user.pipe.zone.pack:{served.second}\n" in done.stdout
    assert not Path("image.tar").exists()


def test_the_names_of_the_original_s_questions(base: str, served: Served):
    path = str(served.entity(served.first))
    words = ["--bentoservice_path", path, "--docker_registry", "reg.example.org"]

    done = script(*words, "--base", base, "--archive", "image.tar", "--dry-run")

    assert f"reg.example.org/user.pipe.zone.pack:{served.first}\n" in done.stdout


def test_a_registry_in_the_settings_is_not_asked_for(base: str, served: Served, tmp_path: Path):
    shutil.copytree(served.folder, tmp_path / "p", symlinks=True)
    (tmp_path / "p/pipe-pack/sinara.toml").write_text(
        f'[images]\nregistry = "reg.example.org/set"\nbase = "{base}"\n'
    )
    words = ["--archive", "image.tar", "--dry-run"]

    done = script(*words, answers="service\n", folder=tmp_path / "p/pipe-pack")

    assert done.returncode == 0, done.stderr
    assert "reg.example.org/set/user.pipe.zone.pack:" in done.stdout


def test_no_answer_is_one_line(base: str, served: Served):
    done = script("--base", base)

    assert done.returncode == 2
    assert done.stderr == (
        "sinara: No entity is named. Give --entity, or an answer on standard input.\n"
    )


HOSTILE = ["$(touch canary)", "`touch canary`", "x; touch canary", "'; touch canary #", "a\nb", '"']


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("option", ["--entity", "--registry", "--base", "--run", "--platform"])
def test_no_argument_reaches_a_shell(
    base: str, served: Served, tmp_path: Path, word: str, option: str
):
    given = {"--entity": "service", "--base": base, "--registry": "reg.example.org", option: word}
    words = [part for pair in given.items() for part in pair]

    done = script("--archive", str(tmp_path / "x.tar"), *words, "--dry-run")

    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    assert not Path("canary").exists()


def test_what_an_entity_says_reaches_no_shell(base: str, served: Served, tmp_path: Path):
    shutil.copytree(served.folder, tmp_path / "p", symlinks=True)
    own = Served(tmp_path / "p", served.first, served.second, served.pair)
    hostile = "$(touch canary)`touch canary`\"'\n; touch canary"
    info = f"BENTO_SERVICE={hostile}\n".encode()
    told = {"name": hostile, "version": hostile, "python": "3.11"}
    forge_service(own, "forged", {"save_info.txt": info}, told=told)
    words = ["--base", base, "--archive", str(tmp_path / "x.tar"), "--dry-run"]

    done = script("--entity", "forged.service", *words, folder=own.pack)

    assert "Traceback" not in done.stderr
    assert not (own.pack / "canary").exists()
    assert not (tmp_path / "x.tar").exists()


def test_without_sinara_it_says_what_to_install(tmp_path: Path):
    done = script(PYTHON="/nowhere", VIRTUAL_ENV="", VENV="/nowhere", PATH="/usr/bin:/bin")

    assert (done.returncode, done.stdout) == (2, "")
    assert "sinara is not installed" in done.stderr
