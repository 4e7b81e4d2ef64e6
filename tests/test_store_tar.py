"""``SinaraStore``: the original's tar files, written and read without its holes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sinara.errors import ArchiveError
from sinara.store import SinaraStore

pytestmark = pytest.mark.filterwarnings("ignore:SinaraStore is deprecated:DeprecationWarning")


@pytest.fixture
def tmp_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    (folder / "b.bin").write_bytes(b"b")
    (folder / "sub" / "c").write_bytes(b"c")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_files_come_back(tmp_dir: Path, tmp_path: Path):
    SinaraStore.archive_tmp_files_to_store(str(tmp_dir), f"{tmp_path}/store")
    SinaraStore.dearchive_store_files_to_tmp(f"{tmp_path}/store", f"{tmp_path}/back")

    assert names(tmp_path / "store") == ["_SUCCESS", "files.tar"]
    assert names(tmp_path / "back") == ["a.txt", "b.bin", "sub/c"]
    assert (tmp_path / "back" / "sub" / "c").read_bytes() == b"c"
    assert names(tmp_dir) == ["a.txt", "b.bin", "sub/c"]


@pytest.mark.parametrize(
    ("globs", "packed"),
    [
        pytest.param("*.txt", ["a.txt"], id="one"),
        pytest.param(["*.txt", "*.bin", "a*"], ["a.txt", "b.bin"], id="several that overlap"),
        pytest.param(["sub"], ["sub/c"], id="a folder"),
    ],
)
def test_only_what_the_globs_match_is_packed(
    tmp_dir: Path, tmp_path: Path, globs, packed: list[str]
):
    SinaraStore.archive_tmp_files_to_store(tmp_dir, tmp_path / "store", globs)
    SinaraStore.dearchive_store_files_to_tmp(tmp_path / "store", tmp_path / "back", file_globs="*")

    assert names(tmp_path / "back") == packed


def test_no_match_is_an_error_that_says_so(tmp_dir: Path, tmp_path: Path):
    with pytest.raises(ArchiveError, match=r"no file that matches \*\.csv, \*\.tsv"):
        SinaraStore.archive_tmp_files_to_store(tmp_dir, tmp_path / "store", ["*.csv", "*.tsv"])
    with pytest.raises(ArchiveError, match=r"no file that matches \*\.csv"):
        SinaraStore.dearchive_store_files_to_tmp(tmp_path, tmp_path / "back", "*.csv")

    assert not (tmp_path / "store").exists()


def test_a_tar_as_the_original_writes_it_is_read(tmp_dir: Path, tmp_path: Path):
    (tmp_path / "store").mkdir()
    with tarfile.open(tmp_path / "store" / "files.tar", "w") as tar:
        for path in tmp_dir.glob("*"):
            tar.add(path, arcname=str(path).replace(str(tmp_dir), ""))

    SinaraStore.dearchive_store_files_to_tmp(tmp_path / "store", tmp_path / "back")

    assert names(tmp_path / "back") == ["a.txt", "b.bin", "sub/c"]


def test_a_tar_that_leads_outside_is_refused(tmp_path: Path):
    (tmp_path / "store").mkdir()
    with tarfile.open(tmp_path / "store" / "files.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())

    with pytest.raises(ArchiveError, match="leads outside"):
        SinaraStore.dearchive_store_files_to_tmp(tmp_path / "store", tmp_path / "back")

    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_link_is_not_packed_and_what_was_stored_stays(tmp_dir: Path, tmp_path: Path):
    SinaraStore.archive_tmp_files_to_store(tmp_dir, tmp_path / "store")
    before = (tmp_path / "store" / "files.tar").read_bytes()
    (tmp_dir / "link").symlink_to("/etc/hostname")

    with pytest.raises(ArchiveError, match="link cannot be packed: it is a link"):
        SinaraStore.archive_tmp_files_to_store(tmp_dir, tmp_path / "store")

    assert names(tmp_path / "store") == ["_SUCCESS", "files.tar"]
    assert (tmp_path / "store" / "files.tar").read_bytes() == before


def test_hard_links_are_packed_as_two_files(tmp_dir: Path, tmp_path: Path):
    (tmp_dir / "again").hardlink_to(tmp_dir / "a.txt")

    SinaraStore.archive_tmp_files_to_store(tmp_dir, tmp_path / "store")
    SinaraStore.dearchive_store_files_to_tmp(tmp_path / "store", tmp_path / "back")

    assert (tmp_path / "back" / "again").read_bytes() == b"a"


def test_an_object_store_does_as_well(
    tmp_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    url = f"memory://{tmp_path.name}/tar"

    SinaraStore.archive_tmp_files_to_store(tmp_dir, url)
    SinaraStore.dearchive_store_files_to_tmp(url, tmp_path / "back")

    assert names(tmp_path / "back") == ["a.txt", "b.bin", "sub/c"]
    with pytest.raises(ArchiveError, match=r"nothing/files\.tar cannot be read"):
        SinaraStore.dearchive_store_files_to_tmp(f"{url}/nothing", tmp_path / "other")


def test_it_says_once_that_it_is_deprecated_and_points_at_the_callers_line(tmp_dir: Path):
    program = (
        "from sinara.store import SinaraStore\n"
        "for _ in range(3):\n"
        "    SinaraStore.archive_tmp_files_to_store('tmp', 'store')\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program],
        cwd=tmp_dir.parent,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )

    assert done.stderr.count("DeprecationWarning") == 1
    assert "<string>:3" in done.stderr
    assert "use SinaraArchive().pack and .unpack" in done.stderr
