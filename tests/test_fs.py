"""``SinaraFileSystem``: the same calls on local paths and on URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinara.errors import MissingExtraError, StoreError
from sinara.fs import MissingFileError, SinaraFileSystem

fs = SinaraFileSystem.FileSystem()


@pytest.fixture(params=["path", "file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place of each kind, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    kinds = {"path": f"{tmp_path}/root", "file": f"file://{tmp_path}/root"}
    return kinds.get(request.param, f"memory://{tmp_path.name}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").write_bytes(b"content")
    return tmp_path / "source"


def test_a_file_goes_there_and_comes_back(root: str, source: Path, tmp_path: Path):
    fs.makedirs(f"{root}/folder")
    fs.put(str(source), f"{root}/folder/file")
    fs.get(f"{root}/folder/file", str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == b"content"
    assert fs.exists(f"{root}/folder/file") is True
    assert fs.exists(f"{root}/folder/other") is False


def test_folders_above_the_target_are_made(root: str, source: Path, tmp_path: Path):
    fs.put(source, f"{root}/a/b/c")
    fs.get(f"{root}/a/b/c", tmp_path / "x" / "y" / "z")

    assert (tmp_path / "x" / "y" / "z").read_bytes() == b"content"


def test_a_file_that_is_there_is_replaced(root: str, source: Path, tmp_path: Path):
    fs.put(source, f"{root}/file")
    source.write_bytes(b"new")
    fs.put(source, f"{root}/file")
    fs.get(f"{root}/file", tmp_path / "back")

    assert (tmp_path / "back").read_bytes() == b"new"


def test_folders_are_copied_whole(root: str, tmp_path: Path):
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "a").write_bytes(b"a")
    (tmp_path / "folder" / "sub" / "b").write_bytes(b"b")

    fs.put(tmp_path / "folder", f"{root}/copy")
    fs.put(f"{root}/copy", f"{root}/copy of copy")
    fs.get(f"{root}/copy of copy", tmp_path / "back")

    assert (tmp_path / "back" / "a").read_bytes() == b"a"
    assert (tmp_path / "back" / "sub" / "b").read_bytes() == b"b"


def test_glob_gives_sorted_plain_strings_that_can_be_used(root: str, source: Path, tmp_path: Path):
    for name in ("b.parquet", "a.parquet", "c.txt", "sub/d.parquet"):
        fs.put(source, f"{root}/{name}")

    flat, deep = fs.glob(f"{root}/*.parquet"), fs.glob(f"{root}/**/*.parquet")

    plain = root.removeprefix("file://")
    ends = [found.rpartition(tmp_path.name)[2] for found in flat]
    assert [end.rpartition("/")[2] for end in ends] == ["a.parquet", "b.parquet"]
    assert len(deep) == 3
    assert all(type(found) is str and fs.exists(found) for found in deep)
    assert all(found.startswith(plain.partition(":")[0]) for found in deep)
    assert fs.glob(f"{root}/nothing*") == []


def test_a_relative_pattern_gives_relative_paths_as_in_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").touch()

    assert fs.glob("./*.txt") == ["./a.txt"]
    assert fs.glob("*.txt") == ["a.txt"]


def test_touch_makes_a_file_and_keeps_one_that_is_there(root: str, source: Path, tmp_path: Path):
    fs.put(source, f"{root}/file")

    fs.touch(f"{root}/file")
    fs.touch(f"{root}/folder/_SUCCESS")
    fs.get(f"{root}/file", tmp_path / "back")

    assert (tmp_path / "back").read_bytes() == b"content"
    assert fs.exists(f"{root}/folder/_SUCCESS")


def test_folders_may_be_made_twice(root: str):
    fs.makedirs(f"{root}/a/b")
    fs.makedirs(f"{root}/a/b")

    assert fs.exists(f"{root}/a/b")


def test_a_missing_file_is_named(root: str, tmp_path: Path):
    with pytest.raises(MissingFileError, match="missing is not there") as caught:
        fs.get(f"{root}/missing", tmp_path / "back")

    assert isinstance(caught.value, FileNotFoundError)
    assert isinstance(caught.value, StoreError)
    assert not (tmp_path / "back").exists()


def test_what_cannot_be_written_is_one_line(tmp_path: Path, source: Path):
    (tmp_path / "folder").mkdir()

    with pytest.raises(StoreError, match=r"[Dd]irectory"):
        fs.put(source, tmp_path / "folder")
    with pytest.raises(StoreError, match=r"File exists|Not a directory"):
        fs.makedirs(source)

    assert list((tmp_path / "folder").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "source"]


def test_a_url_that_nothing_reads_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StoreError, match="nosuch://x/y cannot be reached"):
        fs.exists("nosuch://x/y")


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import fsspec

    def missing(*args: object, **kwargs: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)

    with pytest.raises(MissingExtraError, match=r"pip install 'sinara\[s3\]'"):
        fs.exists("s3://bucket/x")


def test_a_url_of_an_env_is_reached_with_that_envs_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """``dir://`` needs to be told which folder it is a view of."""
    (tmp_path / "view").mkdir()
    (tmp_path / "view" / "data").mkdir()
    (tmp_path / "view" / "data" / "file").touch()
    options = f'{{ path = "{tmp_path}/view", target_protocol = "file" }}'
    (tmp_path / "sinara.toml").write_text(
        f'[envs.lab]\nroot = "dir://data"\nstorage_options = {options}\n'
    )
    monkeypatch.chdir(tmp_path)

    assert fs.exists("dir://data/file")
