"""What is asked for and cannot be: told in one line before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinara.containerize.containerize import complete, planned
from sinara.containerize.values import Request
from sinara.errors import BadNameError, UsageError
from sinara.names import StepName
from sinara.settings import Settings, load_settings
from sinara.store import open_store
from tests.serving.forged import publish

STEP = StepName("user", "demo", "zone", "pack")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a pipeline in an empty folder."""
    (tmp_path / "sinara.toml").touch()
    monkeypatch.chdir(tmp_path)
    return load_settings(tmp_path)


@pytest.mark.parametrize("platform", ["linux", "x; y", "--foo", "linux/amd64/v9/9", "Linux/amd64"])
def test_a_platform_that_is_none_is_told(settings, platform):
    with pytest.raises(UsageError, match=r"--platform: .* cannot be: write linux"):
        complete(settings, Request(base="localhost/python:3.11", platform=platform))


@pytest.mark.parametrize("base", ["oci-archive:base.tar", "oci:base"])
def test_a_base_in_a_file_is_not_given_to_a_builder_that_takes_none(settings, base, buildah):
    run_id = publish(open_store(settings.env("user").root).step(STEP))
    request = complete(settings, Request(base=base, backend="buildah"))

    with (
        pytest.raises(UsageError, match="take --backend direct"),
        planned(settings, "user.demo.zone.pack.service", run_id, request),
    ):
        pass


def test_a_base_whose_name_is_none_is_told_before_a_build(settings, buildah):
    run_id = publish(open_store(settings.env("user").root).step(STEP))
    request = complete(settings, Request(base="UPPER/x:y:z", backend="buildah"))

    with (
        pytest.raises(BadNameError),
        planned(settings, "user.demo.zone.pack.service", run_id, request),
    ):
        pass


@pytest.fixture
def buildah(images):
    """Storage for a buildah that works; skips where there is none."""
    return images
