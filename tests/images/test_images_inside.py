"""The program of the build, run by this Python: what it leaves is the same with uv and with pip."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from sinara.images import inside
from sinara.images.context import find_linux_uv
from tests.containers import PYTHON, wheel


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders of a build, below one of ours."""
    for name in ("BUILD", "CACHE", "SECRETS", "REQUIREMENTS", "SITE"):
        monkeypatch.setattr(inside, name, tmp_path / name)
    monkeypatch.setenv("SINARA_PYTHON", PYTHON)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    script = "tiny-1.0.data/scripts/tiny"
    wheel(
        tmp_path / "BUILD/wheels",
        "tiny",
        "1.0",
        {"tiny/__init__.py": "x = 1\n", script: "#!python\n"},
    )
    (tmp_path / "REQUIREMENTS").write_text("tiny==1.0\n")
    return tmp_path


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_packages_are_compiled_and_tell_nothing_of_the_build(
    build: Path, monkeypatch: pytest.MonkeyPatch, installer: str
):
    uv = find_linux_uv()
    if installer == "uv" and uv:
        shutil.copy(uv, build / "BUILD" / "uv")
    monkeypatch.setenv("PATH", "/nowhere")

    inside.main()

    site = build / "SITE"
    names = {str(p.relative_to(site)) for p in site.rglob("*") if p.is_file()}
    code = (site / "tiny/__pycache__" / f"__init__.{sys.implementation.cache_tag}.pyc").read_bytes()
    assert "tiny/__init__.py" in names
    assert code[4:8] == b"\x03\0\0\0"  # checked by the hash of its source, PEP 552
    assert not [n for n in names if n.startswith("bin/") or n.endswith((".lock", *inside.OF_BUILD))]
    assert "uv_cache" not in (site / "tiny-1.0.dist-info/RECORD").read_text()
    assert {p.stat().st_mtime for p in site.rglob("*")} == {inside.LAYER_TIME}


def test_another_python_is_told(build: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SINARA_PYTHON", "3.99")

    with pytest.raises(SystemExit, match=rf"sinara: the base image has Python {PYTHON}, .* 3\.99"):
        inside.main()


def test_a_package_that_is_not_there_ends_the_build(build: Path):
    (build / "REQUIREMENTS").write_text("nosuch==1.0\n")

    with pytest.raises(SystemExit, match="sinara: the packages could not be installed"):
        inside.main()


def test_secrets_reach_the_installer_as_variables(build: Path):
    inside.SECRETS.mkdir()
    (inside.SECRETS / "settings").write_text('{"UV_DEFAULT_INDEX": "https://u:p@host"}')
    (inside.SECRETS / "ca").write_text("PEM")
    (inside.SECRETS / "uv").write_text("")

    given = inside.environment()

    assert given["UV_DEFAULT_INDEX"] == "https://u:p@host"
    assert given["SSL_CERT_FILE"] == given["PIP_CERT"] == str(inside.SECRETS / "ca")
    assert given["UV_CONFIG_FILE"] == str(inside.SECRETS / "uv")
    assert "UV_DEFAULT_INDEX" not in os.environ


def test_an_image_of_another_model_is_no_base(build: Path):
    inside.SITE.mkdir()
    (inside.SITE / "left.py").write_text("x = 1\n")

    with pytest.raises(SystemExit, match="it is an image of another model"):
        inside.main()
