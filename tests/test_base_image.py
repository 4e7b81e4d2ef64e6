"""tools/base_image.py: the base image that the tests of images build on."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "base_image.py"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same image, made twice."""
    files = [tmp_path_factory.mktemp("base") / "image.tar" for _ in range(2)]
    for file in files:
        done = subprocess.run(
            [sys.executable, str(TOOL), "--oci-archive", str(file)], capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(done.stderr.strip())
    return files


@pytest.mark.slow
def test_two_files_are_the_same_bytes(archives: list[Path]):
    assert archives[0].read_bytes() == archives[1].read_bytes()


@pytest.mark.slow
def test_nothing_of_this_machine_is_in_it(archives: list[Path]):
    with tarfile.open(archives[0]) as tar:
        index = json.load(tar.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        with tarfile.open(fileobj=tar.extractfile(index["Layers"][0])) as layer:
            members = {member.name: member for member in layer}
            passwd = layer.extractfile("etc/passwd").read().decode()  # type: ignore[union-attr]

    assert "usr/bin/python3" in members
    assert "etc/ssl/certs/ca-certificates.crt" in members
    host = ("etc/resolv.conf", "etc/hostname", "etc/machine-id", "etc/shadow", "etc/hosts")
    assert not set(host) & set(members)
    assert {(m.uid, m.gid, m.uname) for m in members.values()} == {(0, 0, "")}
    assert not [m.name for m in members.values() if m.mode & 0o6000]
    assert passwd == Path("/usr/share/base-passwd/passwd.master").read_text()
