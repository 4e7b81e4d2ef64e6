"""Packages are laid out as they will lie in an image, and nothing of this machine stays beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sinara.errors import ImageError
from sinara.images.kept import KeptLayers, key_of
from sinara.images.layers import Content, Layer, write_layer
from sinara.images.packages import find_python, find_uv, install, tidy, wheels
from tests.containers import PYTHON, wheel
from tests.images.recipes import recipe


def quiet(_: str) -> None:
    pass


def test_uv_and_the_python_of_this_machine_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))

    found = find_python(PYTHON)

    assert find_uv() is not None
    assert found is not None
    assert found.version.startswith(f"{PYTHON}.")
    assert find_python("2.1") is None


def test_scripts_and_the_notes_of_uv_are_removed_from_the_list_too(tmp_path: Path):
    info = tmp_path / "a-1.dist-info"
    for name in ("bin/a", "a/__init__.py", "direct_url.json", "uv_cache.json", "REQUESTED"):
        path = (tmp_path if "/" in name else info) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / ".lock").touch()
    (info / "RECORD").write_text(
        "a/__init__.py,sha256=x,1\n../../bin/a,,\nbin/a,,\n"
        "a-1.dist-info/direct_url.json,,\na-1.dist-info/RECORD,,\n"
    )

    tidy(tmp_path)

    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"a/__init__.py", "a-1.dist-info/RECORD"}
    assert (info / "RECORD").read_text() == "a-1.dist-info/RECORD,,\na/__init__.py,sha256=x,1\n"


def test_compiled_files_hold_the_path_of_the_image_and_nothing_of_the_build(tmp_path: Path):
    asked = recipe(tmp_path / "r", platform="linux/amd64")
    uv, python = find_uv(), find_python(PYTHON)
    assert uv is not None
    (tmp_path / "work").mkdir()

    install(uv, asked, ["bentoml==0.0.1"], tmp_path / "work" / "site", python, quiet)

    (code,) = (tmp_path / "work/site/bentoml/__pycache__").glob("__main__*.pyc")
    assert b"/app/site/bentoml/__main__.py" in code.read_bytes()
    assert str(tmp_path).encode() not in code.read_bytes()
    assert code.read_bytes()[4:8] == b"\x03\0\0\0"  # checked by hash: PEP 552


def test_only_wheels_that_are_named_decide_over_a_layer(tmp_path: Path):
    one = wheel(tmp_path, "My_Package", "1.0", {"a.py": ""})
    wheel(tmp_path, "other", "1.0", {"a.py": ""})

    assert wheels(tmp_path, ["my-package==1.0"]) == [one]
    with pytest.raises(ImageError, match="no folder of wheels"):
        wheels(tmp_path / "absent", [])


def test_the_content_of_a_wheel_decides_over_the_key(tmp_path: Path):
    before = key_of(["a==1"], [wheel(tmp_path, "a", "1", {"a.py": "x = 1"})])
    again = key_of(["a==1"], [wheel(tmp_path, "a", "1", {"a.py": "x = 1"})])
    after = key_of(["a==1"], [wheel(tmp_path, "a", "1", {"a.py": "x = 2"})])

    assert before == again != after


def layer_of(folder: Path, text: str) -> Layer:
    source, out = folder / f"source-{text}", folder / "out"
    source.mkdir(parents=True)
    out.mkdir(exist_ok=True)
    (source / "a").write_text(text)
    return write_layer([Content(source, "/x")], out, epoch=0)


def test_the_layers_that_were_not_used_for_long_are_forgotten(tmp_path: Path):
    kept = KeptLayers(tmp_path / "kept")
    (tmp_path / "target").mkdir()
    for number in range(12):
        kept.put(f"key{number}", layer_of(tmp_path, str(number)))

    assert kept.get("key0", tmp_path / "target") is None
    last = kept.get("key11", tmp_path / "target")
    assert last is not None
    assert last.path.parent == tmp_path / "target"
    assert len(list((tmp_path / "kept").iterdir())) == 8


@pytest.mark.skipif(sys.platform == "win32", reason="rights are of another kind there")
def test_a_folder_that_cannot_be_written_keeps_nothing_and_is_no_error(tmp_path: Path):
    (tmp_path / "kept").write_text("a file")
    kept = KeptLayers(tmp_path / "kept")

    kept.put("key", layer_of(tmp_path, "x"))

    assert kept.get("key", tmp_path) is None
