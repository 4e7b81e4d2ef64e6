"""A saved service, looked at: its files verified, nothing unpacked, imported or executed."""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from pathlib import Path

from sinara.errors import ArchiveError, CorruptError, ServiceError, StoreError
from sinara.extract import Limits, extract_tar
from sinara.names import shown
from sinara.record import value_from_json
from sinara.serving.checks import check
from sinara.serving.values import (
    ARCHIVE,
    FILES,
    LINEAGE,
    REQUIREMENTS,
    SAMPLES,
    SCHEMA_VERSION,
    SERVICE,
    Origin,
    Samples,
    SavedService,
    ServiceInfo,
)
from sinara.store.urls import local_path

OLD_ARCHIVE = "model.zip"  # of an entity that 4-DS Sinara wrote
_PIECE = 1 << 20
_LARGEST_SMALL = 16 << 20  # bytes of a file that is no archive
_LARGEST_YAML = 1 << 20  # a page of it takes a tenth of a second


def open_service(url: str, folder: Path, manifest: str = "") -> SavedService:
    """Return the service in an entity, after checking what it says against its own digests.

    The archive is not read yet: :func:`unpack` does.

    Args:
        url: The entity's.
        folder: An empty folder for copies, if the entity lies on another machine.
        manifest: SHA-256 of its sealed manifest, if it is published.

    Raises:
        ServiceError: If the entity holds no service, or one that cannot be served here.
        CorruptError: If a file differs from its digest.
    """
    place = copies_of(url, folder)
    if not (place / SERVICE).is_file():
        raise ServiceError(_why_none(url, place))
    content = _small(place / SERVICE)
    info: ServiceInfo = value_from_json(content, ServiceInfo, f"{url}/{SERVICE}")
    if info.schema_version > SCHEMA_VERSION:
        raise ServiceError(
            f"{url} was saved by a newer sinara (schema {info.schema_version}; this one reads up "
            f"to {SCHEMA_VERSION}). Upgrade: pip install -U sinara"
        )
    saved = SavedService(url, place, place / ARCHIVE, info, manifest)
    for name, stored in info.files.items():
        if name not in FILES or name == SERVICE:
            raise CorruptError(f"{url}/{SERVICE} names a file {shown(name)}, which is none of it.")
        size = _size(place / name, f"{url}/{name}")
        if size != stored.size:
            raise CorruptError(
                f"{url}/{name} has {size} bytes, and {stored.size} were saved. Restore it."
            )
    for name in sorted({*FILES} - {SERVICE, ARCHIVE}):
        stored_file = info.files.get(name)
        if stored_file is None:
            raise CorruptError(f"{url}/{SERVICE} says nothing of {name}.")
        if hashlib.sha256(_small(place / name)).hexdigest() != stored_file.sha256:
            raise CorruptError(f"{url}/{name} differs from what was saved. Restore it.")
    check(info, _small(place / REQUIREMENTS), url)
    if ARCHIVE not in info.files:
        raise CorruptError(f"{url}/{SERVICE} says nothing of {ARCHIVE}.")
    return saved


def unpack(saved: SavedService, folder: Path) -> Path:
    """Unpack the bento into a folder, after checking every byte of its archive.

    Args:
        saved: What :func:`open_service` returned.
        folder: Made if it is missing; files in it that have the same names are replaced.

    Returns:
        The folder.

    Raises:
        CorruptError: If the archive differs from its digest.
        ArchiveError: If it would write outside the folder, or is beyond the limits.
    """
    stored = saved.info.files[ARCHIVE]
    limits = Limits(max_bytes=2 * stored.size + _PIECE)
    try:
        extract_tar(saved.archive, folder, limits=limits, sha256=stored.sha256)
    except ArchiveError:
        with saved.archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest == stored.sha256:  # it was saved like this
            raise
        line = f"{saved.url}/{ARCHIVE} differs from what was saved. Restore it."
        raise CorruptError(line) from None
    return folder


def samples_of(saved: SavedService) -> Samples:
    """Return the samples, with the answers that the notebook got."""
    found: Samples = value_from_json(
        _small(saved.folder / SAMPLES), Samples, f"{saved.url} samples"
    )
    return found


def origin_of(saved: SavedService) -> Origin:
    """Return where the service came from."""
    content = _small(saved.folder / LINEAGE)
    found: Origin = value_from_json(content, Origin, f"{saved.url}/{LINEAGE}")
    return found


def is_old_entity(url: str) -> bool:
    """Return whether 4-DS Sinara left a service there."""
    from sinara.fs import SinaraFileSystem

    exists = SinaraFileSystem.FileSystem().exists
    return exists(f"{url}/{OLD_ARCHIVE}") and not exists(f"{url}/{SERVICE}")


def _why_none(url: str, place: Path) -> str:
    """Return why an entity cannot be served, and what to do."""
    old = place / OLD_ARCHIVE
    if old.is_file():
        kind = old_kind(old)
        return (
            f"{url} holds a service of {kind or 'an older BentoML'}, which cannot be served here. "
            "Its files can be had: sinara model extract-artifacts ENTITY FOLDER. Then save the "
            "model again: save_bentoservice(make_service(model, sample), …), see docs/serving.md."
        )
    if not place.exists():
        return f"{url} is not there."
    there = ", ".join(sorted(path.name for path in place.iterdir())[:5]) or "nothing"
    return (
        f"{url} holds no service but {there}. A service is saved in a notebook by "
        "sinara.bentoml.save_bentoservice."
    )


def old_kind(archive: Path) -> str:
    """Return which BentoML wrote the archive of an old entity: ``BentoML 0.13.1``; empty if none.

    Source:
        BentoML 0.13's ``bentoml.yml``, whose ``version`` is that of BentoML.
    """
    import yaml

    try:
        with zipfile.ZipFile(archive) as opened:
            found = [n for n in opened.namelist() if n.rpartition("/")[2] == "bentoml.yml"]
            if not found or opened.getinfo(found[0]).file_size > _LARGEST_YAML:
                return ""
            told = yaml.safe_load(opened.read(found[0]))
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        yaml.YAMLError,
        RuntimeError,
        NotImplementedError,
    ):
        return ""
    version = told.get("version") if isinstance(told, dict) else None
    return f"BentoML {version}" if isinstance(version, str) and version.isprintable() else "BentoML"


def copies_of(url: str, folder: Path) -> Path:
    """Return the folder of an entity on this machine: its own, or ``folder`` with copies."""
    local = local_path(url)
    if local is not None:
        return local
    from sinara.fs import SinaraFileSystem

    files = SinaraFileSystem.FileSystem()
    for name in (*FILES, OLD_ARCHIVE):
        if files.exists(f"{url}/{name}"):
            files.get(f"{url}/{name}", str(folder / name))
    return folder


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_SMALL + 1)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > _LARGEST_SMALL:
        raise CorruptError(f"{path} is larger than {_LARGEST_SMALL >> 20} MB.")
    return content


def _size(path: Path, shown_as: str) -> int:
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for, a link leads anywhere
            raise CorruptError(f"{shown_as} is no file. Restore it.")
        return state.st_size
    except OSError as error:
        raise CorruptError(f"{shown_as} cannot be read: {error.strerror or error}") from error
