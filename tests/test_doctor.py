"""What this machine has: looked at, nothing changed."""

from __future__ import annotations

from sinara.doctor import examine


def by_name(folder):
    return {finding.what: finding for finding in examine(folder)}


def test_what_is_needed_is_here(tmp_path):
    assert [f.what for f in examine(tmp_path) if f.needed and not f.ok] == []


def test_wrong_settings_are_a_finding_not_an_error(tmp_path):
    (tmp_path / "sinara.toml").write_text("nonsense = ")

    finding = by_name(tmp_path)["settings"]

    assert (finding.ok, finding.needed) == (False, True)
    assert "sinara.toml" in finding.found


def test_looking_makes_nothing(tmp_path):
    examine(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_git_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    finding = by_name(tmp_path)["Git"]

    assert not finding.ok
    assert "apt-get install git" in finding.advice


def test_what_holds_of_kernels_is_said(tmp_path):
    found = by_name(tmp_path)

    assert found["warm kernels"].ok
    assert "all that a kernel started ends with it" in found["orphans"].found
    assert found["memory limits"].found.startswith("held ")


def test_looking_leaves_no_control_group(tmp_path):
    import os
    from pathlib import Path

    from sinara.kernels import groups

    examine(tmp_path)

    parent = groups._own_group()
    assert parent is None or list(Path(parent).glob(f"sinara-{os.getpid()}-*")) == []
