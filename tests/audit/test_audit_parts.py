"""The parts of the watch alone: places, names in code, folders, notes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinara.audit.digest import LARGE, LARGEST, NOT_THERE, ODD, is_unchanged, look
from sinara.audit.folder import FolderWatch, Seen
from sinara.audit.named import named_places
from sinara.audit.places import Places, absolute
from sinara.audit.sort import read_notes, sort
from sinara.audit.watch import first_program
from sinara.kernels.posix import open_descriptors
from sinara.record import FileTouched


def test_what_belongs_to_a_run_is_told_from_what_does_not(tmp_path: Path):
    (tmp_path / "link").symlink_to("/data/in")
    places = Places(
        "/step", read=("/data/in",), write=("/data/out", "/store/p/z/s/run-1"), roots=("/store",),
        own=("/step/a.ipynb",),
    )  # fmt: skip

    readable = ("/data/in", "/data/in/a", "/data/out/a", "/store/p/z/s/run-1/raw/a",
                "/store/p/z/s/_commits/1.json", "/store/p/z/s/run-0/_COMMIT", "/step/a.ipynb",
                f"{tmp_path}/link/a")  # fmt: skip
    assert [path for path in readable if not places.may_read(path)] == []
    other = ("/data", "/data/inner", "/store/p/z/s/run-0/raw/a", "/store/p/z/s", "/step/b.csv")
    assert [path for path in other if places.may_read(path)] == []
    assert not places.may_write("/data/in/a")
    assert places.may_write("/data/out")
    assert [places.shown(path) for path in ("/step/b/c", "/step/", "/steps")] == [
        "b/c", "./", "/steps",
    ]  # fmt: skip


@pytest.mark.parametrize(("given", "found"), [
    ("a/b", "/step/a/b"), ("../a", "/a"), ("/x/../y", "/y"), ("file:///y", "/y"), ("s3://b/c", ""),
])  # fmt: skip
def test_a_declared_path_begins_in_the_step(given: str, found: str):
    assert absolute(given, "/step") == found


def test_paths_are_found_where_they_stand_in_code_and_parameters(tmp_path: Path):
    step, data = tmp_path / "step", tmp_path / "data"
    for folder in (step, data / "raw"):
        folder.mkdir(parents=True)
    (data / "a.csv").write_text("x")
    code = f'%time 1\nx = "{data}/a.csv"\ny = f"{data}/raw/{{x}}"\nz = "/usr/lib", "/", "~", "a/b"'
    params = {"deep": [{"path": "../data/later.csv"}, "s3://b/c", str(tmp_path), str(step), 7]}

    folders, files = named_places([code, "this is (no Python"], params, step)

    assert folders == (data / "raw",)
    assert files == (data / "a.csv", data / "later.csv")


def test_a_folder_tells_what_is_read_and_written_below_it(tmp_path: Path):
    for name in ("a", ".git/b", "sub/c", "venv/pyvenv.cfg", "venv/d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    watch = FolderWatch([tmp_path])
    watch.begin()

    for name in ("a", ".git/b", "sub/c", "venv/d"):
        (tmp_path / name).read_text()
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "e").write_text("x")
    (tmp_path / "a").rename(tmp_path / "f")
    seen = watch.end()

    if not seen.folders:
        pytest.skip("this system has no inotify")
    assert seen.read == {f"{tmp_path}/a", f"{tmp_path}/sub/c"}
    assert {f"{tmp_path}/new/deep/e", f"{tmp_path}/f"} <= seen.written
    assert seen.complete


def test_a_single_file_is_told_without_its_neighbours(tmp_path: Path):
    watch = FolderWatch([], [tmp_path / "mine"])
    watch.begin()

    (tmp_path / "mine").write_text("x")
    (tmp_path / "other").write_text("x")
    seen = watch.end()

    if not seen.folders:
        pytest.skip("this system has no inotify")
    assert seen.written == {f"{tmp_path}/mine"}


def test_a_watch_leaves_no_descriptor_and_may_end_before_it_began():
    before = open_descriptors()

    idle = FolderWatch([Path()]).end()
    for _ in range(3):
        watch = FolderWatch([Path(__file__).parent])
        watch.begin()
        watch.end()
        watch.end()

    assert not idle.complete
    assert open_descriptors() == before


def test_notes_that_are_damaged_or_forged_are_passed_over(tmp_path: Path):
    log = tmp_path / "log"
    lines = ["", "{", "[]", "[1, 2]", '["r"]', '["r", "/d/x", "no"]', '["w", 7, true]', "null",
             '["zz", "y"]', '["r", "/d/a", 1, 2]', '["w", "/d/b']  # fmt: skip
    log.write_text("\n".join(lines))

    noted = read_notes(log)
    found = sort(noted, Seen(), Places("/step"), 0)

    assert [(file.path, file.bytes) for file in found.read] == [("/d/x", None), ("/d/a", 2)]
    assert found.written == ()
    assert not found.complete
    assert read_notes(tmp_path / "none").files == {}


def test_what_cannot_have_a_digest_says_why_and_is_never_unchanged(tmp_path: Path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    os.mkfifo(tmp_path / "pipe")

    found = [look(tmp_path, name) for name in ("large", "pipe", "none", "none/")]

    assert [file.note for file in found] == [LARGE, ODD, NOT_THERE, NOT_THERE]
    assert [is_unchanged(tmp_path, file) for file in found] == [False, False, True, True]
    assert not is_unchanged(tmp_path, FileTouched("/data/a", "0" * 64))


@pytest.mark.parametrize(("command", "program"), [
    ("ls -l", "ls"), ("A=b /usr/bin/curl x", "curl"), ("", ""), ("$(x) y", ""), ("A=b", ""),
])  # fmt: skip
def test_of_a_command_only_its_program_is_kept(command: str, program: str):
    assert first_program(command) == program
