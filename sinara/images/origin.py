"""Where an image is read from: one protocol for registries, layouts and archives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sinara.errors import ImageError
from sinara.images.credentials import Login, find_login
from sinara.images.files import FolderFiles, TarFiles
from sinara.images.layout import LayoutSource, is_layout
from sinara.images.manifest import Manifest, digest_of, machine_platform, read_document
from sinara.images.reference import Reference, is_digest, parse_reference
from sinara.images.registry import TIMEOUT, Registry
from sinara.images.saved import SavedSource, is_saved
from sinara.images.streams import CheckedReader
from sinara.names import shown

LAYOUT, ARCHIVE, SAVED = "oci:", "oci-archive:", "docker-archive:"


class ImageSource(Protocol):
    """An image that can be read. Close it.

    Attributes:
        where: What it is, for messages.
    """

    where: str

    def manifest(self) -> Manifest:
        """Return its manifest."""

    def raw_config(self) -> bytes:
        """Return its configuration, the very bytes."""

    def layer(self, number: int) -> AbstractContextManager[CheckedReader]:
        """Give a layer as it is stored; a clean end means that its digest was right."""

    def close(self) -> None:
        """Let go of it."""


class RegistrySource:
    """An image in a registry.

    Args:
        reference: Its name.
        platform: Which of the images of that name.
        registry: The one that holds it; closed together with this.
    """

    def __init__(self, reference: Reference, platform: str, registry: Registry) -> None:
        self.where = str(reference)
        self.repository = reference.located().repository
        self.registry = registry
        self._wanted = reference.wanted
        self._platform = platform
        self._manifest: Manifest | None = None

    def manifest(self) -> Manifest:
        """See ``ImageSource.manifest``."""
        if self._manifest is None:
            self._manifest = self.registry.manifest(self.repository, self._wanted, self._platform)
        return self._manifest

    def raw_config(self) -> bytes:
        """See ``ImageSource.raw_config``."""
        return self.registry.blob_bytes(self.repository, self.manifest().config)

    def layer(self, number: int) -> AbstractContextManager[CheckedReader]:
        """See ``ImageSource.layer``."""
        return self.registry.blob(self.repository, self.manifest().layers[number])

    def close(self) -> None:
        """See ``ImageSource.close``."""
        self.registry.close()


def open_source(
    name: str,
    *,
    platform: str | None = None,
    insecure: Sequence[str] = (),
    timeout: float = TIMEOUT,
    login: Callable[[str, str], Login | None] = find_login,
) -> ImageSource:
    """Return the image that a person names.

    Args:
        name: ``oci:FOLDER[:NAME]``, ``oci-archive:FILE``, ``docker-archive:FILE``, the path of a
            layout or of such a file, or a name in a registry.
        platform: Which of the images of that name; the machine's if None.
        insecure: Registries that may be asked by plain HTTP.
        timeout: Seconds for an answer of a registry.
        login: What is known of a registry.

    Raises:
        BadNameError: If it is no name of an image.
        ImageError: If it cannot be read.
    """
    wanted = platform or machine_platform()
    if name.startswith(LAYOUT):
        return _layout(name.removeprefix(LAYOUT), wanted)
    for start in (ARCHIVE, SAVED):
        if name.startswith(start):
            return _archive(Path(name.removeprefix(start)), wanted)
    if Path(name).is_dir() and is_layout(FolderFiles(Path(name))):
        return _layout(name, wanted)
    if Path(name).is_file():
        return _archive(Path(name), wanted)
    reference = parse_reference(name)
    registry = Registry(
        reference.located().registry, insecure=insecure, timeout=timeout, login=login
    )
    return RegistrySource(reference, wanted, registry)


def read_config(source: ImageSource) -> dict[str, Any]:
    """Return the configuration of an image.

    Raises:
        ImageError: If it is damaged, or is not the one that the manifest names.
    """
    raw = source.raw_config()
    if digest_of(raw) != source.manifest().config.digest:
        raise ImageError(f"The configuration of {source.where} differs from its digest.")
    config = read_document(raw, f"The configuration of {source.where}")
    filesystem = config.get("rootfs")
    found = filesystem.get("diff_ids") if isinstance(filesystem, dict) else None
    if not isinstance(found, list) or not all(map(is_digest, found)):
        raise ImageError(f"The configuration of {source.where} does not list its layers.")
    if len(found) != len(source.manifest().layers):
        raise ImageError(f"The configuration of {source.where} lists other layers than it has.")
    return config


def _layout(text: str, platform: str) -> ImageSource:
    """Open ``FOLDER`` or ``FOLDER:NAME``; both may hold colons, and what is a folder is one."""
    parts = text.split(":")
    splits = [(":".join(parts[:n]), ":".join(parts[n:])) for n in range(len(parts), 0, -1)]
    for folder, name in splits:
        files = FolderFiles(Path(folder))
        if is_layout(files):
            return LayoutSource(files, name, platform)
    raise ImageError(f"{splits[-1][0]} holds no OCI image layout: it has no file oci-layout.")


def _archive(path: Path, platform: str) -> ImageSource:
    files = TarFiles(path)
    try:
        if is_layout(files):
            return LayoutSource(files, "", platform)
        if is_saved(files):
            return SavedSource(files)
        raise ImageError(
            f"{shown(str(path))} holds no image: neither index.json nor manifest.json."
        )
    except BaseException:
        files.close()
        raise
