"""Layers: the same bytes from the same files, and nothing from outside the folder."""

from __future__ import annotations

import gzip
import hashlib
import os
import resource
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sinara.errors import ImageError
from sinara.images.layers import Content, Layer, write_layer

FILES = {"b.txt": b"b", "a/inner.py": b"print(1)\n", "ü/ß 🙂": b"x", "n" * 150: b"long"}


def fill(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FILES[name])
    return folder


def layer_of(tmp_path: Path, *contents: Content, epoch: int = 1_700_000_000) -> Layer:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    return write_layer(contents, out, epoch=epoch)


def test_the_same_files_give_the_same_bytes(tmp_path: Path):
    one = fill(tmp_path / "one", list(FILES))
    two = fill(tmp_path / "two", list(reversed(FILES)))
    (two / "b.txt").chmod(0o600)
    (two / "a").chmod(0o700)
    os.utime(two / "b.txt", (1, 1))

    layers = [
        layer_of(tmp_path / name, Content(folder, "/app/site"))
        for name, folder in (("x", one), ("y", two))
        if (tmp_path / name).mkdir() is None
    ]

    assert layers[0].blob == layers[1].blob
    assert layers[0].diff_id == layers[1].diff_id


def test_the_digests_are_of_the_file_and_of_the_tar_in_it(tmp_path: Path):
    layer = layer_of(tmp_path, Content(fill(tmp_path / "one", list(FILES)), "/app/site"))

    data = layer.path.read_bytes()

    assert layer.blob.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert layer.path.name == layer.blob.digest.removeprefix("sha256:")
    assert layer.blob.size == len(data)
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(data)).hexdigest()}"
    assert data[4:8] == bytes(4)  # no time
    assert not data[3] & 0x08  # no name
    assert [path.name for path in layer.path.parent.iterdir()] == [layer.path.name]


def test_what_is_in_it_is_readable_by_all_and_owned_by_root(tmp_path: Path):
    folder = fill(tmp_path / "one", list(FILES))
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o4711)
    (folder / "b.txt").chmod(0o600)
    (folder / "link").symlink_to("a/inner.py")

    with tarfile.open(layer_of(tmp_path, Content(folder, "/app/site")).path) as tar:
        members = {member.name: member for member in tar}

    assert list(members)[:4] == ["app", "app/site", "app/site/a", "app/site/a/inner.py"]
    assert {name.removeprefix("app/site/") for name in members} >= FILES.keys()
    assert members["app/site/run.sh"].mode == 0o755
    assert members["app/site/b.txt"].mode == 0o644
    assert members["app/site/a"].mode == 0o755
    assert members["app/site/link"].linkname == "a/inner.py"
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members.values()} == {
        (0, 0, "", "", 1_700_000_000)
    }


def test_only_names_that_need_it_have_an_extended_header(tmp_path: Path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a").write_bytes(b"a")

    layer = layer_of(tmp_path, Content(tmp_path / "plain", "/app"))

    assert b"PaxHeader" not in gzip.decompress(layer.path.read_bytes())


def test_two_folders_may_share_a_place_but_no_file(tmp_path: Path):
    one, two = fill(tmp_path / "one", ["b.txt"]), fill(tmp_path / "two", ["a/inner.py"])
    with tarfile.open(layer_of(tmp_path, Content(one, "/x"), Content(two, "/x")).path) as tar:
        assert tar.getnames() == ["x", "x/b.txt", "x/a", "x/a/inner.py"]

    with pytest.raises(ImageError, match=r"another file has its place, /x/b\.txt"):
        layer_of(tmp_path, Content(one, "/x"), Content(one, "/x"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "a/../../secret", ".."])
def test_a_link_that_leads_outside_is_refused(tmp_path: Path, target: str):
    folder = fill(tmp_path / "one", ["a/inner.py"])
    (folder / "link").symlink_to(target)

    with pytest.raises(ImageError, match=r"is a link to .* outside"):
        layer_of(tmp_path, Content(folder, "/x"))

    assert list((tmp_path / "out").iterdir()) == []


def test_a_link_inside_may_climb(tmp_path: Path):
    folder = fill(tmp_path / "one", ["b.txt", "a/inner.py"])
    (folder / "a" / "up").symlink_to("../b.txt")

    with tarfile.open(layer_of(tmp_path, Content(folder, "/x")).path) as tar:
        assert tar.getmember("x/a/up").linkname == "../b.txt"


def test_a_pipe_is_refused(tmp_path: Path):
    folder = fill(tmp_path / "one", ["b.txt"])
    os.mkfifo(folder / "pipe")
    assert stat.S_ISFIFO((folder / "pipe").lstat().st_mode)

    with pytest.raises(ImageError, match="neither a file nor a folder"):
        layer_of(tmp_path, Content(folder, "/x"))


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path):
    """A limit on the size of files stands for the disk: the system refuses to write more."""
    folder, out = tmp_path / "one", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (folder / "big").write_bytes(os.urandom(1 << 20))
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from sinara.errors import ImageError\n"
        "from sinara.images.layers import Content, write_layer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: write_layer([Content(Path(sys.argv[1]), '/x')], Path(sys.argv[2]), epoch=0)\n"
        "except ImageError as error: print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-B", "-c", script, str(folder), str(out)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "the layer was not written: File too large" in done.stdout
    assert done.stdout.count("\n") == 1
    assert list(out.iterdir()) == []


def test_a_big_file_is_not_read_whole(tmp_path: Path):
    folder = tmp_path / "one"
    folder.mkdir()
    with (folder / "big").open("wb") as file:
        file.truncate(300 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    layer_of(tmp_path, Content(folder, "/x"))

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB
    assert grown < 60 << 10
