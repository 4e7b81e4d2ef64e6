"""Entities that were forged, published as they should be: nothing of them is believed or run."""

from __future__ import annotations

import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara import bentoml as ours
from sinara.errors import SinaraError
from tests.commands import Answer
from tests.containerize.conftest import Containerize
from tests.hostile_archives import CORPUS
from tests.served import Served, forge_service, with_model

FINE = {"tar-many", "tar-bomb-behind-the-end"}  # beyond the small limits of that corpus only
TARS = [one for one in CORPUS if one.kind == "tar" and one.name not in FINE]


@pytest.fixture
def own(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str) -> Served:
    """A copy of the pipeline that belongs to one test."""
    shutil.copytree(served.folder, tmp_path / "p", symlinks=True)
    copy = Served(tmp_path / "p", served.first, served.second, served.pair)
    monkeypatch.chdir(copy.pack)
    monkeypatch.setenv("SINARA_IMAGES_BASE", base)
    return copy


@pytest.fixture(params=TARS, ids=lambda one: one.name)
def hostile(request: pytest.FixtureRequest, own: Served, tmp_path: Path) -> Path:
    """The folder that a published bento tries to write to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile and tarfile warn of what is made here on purpose
        request.param.build(tmp_path / "bento.tar", outside)
    forge_service(own, "evil", {"bento.tar": (tmp_path / "bento.tar").read_bytes()})
    return outside


def test_a_hostile_bento_is_refused_by_every_command(
    hostile: Path,
    own: Served,
    sinara: Callable[..., Answer],
    containerize: Containerize,
    temporary: Path,
    tmp_path: Path,
):
    before = sorted(path for path in own.folder.rglob("*"))
    commands = [
        lambda: sinara("model", "extract-artifacts", "evil.service", str(tmp_path / "files")),
        lambda: containerize("evil.service", "--archive", str(tmp_path / "x.tar")),
        lambda: sinara("model", "serve", "evil.service", "--port", "0"),
        lambda: sinara("model", "test", "evil.service"),
    ]

    for command in commands:
        answer = command()

        assert answer.code in (2, 3), answer
        assert "Traceback" not in answer.err
        assert answer.out == ""
        assert len([line for line in answer.err.splitlines() if line.startswith("sinara:")]) == 1
    assert [path.name for path in hostile.iterdir() if path.name != "secret"] == []
    assert not (tmp_path / "x.tar").exists()
    files = tmp_path / "files"
    assert not files.exists() or list(files.iterdir()) == []
    assert sorted(path for path in own.folder.rglob("*")) == before
    assert list(temporary.iterdir()) == []
    with pytest.raises(SinaraError):
        ours.load_bentoservice(str(own.entity(own.second).parents[2] / "evil"))


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.canary),))


def test_looking_at_a_model_never_unpickles_it(
    own: Served, sinara: Callable[..., Answer], containerize: Containerize, tmp_path: Path
):
    canary = tmp_path / "canary"
    forge_service(own, "evil", {"bento.tar": with_model(own, pickle.dumps(Payload(canary)))})
    image = str(tmp_path / "x.tar")

    for words in (
        ("entity", "list"),
        ("entity", "show", "service", "--step", "evil"),
        ("entity", "verify", "service", "--step", "evil"),
        ("model", "requirements", "evil.service"),
        ("model", "samples", "evil.service"),
        ("model", "extract-artifacts", "evil.service", str(tmp_path / "files")),
        ("why", "evil.service"),
    ):
        answer = sinara(*words)
        assert answer.code == 0, (words, answer)
    assert containerize("evil.service", "--archive", image).code == 0
    assert sinara("why", f"oci-archive:{image}").code == 0
    words = ("model", "extract-artifacts", f"oci-archive:{image}", str(tmp_path / "more"))
    assert sinara(*words).code == 0

    assert not canary.exists()
    model = (tmp_path / "more/src/model/model.pkl").read_bytes()
    pickle.loads(model)  # what has to be avoided
    assert canary.exists()
