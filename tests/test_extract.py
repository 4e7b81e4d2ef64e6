"""Safe extraction: honest archives come out whole, and no other process can lead it astray."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import random
import signal
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara.archive import SinaraArchive
from sinara.errors import ArchiveError
from sinara.extract import Limits, extract, extract_tar, extract_zip
from sinara.extract.folders import HAS_DESCRIPTORS, ByDescriptor, ByPath
from sinara.extract.members import MemberNames, member_parts
from sinara.extract.tree import new_tree
from tests.hostile_archives import CORPUS, SMALL, Hostile, parquet_of, row, tar_of

FILES = {
    "a.txt": b"hello",
    "sub/b": bytes(range(256)) * 100,
    "sub/empty": b"",
    "ü/ß 🙂": b"x",
    "n" * 200: b"",
}
PLAIN = {"": lambda data: data, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}


def unpack(kind: str, path: Path, dest: Path) -> None:
    if kind == "parquet":
        SinaraArchive(limits=SMALL).unpack_files_from_store_to_tmp(path, dest)
    else:
        extract(path, dest, limits=SMALL)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("compression", PLAIN)
def test_a_tar_comes_out_whole(tmp_path: Path, form: str, compression: str):
    tar_of(tmp_path / "plain", *FILES.items(), format=FORMATS[form])
    (tmp_path / "a.tar").write_bytes(PLAIN[compression]((tmp_path / "plain").read_bytes()))

    extract(tmp_path / "a.tar", tmp_path / "dest")

    assert files_in(tmp_path / "dest") == FILES


def test_what_the_tar_command_writes_comes_out_whole(tmp_path: Path):
    for name, data in FILES.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(data)
    (tmp_path / "source" / "a.txt").chmod(0o700)
    os.utime(tmp_path / "source" / "a.txt", (1_000_000_000, 1_000_000_000))
    subprocess.run(
        ["tar", "-czf", tmp_path / "a.tar.gz", "-C", tmp_path / "source", "."], check=True
    )

    extract(tmp_path / "a.tar.gz", tmp_path / "dest")

    assert files_in(tmp_path / "dest") == FILES
    assert stat.S_IMODE((tmp_path / "dest" / "a.txt").stat().st_mode) == 0o700
    assert (tmp_path / "dest" / "a.txt").stat().st_mtime == 1_000_000_000


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_comes_out_whole(tmp_path: Path, method: int):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.mkdir("folder")
        for name, data in FILES.items():
            archive.writestr(name, data)
        program = zipfile.ZipInfo("run.sh")
        program.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(program, b"#!")

    extract(tmp_path / "a.zip", tmp_path / "dest")

    assert files_in(tmp_path / "dest") == {**FILES, "run.sh": b"#!"}
    assert (tmp_path / "dest" / "folder").is_dir()
    assert os.access(tmp_path / "dest" / "run.sh", os.X_OK)


def test_an_archive_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ArchiveError, match=r"missing\.tar cannot be read: No such file"):
        extract(tmp_path / "missing.tar", tmp_path / "dest")


def test_a_time_that_no_disk_keeps_is_passed_over(tmp_path: Path):
    info = tarfile.TarInfo("f")
    info.pax_headers = {"mtime": "1e18"}
    tar_of(tmp_path / "a.tar", info)

    extract(tmp_path / "a.tar", tmp_path / "dest")

    assert files_in(tmp_path / "dest") == {"f": b""}


def test_a_folder_that_is_no_archive_is_one_line(tmp_path: Path):
    for unpacks in (extract_tar, extract_zip):
        with pytest.raises(ArchiveError, match="cannot be read: Is a directory"):
            unpacks(tmp_path, tmp_path / "dest")


def test_a_tree_that_another_process_replaces_is_an_error(tmp_path: Path):
    (tmp_path / "outside").mkdir()

    def replaced() -> None:
        with new_tree(tmp_path / "dest") as tree:
            os.close(tree.create(("a",)))
            hidden = next(path for path in tmp_path.iterdir() if path.name.startswith("."))
            (hidden / "tree").rename(hidden / "away")
            (hidden / "tree").symlink_to(tmp_path / "outside")

    with pytest.raises(ArchiveError, match="was replaced by another process"):
        replaced()

    assert list((tmp_path / "outside").iterdir()) == []


def test_limits_are_limits(tmp_path: Path):
    tar_of(tmp_path / "a.tar", ("f", bytes(1000)), ("g", bytes(1000)))

    with pytest.raises(ArchiveError, match="more than 1,500 bytes"):
        extract(tmp_path / "a.tar", tmp_path / "dest", limits=Limits(max_bytes=1500))
    with pytest.raises(ArchiveError, match="more than 1 files"):
        extract(tmp_path / "a.tar", tmp_path / "dest", limits=Limits(max_files=1))

    assert not (tmp_path / "dest").exists()


# -- without descriptors ---------------------------------------------------------------------


@pytest.fixture
def by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Touch folders as on a system that has no openat."""
    monkeypatch.setattr("sinara.extract.tree.best_calls", ByPath)
    monkeypatch.setattr("sinara.archive.source.best_calls", ByPath)


@pytest.mark.usefixtures("by_path")
@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_hostile_archives_are_refused_by_path_too(case: Hostile, tmp_path: Path):
    (tmp_path / "in" / "outside").mkdir(parents=True)
    path = tmp_path / f"archive.{case.kind}"
    case.build(path, tmp_path / "in" / "outside")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(ArchiveError):
        unpack(case.kind, path, tmp_path / "in" / "dest")

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("by_path")
def test_a_folder_goes_in_and_out_by_path_too(tmp_path: Path):
    for name, data in FILES.items():
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(data)
    (tmp_path / "source" / "link").symlink_to("sub/b")
    (tmp_path / "dest" / "sub").mkdir(parents=True)

    SinaraArchive().pack(tmp_path / "source", tmp_path / "store")
    SinaraArchive().unpack_files_from_store_to_tmp(tmp_path / "store", tmp_path / "dest")

    assert files_in(tmp_path / "dest") == {**FILES, "link": FILES["sub/b"]}


@pytest.mark.parametrize("calls", [ByDescriptor(), ByPath()], ids=["descriptor", "path"])
def test_a_link_is_neither_entered_nor_opened(calls, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "to-folder").symlink_to("folder")
    (tmp_path / "to-file").symlink_to("file")
    top = calls.top(tmp_path)

    for forbidden in (
        lambda: calls.enter(top, "to-folder"),
        lambda: calls.create(top, "to-file", 0o600),
        lambda: calls.reopen(top, "to-file"),
        lambda: calls.read(top, "to-file"),
    ):
        with pytest.raises(OSError, match=r"."):
            forbidden()

    calls.leave(top)


# -- the tree --------------------------------------------------------------------------------


def test_a_tree_wider_and_deeper_than_the_open_folders_is_made(tmp_path: Path):
    with new_tree(tmp_path / "dest") as tree:
        for number in range(100):
            os.close(tree.create((f"d{number % 50}", *"abcdefgh", f"f{number}")))

    assert len(files_in(tmp_path / "dest")) == 100


def test_a_tree_is_invisible_until_it_is_whole(tmp_path: Path):
    with new_tree(tmp_path / "dest") as tree:
        os.close(tree.create(("a",)))
        hidden = [path.name for path in tmp_path.iterdir()]
        assert len(hidden) == 1
        assert hidden[0].startswith(".sinara-")
        assert stat.S_IMODE((tmp_path / hidden[0]).stat().st_mode) == 0o700

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "dest"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_tree_that_is_given_up_leaves_nothing(tmp_path: Path, error: type[BaseException]):
    def fail() -> None:
        with new_tree(tmp_path / "dest") as tree:
            os.close(tree.create(("a", "b")))
            raise error

    with pytest.raises(error):
        fail()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(ArchiveError, match="Permission denied"), new_tree(tmp_path / "dest"):
        pass
    tmp_path.chmod(0o700)


def test_no_descriptor_is_left_open(tmp_path: Path):
    tar_of(tmp_path / "a.tar", *((f"{n}/{n}/f", b"x") for n in range(60)))
    open_before = len(list(Path("/dev/fd").iterdir()))

    extract(tmp_path / "a.tar", tmp_path / "dest")
    with pytest.raises(ArchiveError):
        extract(tmp_path / "a.tar", tmp_path / "other", limits=Limits(max_files=50))

    assert len(list(Path("/dev/fd").iterdir())) == open_before


# -- names -----------------------------------------------------------------------------------


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["..", ".", "", "a", "C:", "\\", "\0", "B"])).map("/".join)
)
def test_parts_never_lead_outside(name: str):
    try:
        parts = member_parts("Archive x", name, 64)
    except ArchiveError as error:
        lines, parts = str(error).splitlines(), ()
    else:
        lines = [""]

    assert len(lines) == 1
    assert not {"..", ".", ""} & set(parts)
    assert not any(character in part for part in parts for character in "/\\\0")


@pytest.mark.parametrize(
    "name", ["CON", "aux.txt", "a/nul", "com1.log", "ab:stream", "dot.", "space ", "a?b"]
)
def test_names_that_windows_cannot_store_are_refused_there(name: str):
    with pytest.raises(ArchiveError, match="Windows"):
        member_parts("Archive x", name, 64, windows=True)

    assert member_parts("Archive x", name, 64, windows=False)


def test_a_folder_may_be_named_twice():
    names = MemberNames("Archive x")

    names.add(("a",), folder=True)
    names.add(("a", "b"), folder=False)
    names.add(("c",), folder=False)
    names.add(("a",), folder=True)

    with pytest.raises(ArchiveError, match="'a/B' collides with 'a/b'"):
        names.add(("a", "B"), folder=False)


# -- damage ----------------------------------------------------------------------------------


def _mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    source = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(source.randint(1, 4)):
            at = source.randrange(len(changed))
            match source.randrange(4):
                case 0:
                    changed[at] = source.randrange(256)
                case 1:
                    changed[at] ^= 1 << source.randrange(8)
                case 2:
                    del changed[at : at + source.randint(1, 600)]
                case 3:
                    changed[at:at] = source.randbytes(source.randint(1, 20))
            changed = changed or bytearray(b"x")
        yield bytes(changed)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip", "parquet"])
def test_damage_is_refused_or_harmless(tmp_path: Path, kind: str):
    """Whatever bytes change: one line or a whole folder, and nothing beside it."""
    good = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in FILES.items():
                archive.writestr(name, data)
    elif kind == "parquet":
        parquet_of(tmp_path / "good", [row(f"/{name}", data) for name, data in FILES.items()])
        good = io.BytesIO((tmp_path / "good" / "part-00000.parquet").read_bytes())
    else:
        tar_of(tmp_path / "good", *FILES.items())
        data = (tmp_path / "good").read_bytes()
        good = io.BytesIO(gzip.compress(data) if kind == "tar.gz" else data)
    box = tmp_path / "box"
    (box / "in").mkdir(parents=True)
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 (shown when it fails)

    for changed in _mutations(good.getvalue(), 150, seed):
        (tmp_path / "bad.parquet").write_bytes(changed)
        with contextlib.suppress(ArchiveError):
            unpack(kind, tmp_path / "bad.parquet", box / "in" / "dest")
        assert {path.name for path in box.iterdir()} == {"in"}
        assert {path.name for path in (box / "in").iterdir()} <= {"dest"}


# -- an attacker -----------------------------------------------------------------------------

_ATTACKER = """
import ctypes, os, sys
place, name, outside = sys.argv[1:]
target, link = os.path.join(place, name), os.path.join(place, os.pardir, name + "-link")
os.symlink(outside, link)
libc = ctypes.CDLL(None, use_errno=True)
one, other = os.fsencode(target), os.fsencode(link)
if sys.platform == "darwin":
    swap = lambda: libc.renamex_np(one, other, 2)
else:
    swap = lambda: libc.renameat2(-100, one, -100, other, 2)
assert swap() == 0 and os.path.islink(target)
print("ready", flush=True)
while True:
    swap()
"""


@contextlib.contextmanager
def attacker(place: Path, name: str, outside: Path) -> Iterator[None]:
    """Swap the folder ``name`` in ``place`` for a link to ``outside``, and back, without end."""
    process = subprocess.Popen(
        [sys.executable, "-c", _ATTACKER, str(place), name, str(outside)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def battlefield(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "place" / "dest" / "sub").mkdir(parents=True)
    rows = [row(f"/sub/f{number}", b"x") for number in range(20)]
    parquet_of(tmp_path / "store", rows)
    tar_of(tmp_path / "a.tar", *((f"sub/f{number}", b"x") for number in range(20)))
    return tmp_path


def naive(dest: Path) -> None:
    for number in range(20):
        with contextlib.suppress(OSError):
            (dest / "sub").mkdir(parents=True, exist_ok=True)
            (dest / "sub" / f"f{number}").write_bytes(b"x")


@pytest.mark.skipif(not HAS_DESCRIPTORS, reason="needs openat")
@pytest.mark.parametrize("swapped", ["sub", "dest"])
def test_swapping_folders_for_links_leads_a_naive_extraction_outside(
    battlefield: Path, swapped: str
):
    """The control: without it the next test would prove nothing."""
    dest, outside = battlefield / "place" / "dest", battlefield / "outside"

    with attacker(dest if swapped == "sub" else dest.parent, swapped, outside):
        for _ in range(2000):
            naive(dest)
            if any(outside.iterdir()):
                break

    assert any(outside.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not HAS_DESCRIPTORS, reason="needs openat")
@pytest.mark.parametrize("swapped", ["sub", "dest"])
def test_swapping_folders_for_links_leads_nothing_outside(battlefield: Path, swapped: str):
    dest, outside = battlefield / "place" / "dest", battlefield / "outside"
    whole = 0

    with attacker(dest if swapped == "sub" else dest.parent, swapped, outside):
        for _ in range(40):
            with contextlib.suppress(ArchiveError):
                SinaraArchive().unpack_files_from_store_to_tmp(battlefield / "store", dest)
                whole += 1
            with contextlib.suppress(ArchiveError):
                extract(battlefield / "a.tar", dest)
                whole += 1

    assert list(outside.iterdir()) == []
    assert whole


@pytest.mark.skipif(not HAS_DESCRIPTORS, reason="needs openat")
def test_swapping_folders_for_links_packs_nothing_from_outside(battlefield: Path):
    dest, outside = battlefield / "place" / "dest", battlefield / "outside"
    (outside / "secret").write_bytes(b"secret")
    packed = 0

    with attacker(dest, "sub", outside):
        for _ in range(100):
            with contextlib.suppress(ArchiveError):
                SinaraArchive().pack(dest, battlefield / "new")
                packed += 1
                parts = sorted((battlefield / "new").iterdir())
                assert not any(b"secret" in part.read_bytes() for part in parts)

    assert packed
