from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from sinara.errors import ImageError
from sinara.images.context import pins, prepared
from sinara.images.inside import LAYER_TIME
from tests.containers import wheel
from tests.images.recipes import recipe


def test_the_folder_holds_plain_files_with_one_date_and_is_gone_afterwards(tmp_path: Path):
    wanted = recipe(tmp_path / "r")
    (wanted.code / "run.sh").write_text("echo")
    (wanted.code / "run.sh").chmod(0o4700)
    (wanted.code / "empty").mkdir(mode=0o700)

    with prepared(wanted) as place:
        found = [place.context, *place.context.rglob("*")]
        names = {str(p.relative_to(place.context)) for p in found}
        modes = {stat.S_IMODE(p.stat().st_mode) for p in found if p.is_file() and p.name != "uv"}
        folders = {stat.S_IMODE(p.stat().st_mode) for p in found if p.is_dir()}
        dates = {p.stat().st_mtime for p in found}
        private = stat.S_IMODE(place.root.stat().st_mode)

    assert {"code/run.sh", "code/empty", "model/m.bin", "requirements.txt"} <= names
    assert (modes, folders, dates, private) == ({0o644}, {0o755}, {LAYER_TIME}, 0o700)
    assert not place.root.exists()


def test_the_folder_is_gone_after_an_error(tmp_path: Path):
    with pytest.raises(KeyError), prepared(recipe(tmp_path / "r")) as place:
        raise KeyError

    assert not place.root.exists()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str):
    wanted = recipe(tmp_path / "r")
    if kind == "link":
        (wanted.model / "odd").symlink_to("/etc/passwd")
    else:
        os.mkfifo(wanted.model / "odd")

    with pytest.raises(ImageError, match="odd is neither a file nor a folder"), prepared(wanted):
        pass


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://user:word@host/simple",
        "-f /tmp",
        "numpy>=1",
        "numpy==1.0 --hash=x",
        "x @ https://host/x.whl",
        "numpy==1.0; echo",
    ],
)
def test_only_pins_are_taken_and_a_password_is_not_repeated(tmp_path: Path, line: str):
    file = tmp_path / "requirements.txt"
    file.write_text(f"# from https://user:word@host\nsix==1.0  # via x\n{line}\n")

    with pytest.raises(ImageError, match=r"line 3 is no name==version") as raised:
        pins(file)

    assert "word" not in str(raised.value)


def test_comments_of_pins_are_left_out(tmp_path: Path):
    file = tmp_path / "requirements.txt"
    file.write_text("# --index-url https://user:word@host\nsix==1.0  # via x\n\ntorch==2.1+cpu\n")

    assert pins(file) == ["six==1.0", "torch==2.1+cpu"]


def test_only_named_wheels_are_copied_and_their_content_counts(tmp_path: Path):
    wanted = recipe(tmp_path / "r")
    assert wanted.wheelhouse is not None
    wheel(wanted.wheelhouse, "other", "1.0", {"other.py": ""})
    with prepared(wanted) as place:
        copied = [p.name for p in (place.context / "build" / "wheels").iterdir()]
        first = place.inputs
    wheel(wanted.wheelhouse, "bentoml", "0.0.1", {"bentoml/__init__.py": "x = 2\n"})
    with prepared(wanted) as place:
        second = place.inputs

    assert copied == ["bentoml-0.0.1-py3-none-any.whl"]
    assert first != second


def test_offline_without_wheels_is_told_before_a_builder_starts(tmp_path: Path):
    wanted = replace(recipe(tmp_path / "r", offline=True), wheelhouse=None)

    with pytest.raises(ImageError, match=r"Name one: --wheelhouse DIR"), prepared(wanted):
        pass


@pytest.mark.parametrize("part", ["code", "model", "wheelhouse", "requirements"])
def test_what_is_not_there_is_named(tmp_path: Path, part: str):
    wanted = replace(recipe(tmp_path / "r"), **{part: tmp_path / "nowhere"})

    with pytest.raises(ImageError, match="nowhere"), prepared(wanted):
        pass
