"""Save a service as an entity: one archive, its samples, its packages, where it came from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.errors import UsageError
from sinara.names import parse_full_name, shown
from sinara.record import plain
from sinara.serving.bento import as_json, python_version
from sinara.serving.checks import VERSION
from sinara.serving.make import Made, Maker, make_bento
from sinara.serving.origin import find_maker
from sinara.serving.pack import write_tar
from sinara.serving.values import (
    ARCHIVE,
    FILES,
    LINEAGE,
    REQUIREMENTS,
    SAMPLES,
    SAVE_INFO,
    SERVICE,
    ServiceInfo,
    StoredFile,
)
from sinara.store.urls import local_path

if TYPE_CHECKING:
    from sinara.substep import NotebookSubstep


def save(
    service: Any,
    *,
    path: str | os.PathLike[str],
    substep: NotebookSubstep | None = None,
    service_version: str | None = None,
    models: Mapping[str, Any] | None = None,
    samples: Iterable[Any] = (),
) -> ServiceInfo:
    """Save a service as an entity; see :func:`sinara.bentoml.save_bentoservice`."""
    url = os.fspath(path).removeprefix("file://").rstrip("/")
    maker = find_maker(substep, url)
    with tempfile.TemporaryDirectory(prefix="sinara-service-") as temporary:
        folder = Path(temporary)
        made = make_bento(service, maker, folder, models, samples)
        version = service_version or _version_of(made.bento.name, maker)
        if not VERSION.fullmatch(version):
            raise UsageError(
                f"service_version {shown(version)} cannot be used: it is letters, digits, . _ -"
            )
        local = local_path(url)
        info = _write(made, maker, version, folder / "entity" if local is None else local)
        if local is None:
            _upload(folder / "entity", url)
    return info


def _version_of(service: str, maker: Maker) -> str:
    """Return ``<env>.<pipeline>.<zone>.<service>.<run_id>``, as the original has it."""
    step, _ = parse_full_name(maker.origin.entity)
    return f"{step.env}.{step.pipeline}.{step.zone}.{service}.{maker.origin.run_id}"


def _write(made: Made, maker: Maker, version: str, place: Path) -> ServiceInfo:
    """Write the entity's files; the one that makes it a service comes last."""
    small = {
        SAVE_INFO: f"BENTO_SERVICE={version}\n".encode(),
        REQUIREMENTS: made.needs.requirements.encode(),
        SAMPLES: as_json(plain(made.samples)),
        LINEAGE: as_json(plain(maker.origin)),
    }
    place.mkdir(parents=True, exist_ok=True)
    for name in (
        SERVICE,
        *FILES,
    ):  # of a cell that is run again; what is half written is no service
        (place / name).unlink(missing_ok=True)
    epoch = int(maker.started.timestamp())
    with (place / ARCHIVE).open("wb") as out:
        stored = {ARCHIVE: write_tar(made.bento.files, epoch, out)}
    for name, content in small.items():
        (place / name).write_bytes(content)
        stored[name] = StoredFile.of(content)
    info = ServiceInfo(
        name=made.bento.name,
        version=version,
        entity=maker.origin.entity,
        run_id=maker.origin.run_id,
        kind=made.bento.kind,
        format=made.bento.format,
        python=python_version(),
        bentoml=made.bentoml,
        epoch=epoch,
        weights=tuple(sorted(made.bento.weights)),
        files=stored,
    )
    (place / SERVICE).write_bytes(as_json(plain(info)))
    return info


def _upload(place: Path, url: str) -> None:
    from sinara.fs import SinaraFileSystem

    files = SinaraFileSystem.FileSystem()
    for name in FILES:  # the one that makes it a service is the last of them
        files.put(str(place / name), f"{url}/{name}")
