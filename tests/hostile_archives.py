"""A corpus of archives that must be refused: each one a name and a function that writes it.

Every builder gets the path to write, and a folder outside of the destination that the archive
tries to reach. ``NAIVE`` unpacks the same archives the way that has to be avoided, to prove
that those marked ``escapes`` are what they claim.
"""

# ruff: noqa: PTH103, PTH118, PTH120, PTH211  (naive code is what it shows)
from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.extract import Limits

SMALL = Limits(max_files=50, free_bytes=1 << 20)
EVIL = b"evil"


@dataclass(frozen=True)
class Hostile:
    name: str
    kind: str  # "tar", "zip" or "parquet"
    build: Callable[[Path, Path], None]
    escapes: bool = False
    says: str = ""


CORPUS: list[Hostile] = []


def hostile(kind: str, *, escapes: bool = False, says: str = "") -> Callable[[Any], Any]:
    def register(build: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        name = f"{kind}-{build.__name__.strip('_')}".replace("_", "-")
        CORPUS.append(Hostile(name, kind, build, escapes, says))
        return build

    return register


# -- tar -----------------------------------------------------------------------------------


def tar_of(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], **options: Any) -> None:
    with tarfile.open(path, "w", format=options.pop("format", tarfile.PAX_FORMAT)) as tar:
        for member in members:
            info, data = member if isinstance(member, tuple) else (member, b"")
            if isinstance(info, str):
                info = tarfile.TarInfo(info)
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tar_named(
    label: str,
    name: str | Callable[[Path], str],
    *,
    first: str = "good",
    escapes: bool = False,
    says: str = "",
) -> None:
    def build(path: Path, outside: Path) -> None:
        tar_of(path, (first, b"good"), (name(outside) if callable(name) else name, EVIL))

    build.__name__ = label
    hostile("tar", escapes=escapes, says=says)(build)


tar_named("parent", "../evil", escapes=True, says="leads outside")
tar_named("parent_of_parent", "../../evil", escapes=True)
tar_named("parent_inside", "a/b/../../../evil", first="a/b/good", escapes=True)
tar_named("parent_hidden_by_dots", "./a/./../../evil", first="a/good", escapes=True)
tar_named("absolute", lambda outside: f"{outside}/evil", escapes=True, says="absolute")
tar_named("absolute_twice", lambda outside: f"/{outside}/evil", escapes=True)
tar_named("drive", "C:/evil", says="absolute")
tar_named("drive_without_slash", "c:evil")
tar_named("backslash", "..\\evil", says="backslash")
tar_named("unc", "\\\\host\\share\\evil")
tar_named("newline", "a\nb")
tar_named("escape_sequence", "a\x1b[2Jb")
tar_named("dots_only", "..")
tar_named("no_name", "./", says="no name")
tar_named("long_name", "n" * 300, says="too long")
tar_named("long_path", "/".join(["p" * 200] * 30)[:5000], says="too long")
tar_named("deep", "d/" * 200 + "f", says="deep")
tar_named("duplicate", "good", says="twice")
tar_named("case", "GOOD", says="only the case")


@hostile("tar", says="control")
def nul(path: Path, outside: Path) -> None:
    info = tarfile.TarInfo("good.txt")
    info.pax_headers = {"path": "good.txt\0.exe"}
    tar_of(path, info)


@hostile("tar", says="only the case")
def composition(path: Path, outside: Path) -> None:
    tar_of(path, *((unicodedata.normalize(form, "é"), b"x") for form in ("NFC", "NFD")))


@hostile("tar", says="only the case")
def folders_differ_in_case(path: Path, outside: Path) -> None:
    tar_of(path, ("Dir/one", b"1"), ("dir/two", b"2"))


@hostile("tar", says="a file and a folder")
def file_then_folder(path: Path, outside: Path) -> None:
    tar_of(path, ("a", b"file"), ("a/b", b"in it"))


@hostile("tar", says="a file and a folder")
def folder_then_file(path: Path, outside: Path) -> None:
    tar_of(path, ("a/b", b"in it"), ("a", b"file"))


@hostile("tar", says="not valid UTF-8")
def undecodable_name(path: Path, outside: Path) -> None:
    tar_of(path, ("bad\udcff", b"x"), format=tarfile.GNU_FORMAT)


@hostile("tar", escapes=True, says="symbolic link")
def file_through_absolute_link(path: Path, outside: Path) -> None:
    tar_of(path, entry("link", tarfile.SYMTYPE, str(outside)), ("link/evil", EVIL))


@hostile("tar", escapes=True)
def file_through_relative_link(path: Path, outside: Path) -> None:
    tar_of(path, entry("link", tarfile.SYMTYPE, ".."), ("link/evil", EVIL))


@hostile("tar", escapes=True)
def file_through_two_links(path: Path, outside: Path) -> None:
    links = entry("a", tarfile.SYMTYPE, "."), entry("b", tarfile.SYMTYPE, "a/..")
    tar_of(path, *links, ("b/evil", EVIL))


@hostile("tar")
def link_inside(path: Path, outside: Path) -> None:
    tar_of(path, ("good", b"good"), entry("link", tarfile.SYMTYPE, "good"))


@hostile("tar", escapes=True, says="hard link")
def hard_link_outside(path: Path, outside: Path) -> None:
    (outside / "secret").write_bytes(b"secret")
    tar_of(path, entry("link", tarfile.LNKTYPE, "../outside/secret"), ("link", EVIL))


@hostile("tar", says="device")
def character_device(path: Path, outside: Path) -> None:
    tar_of(path, entry("null", tarfile.CHRTYPE))


@hostile("tar", says="device")
def block_device(path: Path, outside: Path) -> None:
    tar_of(path, entry("disk", tarfile.BLKTYPE))


@hostile("tar", says="pipe")
def fifo(path: Path, outside: Path) -> None:
    tar_of(path, entry("pipe", tarfile.FIFOTYPE))


@hostile("tar", says="neither a file nor a folder")
def unknown_type(path: Path, outside: Path) -> None:
    tar_of(path, ("good", b"good"), entry("what", b"Z"))


@hostile("tar", says="sparse")
def gnu_sparse(path: Path, outside: Path) -> None:
    tar_of(path, entry("sparse", tarfile.GNUTYPE_SPARSE), format=tarfile.GNU_FORMAT)


@hostile("tar", says="sparse")
def pax_sparse(path: Path, outside: Path) -> None:
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {"GNU.sparse.size": str(1 << 50), "GNU.sparse.map": "0,1"}
    tar_of(path, info)


@hostile("tar", says="header of")
def huge_header(path: Path, outside: Path) -> None:
    info = tarfile.TarInfo("f")
    info.pax_headers = {"comment": "x" * (1 << 20)}
    tar_of(path, info)


@hostile("tar", says="more than 50 files")
def many(path: Path, outside: Path) -> None:
    tar_of(path, *((f"f{number}", b"") for number in range(60)))


@hostile("tar", says="damaged")
def negative_size(path: Path, outside: Path) -> None:
    info = tarfile.TarInfo("f")
    info.pax_headers = {"size": "-512"}
    tar_of(path, info)


@hostile("tar", says="more than")
def size_that_no_disk_has(path: Path, outside: Path) -> None:
    info = tarfile.TarInfo("f")
    info.size = 1 << 45
    path.write_bytes(info.tobuf() + bytes(1024))


@hostile("tar", says="bomb")
def size_beyond_the_file(path: Path, outside: Path) -> None:
    info = tarfile.TarInfo("f")
    info.size = 1 << 22
    path.write_bytes(info.tobuf() + bytes(1024))


@hostile("tar", says="ends inside a file")
def truncated(path: Path, outside: Path) -> None:
    tar_of(path, ("f", bytes(5000)))
    path.write_bytes(path.read_bytes()[:3000])


@hostile("tar")
def truncated_between_members(path: Path, outside: Path) -> None:
    tar_of(path, ("f", bytes(512)), ("g", bytes(512)))
    path.write_bytes(path.read_bytes()[:1024])


@hostile("tar")
def damaged_second_header(path: Path, outside: Path) -> None:
    tar_of(path, ("f", bytes(512)), ("g", bytes(512)))
    data = bytearray(path.read_bytes())
    data[1024 + 20] ^= 0xFF
    path.write_bytes(data)


@hostile("tar")
def no_end(path: Path, outside: Path) -> None:
    tar_of(path, ("f", bytes(512)))
    path.write_bytes(path.read_bytes()[:1024])


@hostile("tar")
def noise(path: Path, outside: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


@hostile("tar")
def empty_file(path: Path, outside: Path) -> None:
    path.write_bytes(b"")


@hostile("tar")
def headers_in_headers(path: Path, outside: Path) -> None:
    info = tarfile.TarInfo("f")
    info.pax_headers = {"comment": "x"}
    header = info.tobuf(tarfile.PAX_FORMAT)[:-512]
    path.write_bytes(header * 2000 + bytes(1024))


def bomb(label: str, compress: Callable[[bytes], bytes]) -> None:
    def build(path: Path, outside: Path) -> None:
        plain = path.with_suffix(".plain")
        tar_of(plain, ("zeros", bytes(8 << 20)))
        path.write_bytes(compress(plain.read_bytes()))
        plain.unlink()

    build.__name__ = label
    hostile("tar", says="bomb")(build)


bomb("gzip_bomb", gzip.compress)
bomb("bzip2_bomb", bz2.compress)
bomb("xz_bomb", lzma.compress)


@hostile("tar", says="bomb")
def bomb_behind_the_end(path: Path, outside: Path) -> None:
    tar_of(path, ("f", b"good"))
    path.write_bytes(gzip.compress(path.read_bytes() + bytes(8 << 20)))


@hostile("tar", says="damaged")
def gzip_with_wrong_checksum(path: Path, outside: Path) -> None:
    tar_of(path, ("f", os.urandom(2000)))
    data = bytearray(gzip.compress(path.read_bytes()))
    data[-6] ^= 0xFF
    path.write_bytes(data)


@hostile("tar", says="damaged")
def truncated_gzip(path: Path, outside: Path) -> None:
    tar_of(path, ("f", os.urandom(2000)))
    path.write_bytes(gzip.compress(path.read_bytes())[:-400])


# -- zip -----------------------------------------------------------------------------------


def zip_of(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members:
                archive.writestr(name, data)


def zip_named(
    label: str, name: str | Callable[[Path], str], *, escapes: bool = False, says: str = ""
) -> None:
    def build(path: Path, outside: Path) -> None:
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name(outside) if callable(name) else name
        zip_of(path, ("good", b"good"), (info, EVIL))

    build.__name__ = label
    hostile("zip", escapes=escapes, says=says)(build)


def zip_special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


zip_named("parent", "../evil", escapes=True, says="leads outside")
zip_named("parent_inside", "a/../../evil", escapes=True)
zip_named("absolute", lambda outside: f"{outside}/evil", escapes=True, says="absolute")
zip_named("drive", "C:/evil")
zip_named("backslash", "..\\evil", says="backslash")
zip_named("nul", "good.txt\0.exe", says="control")
zip_named("duplicate", "good", says="twice")
zip_named("case", "Good", says="only the case")
zip_named("file_as_folder", "good/f", says="a file and a folder")
zip_named("no_name", ".", says="no name")
zip_named("empty_name", "", says="no name")
zip_named("deep", "d/" * 100 + "f", says="deep")
zip_named("long_name", "n" * 256, says="too long")


@hostile("zip", escapes=True, says="symbolic link")
def zip_file_through_link(path: Path, outside: Path) -> None:
    zip_of(
        path,
        (zip_special("link", stat.S_IFLNK | 0o777), str(outside).encode()),
        ("link/evil", EVIL),
    )


@hostile("zip", says="neither a file nor a folder")
def zip_device(path: Path, outside: Path) -> None:
    zip_of(path, (zip_special("null", stat.S_IFCHR | 0o666), b""))


@hostile("zip", says="folder with content")
def folder_with_content(path: Path, outside: Path) -> None:
    zip_of(path, (zip_special("folder/", stat.S_IFDIR | 0o755), b"content"))
    # writestr drops a folder's content: say that it has some
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    path.write_bytes(data[: at + 24] + struct.pack("<L", 7) + data[at + 28 :])


@hostile("zip", says="encrypted")
def encrypted(path: Path, outside: Path) -> None:
    zip_of(path, ("f", b"data"))
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)


@hostile("zip", says="unknown method")
def unknown_method(path: Path, outside: Path) -> None:
    zip_of(path, ("f", b"data"))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 77
    path.write_bytes(data)


@hostile("zip", says="overlaps")
def overlap(path: Path, outside: Path) -> None:
    zip_of(path, ("a", b"x" * 100), ("b", b"y" * 100))
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<L", 0)
    path.write_bytes(data)


@hostile("zip", says="bomb")
def zip_bomb(path: Path, outside: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(8 << 20))


@hostile("zip", says="damaged")
def bomb_that_lies_about_its_size(path: Path, outside: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(8 << 20))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 100)
    path.write_bytes(data)


@hostile("zip", says="more than 50 files")
def zip_many(path: Path, outside: Path) -> None:
    zip_of(path, *((f"f{number}", b"") for number in range(60)))


@hostile("zip", says="more than 50 files")
def zip_very_many(path: Path, outside: Path) -> None:
    zip_of(path, *((f"f{number}" + "x" * 200, b"") for number in range(300)))


@hostile("zip", says="damaged")
def zip_with_wrong_checksum(path: Path, outside: Path) -> None:
    zip_of(path, ("f", b"data" * 100))
    data = bytearray(path.read_bytes())
    data[data.index(b"datadata")] ^= 0xFF
    path.write_bytes(data)


@hostile("zip", says="damaged")
def truncated_zip(path: Path, outside: Path) -> None:
    zip_of(path, ("f", b"data" * 100))
    path.write_bytes(path.read_bytes()[:-10])


@hostile("zip", says="damaged")
def local_name_differs(path: Path, outside: Path) -> None:
    zip_of(path, ("abcdef", b"data"))
    path.write_bytes(path.read_bytes().replace(b"abcdef", b"../abc", 1))


# -- parquet -------------------------------------------------------------------------------


def parquet_of(path: Path, rows: list[dict[str, Any]], **options: Any) -> None:
    """Write rows as the original does: without the columns that it does not know."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "modificationTime": pa.timestamp("us", tz="UTC"),
        "length": pa.int64(),
        "content": pa.binary(),
        "relPath": pa.string(),
        "mode": pa.int32(),
        "part": pa.int32(),
    }
    types = {name: kind for name, kind in types.items() if name in rows[0]}
    path.mkdir(exist_ok=True)
    columns = [pa.array([row[name] for row in rows], kind) for name, kind in types.items()]
    table = pa.table(columns, names=list(types))
    parquet.write_table(table, path / "part-00000.parquet", **options)


def row(name: Any, content: Any = EVIL, **others: Any) -> dict[str, Any]:
    length = len(content) if content is not None else 0
    return {"length": length, "content": content, "relPath": name, **others}


def rows_refused(label: str, *rows: dict[str, Any], escapes: bool = False, says: str = "") -> None:
    def build(path: Path, outside: Path) -> None:
        parquet_of(path, list(rows))

    build.__name__ = label
    hostile("parquet", escapes=escapes, says=says)(build)


GOOD = row("/good", b"good")
rows_refused("parent", GOOD, row("/../evil"), escapes=True, says="leads outside")
rows_refused("parent_without_slash", GOOD, row("../../evil"), escapes=True)
rows_refused("parent_inside", GOOD, row("/a/b/../../../evil"), escapes=True)
rows_refused("parent_in_a_piece", GOOD, row("/../evil.parts/part-0000"), escapes=True)
rows_refused("two_slashes", row("//etc/evil"), says="absolute")
rows_refused("drive", row("/C:/evil"), says="absolute")
rows_refused("backslash", row("/..\\evil"), says="backslash")
rows_refused("nul", row("/a\0b"), says="control")
rows_refused("newline", row("/a\nb"), says="control")
rows_refused("no_name", row("/"), says="no name")
rows_refused("long_name", row("/" + "n" * 256), says="too long")
rows_refused("deep", row("/d" * 100), says="deep")
rows_refused("duplicate", GOOD, GOOD, says="twice")
rows_refused("duplicate_without_slash", GOOD, row("good"), says="twice")
rows_refused("case", GOOD, row("/GOOD"), says="only the case")
rows_refused("file_as_folder", GOOD, row("/good/f"), says="a file and a folder")
rows_refused(
    "piece_missing", row("/f.parts/part-0000"), row("/f.parts/part-0002"), says="lacks its piece 1"
)
rows_refused("first_piece_missing", row("/f.parts/part-0001"), says="lacks its piece 0")
rows_refused("piece_twice", row("/f.parts/part-0000"), row("/f.parts/part-0000"), says="twice")
rows_refused("piece_and_whole", row("/f.parts/part-0000"), row("/f"), says="twice")
rows_refused("whole_and_piece", row("/f"), row("/f.parts/part-0000"), says="twice")
rows_refused("length_too_short", {**GOOD, "length": 1}, says="length")
rows_refused("length_too_long", {**GOOD, "length": 1000}, says="length")
rows_refused("negative_length", {**GOOD, "length": -1}, says="negative")
rows_refused("enormous_length", {**GOOD, "length": 1 << 60}, says="more than")
rows_refused("no_path", {**GOOD, "relPath": None}, says="no path")
rows_refused("no_content", row("/a", None), GOOD, says="no content")
rows_refused("no_length", {**GOOD, "length": None}, says="no length")
rows_refused("part_lies", row("/f.parts/part-0000", mode=None, part=7), says="not the piece")
rows_refused("part_of_no_piece", row("/f", mode=None, part=0), says="not the piece")
rows_refused("many", *(row(f"/f{number}", b"") for number in range(60)), says="more than 50 files")
rows_refused("other_columns", {"relPath": "/a", "length": 3}, says="no archive")


@hostile("parquet", says="no archive")
def content_of_another_type(path: Path, outside: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path.mkdir()
    table = pa.table({"relPath": ["/a"], "length": [1], "content": [{"x": b"1"}]})
    parquet.write_table(table, path / "part.parquet")


@hostile("parquet", says="bomb")
def parquet_bomb(path: Path, outside: Path) -> None:
    parquet_of(path, [row("/zeros", bytes(8 << 20))], compression="zstd")


@hostile("parquet", says="bomb")
def dictionary_bomb(path: Path, outside: Path) -> None:
    parquet_of(path, [row(f"/f{n}", bytes(1 << 19)) for n in range(40)], use_dictionary=True)


@hostile("parquet", says="no archive")
def no_parquet(path: Path, outside: Path) -> None:
    path.mkdir()
    (path / "README").write_text("hello")


@hostile("parquet", says="damaged")
def parquet_noise(path: Path, outside: Path) -> None:
    path.mkdir()
    (path / "part.parquet").write_bytes(b"PAR1" + os.urandom(100) + b"PAR1")


@hostile("parquet", says="damaged")
def truncated_parquet(path: Path, outside: Path) -> None:
    parquet_of(path, [GOOD])
    file = path / "part-00000.parquet"
    file.write_bytes(file.read_bytes()[:-20])


@hostile("parquet", says="damaged")
def damaged_page(path: Path, outside: Path) -> None:
    parquet_of(path, [row("/f", b"0123456789" * 100)], compression="none", use_dictionary=False)
    file = path / "part-00000.parquet"
    data = file.read_bytes()
    at = data.index(b"0123456789") - 4
    file.write_bytes(data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :])


# -- how not to do it ----------------------------------------------------------------------


def _naive_tar(path: Path, dest: Path) -> None:
    with tarfile.open(path) as tar:
        # Python 3.11.4 and later can be told, and 3.12 and later have to be, to check nothing.
        naive = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        tar.extractall(dest, **naive)


def _naive_zip(path: Path, dest: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            target = os.path.join(dest, info.orig_filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                os.symlink(archive.read(info), target)
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            Path(target).write_bytes(archive.read(info))


def _naive_parquet(path: Path, dest: Path) -> None:
    from pyarrow import parquet

    for values in parquet.read_table(path).to_pylist():
        target = os.path.join(dest, values["relPath"].strip("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).write_bytes(values["content"])


NAIVE = {"tar": _naive_tar, "zip": _naive_zip, "parquet": _naive_parquet}
