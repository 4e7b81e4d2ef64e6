"""Forged entities, and entities that change while they are read."""

from __future__ import annotations

import os
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from sinara.containerize.recipe import make_recipe
from sinara.containerize.values import Request
from sinara.errors import ArchiveError, CorruptError, ServiceError
from sinara.serving.artifacts import extract_service
from sinara.serving.entity import old_kind, open_service, unpack
from tests.serving.forged import INFO, forge, tar


def opened(tmp_path: Path, **forged: object):
    (tmp_path / "copies").mkdir(exist_ok=True)
    return open_service(str(forge(tmp_path / "entity", **forged)), tmp_path / "copies")


def recipe(tmp_path: Path, **forged: object):
    folder = tmp_path / "work"
    folder.mkdir()
    saved = opened(tmp_path, **forged)
    return make_recipe(saved, INFO["entity"], INFO["run_id"], "base", Request(), folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("python", "3.11; rm -rf /"),
        ("python", "3.11/../../tmp/x"),
        ("epoch", 10**30),
        ("epoch", -(10**15)),
        ("name", "a\nb\x1b[31m"),
        ("name", "\udcff"),
        ("version", "x\nBENTO_SERVICE=y"),
        ("bentoml", '1.4\n"x'),
        ("run_id", "$(touch x)"),
    ],
)
def test_what_no_save_writes_is_refused(tmp_path, key, value):
    with pytest.raises(CorruptError, match=f"{key} cannot be") as told:
        opened(tmp_path, info={key: value})

    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a\0b", "a" * 300, "src/../../x", "", "a\nb", "x/" * 2000]
)
def test_weights_outside_the_bento_are_refused(tmp_path, path):
    with pytest.raises(CorruptError, match="none of a bento"):
        opened(tmp_path, info={"weights": [path]})


def test_weights_that_the_archive_lacks_are_refused(tmp_path):
    with pytest.raises(CorruptError, match="does not hold"):
        recipe(tmp_path, info={"weights": ["src"]})


@pytest.mark.parametrize(
    "line",
    [
        b"-r /etc/passwd",
        b"--index-url http://evil.example/",
        b"x @ http://evil.example/==1",
        b"x==1\x0b--pre",
        b"x==1\r--pre",
        b"\xff==1",
        b"==1",
        b"x>=1",
        b"x==1 --hash=sha256:0",
    ],
)
def test_a_requirement_that_is_no_pin_is_refused(tmp_path, line):
    with pytest.raises(CorruptError, match="line 2 is no name==version"):
        opened(tmp_path, requirements=b"bentoml==1.4.40\n" + line + b"\n")


@pytest.mark.parametrize("name", ["sinara", "sinara/service.json"])
def test_a_bento_cannot_say_what_an_image_says_of_itself(tmp_path, name):
    with pytest.raises(ServiceError, match="where an image says what it is"):
        recipe(tmp_path, archive=tar({"bento.yaml": b"name: x\n", name: b"evil"}))


def test_a_pipe_in_an_entity_is_not_waited_for(tmp_path):
    entity = forge(tmp_path / "entity", requirements=b"")
    (entity / "requirements.txt").unlink()
    os.mkfifo(entity / "requirements.txt")

    with pytest.raises(CorruptError, match="is no file"):
        open_service(str(entity), tmp_path)


def test_a_link_in_an_entity_is_not_followed(tmp_path):
    entity = forge(tmp_path / "entity")
    (entity / "samples.json").rename(tmp_path / "elsewhere.json")
    (entity / "samples.json").symlink_to(tmp_path / "elsewhere.json")

    with pytest.raises(CorruptError, match="is no file"):
        open_service(str(entity), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_an_archive_that_was_saved_with_links_is_hostile(tmp_path, kind):
    member = tarfile.TarInfo("src/x")
    member.type, member.linkname = kind, "/etc/passwd"

    with pytest.raises(ArchiveError):
        unpack(opened(tmp_path, archive=tar({"x": member})), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_changes_between_check_and_use_is_not_unpacked(tmp_path):
    good = tar({"bento.yaml": b"a" * (8 << 20)})
    bad = good.replace(b"a" * 512, b"b" * 512)
    saved = opened(tmp_path, archive=good)
    archive, ended = saved.archive, threading.Event()

    def change() -> None:
        with archive.open("r+b") as file:
            while not ended.is_set():
                for content in (bad, good):
                    file.seek(0)
                    file.write(content)
                    file.flush()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for number in range(20):
            out = tmp_path / f"out{number}"
            try:
                unpack(saved, out)
            except (CorruptError, ArchiveError):
                assert not out.exists()
            else:
                assert set((out / "bento.yaml").read_bytes()) == {ord("a")}
    finally:
        ended.set()
        thread.join()


def test_the_archive_of_an_old_entity_may_be_anything(tmp_path):
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("x/bentoml.yml", "version: 0.13.1\n" + "a: 1\n" * 200)
    whole = path.read_bytes()
    assert old_kind(path) == "BentoML 0.13.1"

    for place in range(30, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        assert isinstance(old_kind(path), str)
    for text in ("[" * 10_000, "&a [*a]", "- a\n" * 1_000_000, "!!python/object/apply:os.abort []"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("bentoml.yml", text)
        assert isinstance(old_kind(path), str)


def test_a_folder_of_a_bento_where_a_file_belongs_is_told(tmp_path):
    saved = opened(tmp_path, archive=tar({"bento.yaml": b"x", "samples.json/a": b"x"}))

    with pytest.raises(ServiceError, match="has a folder samples"):
        extract_service(saved, tmp_path / "out")
