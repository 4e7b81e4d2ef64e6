"""Files come out of an image as a container would see them, and nothing else happens."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from sinara.errors import ArchiveError, ImageError
from sinara.extract import Limits
from sinara.images.content import Found, extract_files, labels
from sinara.images.layout import blob_path
from sinara.images.origin import open_source
from tests.images.made import BENTO, Member, folder, gz, layout, link, tar, zst


def files_in(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def extracted(tmp_path: Path, *layers: list[Member], limits: Limits | None = None, **how):
    layout(tmp_path / "image", *layers, **how)
    source = open_source(f"oci:{tmp_path / 'image'}", platform="linux/amd64")
    extract_files(source, f"/{BENTO}", tmp_path / "out", limits)
    return files_in(tmp_path / "out")


OLD: list[Member] = [
    folder("home"),
    folder(f"{BENTO}"),
    (f"{BENTO}/a", b"old a"),
    (f"{BENTO}/b/c", b"old c"),
    (f"{BENTO}/b/d", b"old d"),
    (f"{BENTO}x/other", b"other"),
]


@pytest.mark.parametrize(
    ("upper", "files"),
    [
        ([], {"a": b"old a", "b/c": b"old c", "b/d": b"old d"}),
        ([(f"{BENTO}/a", b"new")], {"a": b"new", "b/c": b"old c", "b/d": b"old d"}),
        ([(f"{BENTO}/.wh.a", b"")], {"b/c": b"old c", "b/d": b"old d"}),
        ([(f"{BENTO}/b/.wh.c", b"")], {"a": b"old a", "b/d": b"old d"}),
        ([(f"{BENTO}/.wh.b", b"")], {"a": b"old a"}),
        ([(f"{BENTO}/b/.wh..wh..opq", b""), (f"{BENTO}/b/n", b"n")], {"a": b"old a", "b/n": b"n"}),
        ([("home/.wh.bentoml", b""), (f"{BENTO}/n", b"n")], {"n": b"n"}),
        ([(".wh.home", b""), (f"{BENTO}/n", b"n")], {"n": b"n"}),
        ([("home/bentoml/.wh..wh..opq", b""), (f"{BENTO}/n", b"n")], {"n": b"n"}),
        ([(f"{BENTO}/b", b"a file now")], {"a": b"old a", "b": b"a file now"}),
        (
            [folder(f"{BENTO}/a"), (f"{BENTO}/a/n", b"n")],
            {"a/n": b"n", "b/c": b"old c", "b/d": b"old d"},
        ),
        ([("./" + BENTO + "/a", b"dotted")], {"a": b"dotted", "b/c": b"old c", "b/d": b"old d"}),
        (
            [link("etc/link", "/etc/passwd"), link("usr/hard", "usr/x", tarfile.LNKTYPE)],
            {"a": b"old a", "b/c": b"old c", "b/d": b"old d"},
        ),
        (
            [("lib/systemd/a\\x2db", b""), (f"{BENTO}/.wh..wh.plnk", b"")],
            {"a": b"old a", "b/c": b"old c", "b/d": b"old d"},
        ),
    ],
)
def test_the_last_layer_counts_and_whiteouts_are_honoured(
    tmp_path: Path, upper: list[Member], files: dict[str, bytes]
):
    assert extracted(tmp_path, OLD, upper) == files


def test_what_was_removed_and_made_again_is_the_new_one(tmp_path: Path):
    layers: list[list[Member]] = [
        OLD,
        [(f"{BENTO}/.wh.b", b"")],
        [(f"{BENTO}/b/n", b"n")],
        [(f"{BENTO}/.wh.a", b"")],
    ]

    assert extracted(tmp_path, *layers) == {"b/n": b"n"}


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (link(f"{BENTO}/l", "/etc/passwd"), "is a symbolic link"),
        (link(f"{BENTO}/l", f"{BENTO}/a", tarfile.LNKTYPE), "is a hard link"),
        (link(f"{BENTO}/l", "", tarfile.CHRTYPE), "is a device"),
        (link(f"{BENTO}/l", "", tarfile.FIFOTYPE), "is a pipe"),
        ((f"{BENTO}/../../../x", b""), "leads outside"),
        (("../x", b""), "leads outside"),
        ((f"{BENTO}/a\\b", b""), "a backslash"),
        ((f"{BENTO}/a\nb", b""), "a control character"),
        ((f"{BENTO}/A", b""), "only the case differs"),
    ],
)
def test_what_is_hostile_below_the_path_is_refused_whole(tmp_path: Path, member: Member, said: str):
    with pytest.raises(ArchiveError, match=said) as refused:
        extracted(tmp_path, [*OLD, member])

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_link_that_a_later_layer_hides_is_no_harm(tmp_path: Path):
    lower: list[Member] = [link(f"{BENTO}/l", "/etc/passwd")]

    assert extracted(tmp_path, lower, [(f"{BENTO}/l", b"file")]) == {"l": b"file"}


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_files=3),
        Limits(max_bytes=9),
        Limits(max_ratio=1, free_bytes=1000),
        Limits(max_depth=1),
    ],
)
def test_more_than_the_limits_allow_is_refused(tmp_path: Path, limits: Limits):
    with pytest.raises(ArchiveError):
        extracted(tmp_path, OLD, limits=limits)

    assert not (tmp_path / "out").exists()


def test_a_bomb_in_another_place_of_a_layer_is_refused(tmp_path: Path):
    with pytest.raises(ArchiveError, match="like a decompression bomb"):
        extracted(tmp_path, [*OLD, ("var/zeros", bytes(70 << 20))])


def test_an_image_without_such_files_says_so(tmp_path: Path):
    with pytest.raises(ImageError, match="has no file below '/home/bentoml/bento'"):
        extracted(tmp_path, [("etc/x", b"x")])


def test_layers_may_be_plain(tmp_path: Path):
    assert extracted(tmp_path, OLD, pack=bytes)["a"] == b"old a"


@pytest.mark.skipif(shutil.which("zstd") is None, reason="apt-get install -y zstd")
def test_zstd_layers_are_read_or_the_line_says_what_is_missing(tmp_path: Path):
    try:
        import zstandard  # noqa: F401 (not a dependency: who needs it installs it)
    except ImportError:
        with pytest.raises(ImageError, match="pip install zstandard"):
            extracted(tmp_path, OLD, pack=zst)
    else:
        assert extracted(tmp_path, OLD, pack=zst)["a"] == b"old a"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gz(tar(OLD))[:-20], "damaged"),
        (gz(tar(OLD)[:1500]), "damaged"),
        (gz(b"x" * 2000), "damaged"),
        (b"", "damaged"),
    ],
)
def test_a_damaged_layer_is_one_line(tmp_path: Path, data: bytes, said: str):
    with pytest.raises((ArchiveError, ImageError), match=said) as refused:
        extracted(tmp_path, OLD, pack=lambda _: data)

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_layer_that_was_changed_on_the_disk_is_refused(tmp_path: Path):
    manifest = layout(tmp_path / "image", OLD)
    blob = tmp_path / "image" / blob_path(manifest.layers[0].digest)
    blob.write_bytes(gz(tar([(f"{BENTO}/a", b"evil!")])))

    source = open_source(f"oci:{tmp_path / 'image'}", platform="linux/amd64")
    with pytest.raises(ImageError, match="differs from its digest"):
        extract_files(source, BENTO, tmp_path / "out")


def test_a_layer_that_is_not_what_the_configuration_lists_is_refused(tmp_path: Path):
    with pytest.raises(ImageError, match="not what the configuration says"):
        extracted(tmp_path, OLD, pack=lambda _: gz(tar([(f"{BENTO}/a", b"evil!")])))

    assert not (tmp_path / "out").exists()


def test_labels_are_read(tmp_path: Path):
    layout(tmp_path / "image", OLD, labels={"org.opencontainers.image.version": "run-1"})

    with_labels = open_source(f"oci:{tmp_path / 'image'}", platform="linux/amd64")

    assert labels(with_labels) == {"org.opencontainers.image.version": "run-1"}
    assert extract_files(with_labels, BENTO, tmp_path / "out") == Found(3, 15)
