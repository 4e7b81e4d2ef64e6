"""Which packages are installed: read off their folders, as Python itself finds them."""

from __future__ import annotations

import importlib.metadata as metadata
import sys

import packaging.requirements  # noqa: F401 - before the path is another
import pytest

from sinara.packages import Installed, normal


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages, the only one that there is."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def put(site, folder: str, name: str, version: str, *lines: str, record: str = "") -> None:
    place = site / folder
    place.mkdir()
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    (place / ("METADATA" if folder.endswith("dist-info") else "PKG-INFO")).write_text(text)
    if record:
        (place / "RECORD").write_text(record)


def test_this_environment_is_read_as_python_reads_it():
    told = {normal(one.name): one.version for one in metadata.distributions() if one.name}

    assert dict(Installed(sys.executable).versions) == told


def test_packages_of_the_older_form_are_found(site):
    put(site, "old_one-1.0.egg-info", "old.one", "1.0")
    put(site, "new-2.0.dist-info", "new", "2.0")

    assert Installed(sys.executable).versions == {"new": "2.0", "old-one": "1.0"}


def test_what_an_interrupted_install_left_is_no_package(site):
    put(site, "~ew-1.0.dist-info", "new", "1.0")
    (site / "empty-1.0.dist-info").mkdir()
    put(site, "new-2.0.dist-info", "new", "2.0")

    assert Installed(sys.executable).versions == {"new": "2.0"}


def test_the_first_of_two_places_counts(site, tmp_path, monkeypatch):
    put(site, "new-1.0.dist-info", "new", "1.0")
    other = tmp_path / "other"
    other.mkdir()
    put(other, "new-2.0.dist-info", "new", "2.0")
    monkeypatch.setattr(sys, "path", [str(site), str(tmp_path / "none"), str(other)])

    assert Installed(sys.executable).versions == {"new": "1.0"}


def test_a_module_leads_to_its_package_and_all_that_it_needs(site):
    record = "top/__init__.py,sha256=x,1\nlone.py,,\nnew-2.0.dist-info/RECORD,,\n../../bin/new,,\n"
    put(site, "new-2.0.dist-info", "new", "2.0", "Requires-Dist: needed", record=record)
    put(site, "needed-3.0.dist-info", "needed", "3.0", "Requires-Dist: x; extra == 'more'")
    put(site, "x-1.dist-info", "x", "1")
    found = Installed(sys.executable)

    assert found.of(["top"]) == found.of(["lone"]) == {"needed": "3.0", "new": "2.0"}
    assert found.of(["bin", "nothing"]) == {}
