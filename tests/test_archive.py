"""Folders packed and unpacked: what comes back, in which layout it lies, what stays untouched."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from sinara.archive import Limits, SinaraArchive, get_block_size, get_row_size
from sinara.archive.pack import pack
from sinara.archive.source import Source
from sinara.errors import ArchiveError, UsageError
from tests.hostile_archives import parquet_of, row

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def round_trip(folder: Path, archive: SinaraArchive | None = None) -> Path:
    archive = archive or SinaraArchive()
    archive.pack(folder, folder.parent / "store")
    archive.unpack_files_from_store_to_tmp(folder.parent / "store", folder.parent / "back")
    return folder.parent / "back"


def test_a_folder_comes_back_as_it_was(folder: Path):
    fill(
        folder,
        {
            "a.txt": b"hello",
            "empty": b"",
            "_SUCCESS": b"",
            ".hidden/.file": b"kept",
            "sub/sub/deep.bin": bytes(range(256)),
            "Größe/файл/文件 🙂.txt": b"names",
            "exactly one row": bytes(MIB),
            "one row and a byte": os.urandom(MIB + 1),
            "large": os.urandom(5 * MIB + 17),
            "ends in.parts/part-0000": b"not a piece",
            "ends in.parts/part-0002": b"not a piece either",
        },
    )
    (folder / "empty folder" / "inside").mkdir(parents=True)

    back = round_trip(folder)

    assert contents(back) == contents(folder)


def test_an_empty_folder_comes_back_empty(folder: Path):
    assert contents(round_trip(folder)) == {}


def distinct(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out names that some disk would take for another one."""
    return {unicodedata.normalize("NFC", name.casefold()): data for name, data in files.items()}


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='/\\:"'),
    min_size=1,
    max_size=20,
).filter(lambda name: name not in (".", ".."))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    files=st.dictionaries(names, st.binary(max_size=400), max_size=8),
    row_size=st.integers(1, 300),
)
def test_any_files_come_back_whatever_the_size_of_a_row(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], row_size: int
):
    folder = tmp_path_factory.mktemp("any") / "source"
    folder.mkdir()
    fill(folder, distinct(files))
    archive = SinaraArchive()
    archive.ROW_SIZE, archive.BLOCK_SIZE = row_size, 500

    back = round_trip(folder, archive)

    assert contents(back) == contents(folder)


def test_permissions_and_times_come_back_and_set_user_id_does_not(folder: Path):
    fill(folder, {"run.sh": b"#!", "key": b"secret", "plain": b"", "setuid": b""})
    for name, mode in {"run.sh": 0o755, "key": 0o600, "plain": 0o644, "setuid": 0o4755}.items():
        (folder / name).chmod(mode)
    os.utime(folder / "plain", (1_000_000_000.5, 1_000_000_000.5))
    before = os.umask(0o022)

    try:
        back = round_trip(folder)
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in back.iterdir()}
    assert modes == {"run.sh": 0o755, "key": 0o600, "plain": 0o644, "setuid": 0o755}
    assert (back / "plain").stat().st_mtime == 1_000_000_000.5


def test_the_columns_are_those_of_the_original(folder: Path):
    fill(folder, {"sub/a": b"abc", "big": bytes(range(250)) * 10_000})

    SinaraArchive().pack(folder, folder.parent / "store")

    table = parquet.read_table(folder.parent / "store")
    assert table.schema.names[:4] == ["modificationTime", "length", "content", "relPath"]
    assert table.schema.types[:4] == [
        pa.timestamp("us", tz="UTC"),
        pa.int64(),
        pa.binary(),
        pa.string(),
    ]
    rows = {item["relPath"]: item for item in table.to_pylist()}
    assert set(rows) == {
        "/sub/a",
        "/big.parts/part-0000",
        "/big.parts/part-0001",
        "/big.parts/part-0002",
    }
    assert rows["/sub/a"]["content"] == b"abc"
    assert rows["/sub/a"]["modificationTime"] == datetime.fromtimestamp(
        (folder / "sub/a").stat().st_mtime_ns // 1000 / 1e6, UTC
    )
    assert [rows[f"/big.parts/part-000{n}"]["length"] for n in range(3)] == [
        MIB,
        MIB,
        2_500_000 - 2 * MIB,
    ]


def test_the_originals_way_of_reading_gives_the_same_files(folder: Path):
    """Spark hands out rows in any order; the original writes each, then joins ``*.parts``."""
    files = {"sub/a": b"abc", "big": os.urandom(3 * MIB + 5), "e": b""}
    fill(folder, files)
    SinaraArchive().pack(folder, folder.parent / "store")
    dest = folder.parent / "dest"

    rows = parquet.read_table(folder.parent / "store", columns=["relPath", "content"]).to_pylist()
    for item in reversed(rows):
        path = dest / item["relPath"].strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item["content"])
    for parts in [path for path in dest.rglob("*.parts") if path.is_dir()]:
        pieces = sorted(parts.glob("part-*"))
        (parts.parent / parts.stem).write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        [piece.unlink() for piece in pieces]
        parts.rmdir()

    assert contents(dest) == contents(folder)


def write_as_the_original(store: Path, files: dict[str, bytes], row_size: int) -> None:
    """Lay out an archive as Spark's binaryFile source and ``repartition`` leave it.

    INT96 times, snappy, dictionary encoding, nothing sorted, several part files of which some are
    empty, Hadoop's checksum files and ``_SUCCESS`` beside them; no columns but four.
    """
    rows = []
    for name, content in files.items():
        pieces = [content[at : at + row_size] for at in range(0, len(content), row_size)]
        paths = (
            [f"/{name}.parts/part-{n:04d}" for n in range(len(pieces))]
            if len(pieces) > 1
            else [f"/{name}"]
        )
        rows += [
            {"modificationTime": 1_600_000_000_000_000, **row(path, piece)}
            for path, piece in zip(paths, pieces or [b""], strict=True)
        ]
    rows.sort(key=lambda item: hash(item["content"]))
    store.mkdir()
    for number in range(4):
        scratch = store.parent / f"part{number}"
        parquet_of(
            scratch,
            rows[number::3] if number < 3 else rows[:1],
            compression="snappy",
            use_deprecated_int96_timestamps=True,
            store_schema=False,
        )
        name = f"part-{number:05d}-0c1d7c5e-8a0c-4b8c-c000.snappy.parquet"
        table = (
            parquet.read_table(scratch) if number < 3 else parquet.read_table(scratch).slice(0, 0)
        )
        parquet.write_table(
            table, store / name, use_deprecated_int96_timestamps=True, store_schema=False
        )
        (store / f".{name}.crc").write_bytes(b"crc\0")
    (store / "_SUCCESS").touch()


@pytest.mark.parametrize("row_size", [1000, 7, MIB])
def test_an_archive_that_the_original_wrote_is_read(tmp_path: Path, row_size: int):
    files = {
        "model.bin": os.urandom(12_345),
        "zeros": bytes(9_000),
        "sub/labels.txt": b"cat\ndog\n",
        "empty": b"",
    }
    write_as_the_original(tmp_path / "store", files, row_size)

    SinaraArchive().unpack_files_from_store_to_tmp(tmp_path / "store", tmp_path / "back")

    assert {
        name: data for name, data in contents(tmp_path / "back").items() if data is not None
    } == files


def test_pieces_are_joined_by_number_where_the_originals_names_no_longer_sort(tmp_path: Path):
    """Its names have four digits: "part-10000" sorts before "part-1001"."""
    pieces = [row(f"/f.parts/part-{number:04d}", b"%d " % number) for number in range(10_020)]
    parquet_of(tmp_path / "store", pieces[::-1])

    SinaraArchive().unpack_files_from_store_to_tmp(tmp_path / "store", tmp_path / "back")

    assert (tmp_path / "back" / "f").read_bytes().split() == [b"%d" % n for n in range(10_020)]


def test_a_file_of_more_than_ten_thousand_rows_gets_longer_rows(folder: Path):
    fill(folder, {"f": os.urandom(50_001)})
    archive = SinaraArchive()
    archive.ROW_SIZE = 5

    back = round_trip(folder, archive)

    table = parquet.read_table(folder.parent / "store", columns=["relPath"])
    assert max(table["relPath"].to_pylist()) <= "/f.parts/part-9999"
    assert contents(back) == contents(folder)


def test_ten_thousand_small_files_come_back(folder: Path):
    files = {f"d{n % 100}/f{n}": b"%d" % n for n in range(10_000)}
    fill(folder, files)

    back = round_trip(folder)

    assert sum(1 for path in back.rglob("*") if path.is_file()) == 10_000
    assert all((back / name).read_bytes() == data for name, data in list(files.items())[::97])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_does_not_grow_with_the_file(tmp_path: Path):
    """300 MB in and out, by a fresh process that says how much more it took than at its start."""
    (tmp_path / "source").mkdir()
    with (tmp_path / "source" / "big").open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(MIB))
    program = (
        "import re, sys\n"
        "from sinara.archive import SinaraArchive\n"
        "from pyarrow import parquet\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = peak()\n"
        "SinaraArchive().pack(sys.argv[1], sys.argv[2])\n"
        "SinaraArchive().unpack_files_from_store_to_tmp(sys.argv[2], sys.argv[3])\n"
        "print(peak() - before)\n"
    )

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            *(str(tmp_path / name) for name in ("source", "store", "back")),
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert 0 < int(done.stdout) << 10 < 200 * MIB
    assert (tmp_path / "back" / "big").stat().st_size == 300 * MIB


def test_a_link_to_a_file_inside_becomes_a_copy(folder: Path):
    fill(folder, {"blobs/abc": b"weights", "blobs/z": b"z"})
    (folder / "snapshot").mkdir()
    (folder / "snapshot" / "model.bin").symlink_to("../blobs/abc")
    (folder / "again").symlink_to("snapshot/model.bin")

    back = round_trip(folder)

    assert (back / "snapshot" / "model.bin").read_bytes() == b"weights"
    assert (back / "again").read_bytes() == b"weights"
    assert not (back / "again").is_symlink()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(
            lambda f: (f / "x").symlink_to("/etc/hostname"), "out of the folder", id="absolute link"
        ),
        pytest.param(
            lambda f: (f / "x").symlink_to("../other"), "out of the folder", id="link above"
        ),
        pytest.param(lambda f: (f / "x").symlink_to("missing"), "no file", id="dead link"),
        pytest.param(lambda f: (f / "x").symlink_to("x"), "links only", id="link to itself"),
        pytest.param(lambda f: (f / "x").symlink_to("."), "link to a folder", id="link to the top"),
        pytest.param(lambda f: (f / "x").symlink_to("sub"), "no file", id="link to a folder"),
        pytest.param(lambda f: os.mkfifo(f / "x"), "neither a file nor a folder", id="pipe"),
        pytest.param(lambda f: (f / "a\\b").touch(), "backslash", id="backslash"),
        pytest.param(lambda f: (f / "a\nb").touch(), "control character", id="newline"),
        pytest.param(
            lambda f: Path(os.fsdecode(os.fsencode(f) + b"/\xff")).touch(), "UTF-8", id="no UTF-8"
        ),
        pytest.param(lambda f: (f / "SUB").touch(), "only the case", id="case"),
    ],
)
def test_what_could_not_be_unpacked_is_not_packed(folder: Path, make, says: str):
    fill(folder, {"sub/file": b""})
    (folder.parent / "other").touch()
    make(folder)

    with pytest.raises(ArchiveError, match=says) as caught:
        SinaraArchive().pack(folder, folder.parent / "store")

    assert len(str(caught.value).splitlines()) == 1
    assert not (folder.parent / "store").exists()


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(ArchiveError, match="nowhere cannot be packed: No such file"):
        SinaraArchive().pack(tmp_path / "nowhere", tmp_path / "store")


def test_packing_again_replaces_the_archive(folder: Path):
    fill(folder, {"f": b"old"})
    store = folder.parent / "store"
    SinaraArchive().pack(folder, store)
    (store / "part-00000-spark.parquet").write_bytes((store / "part-00000.parquet").read_bytes())
    (store / "_SUCCESS").touch()
    fill(folder, {"f": b"new"})

    SinaraArchive().pack(folder, store)

    assert [path.name for path in store.iterdir()] == ["part-00000.parquet"]
    SinaraArchive().unpack_files_from_store_to_tmp(store, folder.parent / "back")
    assert (folder.parent / "back" / "f").read_bytes() == b"new"


def test_an_archive_stays_when_packing_again_fails(folder: Path):
    fill(folder, {"f": b"old"})
    store = folder.parent / "store"
    SinaraArchive().pack(folder, store)
    before = contents(store)
    (folder / "link").symlink_to("/etc/hostname")

    with pytest.raises(ArchiveError):
        SinaraArchive().pack(folder, store)

    assert contents(store) == before


def test_a_folder_that_holds_something_else_is_not_overwritten(folder: Path):
    fill(folder, {"f": b""})
    fill(folder.parent / "store", {"thesis.odt": b"years"})

    with pytest.raises(ArchiveError, match=r"thesis\.odt.*Remove it, or pack to another"):
        SinaraArchive().pack(folder, folder.parent / "store")

    assert contents(folder.parent / "store") == {"thesis.odt": b"years"}


def test_a_long_archive_is_several_parquet_files(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sinara.archive.pack._FILE_SIZE", 1000)
    fill(folder, {f"f{n}": os.urandom(400) for n in range(20)})
    archive = SinaraArchive()
    archive.BLOCK_SIZE = 500

    back = round_trip(folder, archive)

    assert len(list((folder.parent / "store").iterdir())) > 5
    assert contents(back) == contents(folder)


def test_unpacking_keeps_other_files_and_replaces_those_of_the_same_name(folder: Path):
    fill(folder, {"sub/new": b"new", "sub/same": b"new", "top": b"new"})
    back = folder.parent / "back"
    fill(back, {"sub/same": b"old", "sub/other": b"other", "mine": b"mine"})
    back.chmod(0o700)

    round_trip(folder)

    assert contents(back) == {
        "sub": None,
        "sub/new": b"new",
        "sub/same": b"new",
        "sub/other": b"other",
        "top": b"new",
        "mine": b"mine",
    }
    assert stat.S_IMODE(back.stat().st_mode) == 0o700


@pytest.mark.parametrize("in_the_way", ["link to a folder", "link to a file", "folder", "file"])
def test_what_is_in_the_way_is_refused_and_nothing_is_moved(folder: Path, in_the_way: str):
    fill(folder, {"a": b"a", "sub/file": b"x"})
    back, elsewhere = folder.parent / "back", folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(b"precious")
    back.mkdir()
    match in_the_way:
        case "link to a folder":
            (back / "sub").symlink_to(elsewhere)
        case "link to a file":
            (back / "sub").mkdir()
            (back / "sub" / "file").symlink_to(elsewhere / "file")
        case "folder":
            (back / "a").mkdir()
        case "file":
            (back / "sub").touch()
    before = contents(folder.parent / "back")

    with pytest.raises(ArchiveError, match="Remove it first"):
        round_trip(folder)

    assert contents(back) == before
    assert contents(elsewhere) == {"file": b"precious"}


def test_a_destination_that_is_a_link_is_refused(folder: Path):
    fill(folder, {"a": b"a"})
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "back").symlink_to(folder.parent / "elsewhere")

    with pytest.raises(ArchiveError, match="it is a link: give the path it points to"):
        round_trip(folder)

    assert contents(folder.parent / "elsewhere") == {}


def test_a_destination_that_is_a_file_is_refused(folder: Path):
    fill(folder, {"a": b"a"})
    (folder.parent / "back").touch()

    with pytest.raises(ArchiveError, match="it is not a folder"):
        round_trip(folder)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(tmp_path: Path):
    parquet_of(tmp_path / "store", [{**row("/f"), "length": 1 << 55}])
    archive = SinaraArchive(limits=Limits(max_bytes=1 << 60, max_ratio=1e18))

    with pytest.raises(ArchiveError, match=r"has .* left"):
        archive.unpack_files_from_store_to_tmp(tmp_path / "store", tmp_path / "back")

    assert not (tmp_path / "back").exists()


def test_limits_can_be_raised(tmp_path: Path):
    parquet_of(
        tmp_path / "store", [row(f"/f{n}", bytes(MIB)) for n in range(100)], use_dictionary=True
    )

    with pytest.raises(ArchiveError, match=r"decompression bomb.*Limits\(max_ratio="):
        SinaraArchive().unpack_files_from_store_to_tmp(tmp_path / "store", tmp_path / "back")
    SinaraArchive(limits=Limits(max_ratio=1e6)).unpack_files_from_store_to_tmp(
        tmp_path / "store", tmp_path / "back"
    )

    assert len(list((tmp_path / "back").iterdir())) == 100


def test_a_store_path_with_nothing_in_it_is_named(tmp_path: Path):
    with pytest.raises(ArchiveError, match="nothing cannot be read: No such file"):
        SinaraArchive().unpack_files_from_store_to_tmp(tmp_path / "nothing", tmp_path / "back")


def test_unpack_gives_a_folder_of_this_run_named_as_the_entity(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    from sinara.context import CONTEXT_VARIABLE, RunContext, write_context

    fill(folder, {"weights": b"1"})
    work = folder.parent / "work"
    context = RunContext(
        "run-25-01-01-000000", "user", "p", "zone", "s", "x.ipynb", str(folder), work_path=str(work)
    )
    write_context(folder.parent / "context.json", context)
    monkeypatch.setenv(CONTEXT_VARIABLE, str(folder.parent / "context.json"))
    SinaraArchive().pack(folder, folder.parent / "model")

    first = SinaraArchive().unpack(f"{folder.parent}/model/")
    second = SinaraArchive().unpack(folder.parent / "model")

    assert first == second == str(work / "model")
    assert contents(work / "model") == {"weights": b"1"}


def test_unpack_outside_of_any_step_uses_a_temporary_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(folder.parent)
    fill(folder, {"weights": b"1"})
    SinaraArchive().pack(folder, folder.parent / "model")

    unpacked = Path(SinaraArchive().unpack(folder.parent / "model"))

    assert unpacked.name == "model"
    assert contents(unpacked) == {"weights": b"1"}


def test_sizes_come_from_the_settings(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SINARA_ROW_SIZE", "100")
    monkeypatch.setenv("SINARA_BLOCK_SIZE", "1000")
    fill(folder, {"f": bytes(250)})

    back = round_trip(folder)

    assert (get_row_size(), get_block_size()) == (100, 1000)
    lengths = parquet.read_table(folder.parent / "store", columns=["length"])["length"].to_pylist()
    assert lengths == [100, 100, 50]
    assert contents(back) == contents(folder)


def test_an_archive_on_an_object_store_is_written_read_and_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    import fsspec

    url = f"memory://{folder.parent.name}/model"
    fill(folder, {"a": b"one", "big": os.urandom(2 * MIB + 3)})
    monkeypatch.chdir(folder.parent)

    SinaraArchive().pack(folder, url)
    fill(folder, {"a": b"two"})
    SinaraArchive().pack(folder, url)
    SinaraArchive().unpack_files_from_store_to_tmp(url, folder.parent / "back")

    assert contents(folder.parent / "back") == contents(folder)
    assert len(fsspec.filesystem("memory").ls(f"/{folder.parent.name}/model")) == 1


def test_a_failed_pack_leaves_nothing_on_an_object_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    import fsspec

    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("sinara.archive.pack._FILE_SIZE", 100)
    fill(folder, {f"a{n}": os.urandom(400) for n in range(9)})
    (folder / "z").symlink_to("/etc/hostname")
    archive = SinaraArchive()
    archive.BLOCK_SIZE = 500

    with pytest.raises(ArchiveError):
        archive.pack(folder, f"memory://{folder.parent.name}/model")

    assert fsspec.filesystem("memory").find(f"/{folder.parent.name}") == []


def test_rows_longer_than_a_block_are_blocks_of_their_own(folder: Path):
    fill(folder, {f"f{n}": os.urandom(n * 100) for n in range(10)})
    archive = SinaraArchive()
    archive.ROW_SIZE, archive.BLOCK_SIZE = 1000, 100

    assert contents(round_trip(folder, archive)) == contents(folder)


@pytest.mark.parametrize("size", [5, 15])
def test_a_file_that_changes_while_it_is_packed_is_named(folder: Path, size: int):
    """The file is 10 bytes long; the listing said otherwise."""
    fill(folder, {"f": bytes(10), "other": bytes(size)})

    with (folder / "f").open("rb") as file:
        source = Source("f", (folder / "other").stat(), file.fileno())
        with pytest.raises(ArchiveError, match=r"'f' was changed while it was packed"):
            pack([source], lambda number: io.BytesIO(), row_size=100, block_size=100)


def test_a_system_without_dev_fd_packs_too(folder: Path, monkeypatch: pytest.MonkeyPatch):
    fill(folder, {"f": b"x"})
    with monkeypatch.context() as patch:
        patch.setattr("sinara.archive.places._DESCRIPTORS", str(folder / "nowhere"))
        SinaraArchive().pack(folder, folder.parent / "store")

    SinaraArchive().unpack_files_from_store_to_tmp(folder.parent / "store", folder.parent / "back")

    assert contents(folder.parent / "back") == {"f": b"x"}


def test_times_that_are_no_times_or_no_dates_are_passed_over(tmp_path: Path):
    table = pa.table(
        {"modificationTime": ["now"], "length": [1], "content": [b"x"], "relPath": ["/f"]}
    )
    (tmp_path / "store").mkdir()
    parquet.write_table(table, tmp_path / "store" / "a.parquet")
    far = {**row("/g"), "modificationTime": (1 << 40) * 1_000_000}
    parquet_of(tmp_path / "far", [far])
    (tmp_path / "far" / "part-00000.parquet").rename(tmp_path / "store" / "b.parquet")

    SinaraArchive().unpack_files_from_store_to_tmp(tmp_path / "store", tmp_path / "back")

    assert contents(tmp_path / "back") == {"f": b"x", "g": b"evil"}


def test_unpack_by_hand_uses_the_drafts_folder(folder: Path, monkeypatch: pytest.MonkeyPatch):
    step = folder.parent / "p-s"
    text = '{"pipeline_params": {"pipeline_name": "p"}, "step_params": {}, "substeps_params": ["x.ipynb"]}'
    fill(step, {"params/step_params.json": text.encode()})
    fill(folder, {"f": b"x"})
    monkeypatch.chdir(step)
    SinaraArchive().pack(folder, folder.parent / "model")

    unpacked = SinaraArchive().unpack(folder.parent / "model")

    assert unpacked.startswith(str(folder.parent / "sinara_data" / "_tmp" / "user" / "p"))
    assert contents(Path(unpacked)) == {"f": b"x"}


def test_data_frames_need_a_spark_session(folder: Path):
    with pytest.raises(UsageError, match=r"SinaraArchive\(SinaraSpark\.run_session\(\)\)"):
        SinaraArchive().pack_files_from_tmp_to_spark_df(folder)


def test_importing_it_is_light():
    program = (
        "import sys, sinara.archive, sinara.fs\n"
        "print(sorted({'pyarrow', 'pandas', 'fsspec'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
