"""What a notebook asks of a saved service, with this run's folder for what is unpacked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sinara.errors import UsageError
from sinara.serving.artifacts import extract_artifacts
from sinara.serving.entity import unpack
from sinara.serving.find import service_at
from sinara.serving.load import LoadedService
from sinara.settings import load_settings


def load(url: str) -> LoadedService:
    """Load a service; see :func:`sinara.bentoml.load_bentoservice`."""
    place = _scratch(url)
    (place / "files").mkdir()
    saved = service_at(load_settings(_step_folder()), url, place / "files", _own_urls())
    return LoadedService(saved, unpack(saved, place / "bento"))


def extract(url: str, folder: str | os.PathLike[str] | None) -> Path:
    """Unpack a service; see :func:`sinara.bentoml.extract_artifacts_from_bentoservice`."""
    place = _scratch(url)
    (place / "files").mkdir()
    target = Path(folder) if folder is not None else place / "artifacts"
    settings = load_settings(_step_folder())
    return extract_artifacts(settings, url, target, place / "files", _own_urls())


def _own_urls() -> frozenset[str]:
    """Return the outputs of this process's substep: nobody has published them yet."""
    from sinara.errors import InterfaceError
    from sinara.substep import NotebookSubstep

    substep = NotebookSubstep.current
    if substep is None:
        return frozenset()
    try:
        return frozenset(substep.work.output_urls().values())
    except InterfaceError:  # nothing is declared yet
        return frozenset()


def _step_folder() -> Path:
    from sinara.substep import NotebookSubstep

    substep = NotebookSubstep.current
    return Path(substep.work.context.step_folder) if substep else Path.cwd()


def _scratch(url: str) -> Path:
    """Return a new folder of this run's."""
    from sinara.archive.work import work_folder

    name = url.rstrip("/").rpartition("/")[2]
    if not name:
        raise UsageError(f"{url!r} is no URL of an entity.")
    return Path(tempfile.mkdtemp(prefix="bentoservice-", dir=work_folder()))
