"""An image as files: an OCI image layout, in a folder or in one tar.

::

    oci-layout                      what this is
    index.json                      the manifest's digest, and the image's name
    blobs/sha256/<64 digits>        manifest, configuration, layers

An archive that sinara writes holds a ``manifest.json`` beside them, so that ``docker load`` of any
version takes it, too.

Source: github.com/opencontainers/image-spec ``image-layout.md``.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinara.errors import ImageError
from sinara.images.files import Files, FolderFiles, read_file
from sinara.images.manifest import (
    INDEX,
    Blob,
    Entry,
    Index,
    Manifest,
    canonical,
    digest_of,
    pick,
    read_manifest,
)
from sinara.images.streams import CheckedReader
from sinara.names import shown

NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"  # where docker and containerd look first
_MARK = "oci-layout"
_INDEX = "index.json"
_VERSION = {"imageLayoutVersion": "1.0.0"}


class LayoutSource:
    """An image of a layout.

    Args:
        files: The layout's; closed together with this.
        name: Which image; empty if there is one only.
        platform: Which of the images of that name.
    """

    def __init__(self, files: Files, name: str, platform: str) -> None:
        self.where = f"{files.where}:{name}" if name else files.where
        self._files = files
        self._name = name
        self._platform = platform
        self._manifest: Manifest | None = None

    def manifest(self) -> Manifest:
        """See ``ImageSource.manifest``."""
        if self._manifest is None:
            blob = _named(read_index(self._files), self._name, self.where).blob
            read = read_manifest(self._bytes(blob), self.where, blob.media_type)
            if isinstance(read, Index):
                blob = pick(read, self._platform, self.where).blob
                read = read_manifest(self._bytes(blob), self.where, blob.media_type)
            if isinstance(read, Index):
                raise ImageError(f"{self.where} is an index of indexes. Name the image itself.")
            self._manifest = read
        return self._manifest

    def raw_config(self) -> bytes:
        """See ``ImageSource.raw_config``."""
        return self._bytes(self.manifest().config)

    def close(self) -> None:
        """See ``ImageSource.close``."""
        self._files.close()

    def _bytes(self, blob: Blob) -> bytes:
        data = read_file(self._files, blob_path(blob.digest))
        if digest_of(data) != blob.digest:
            raise self._damaged(blob)
        return data

    def _damaged(self, blob: Blob) -> ImageError:
        return ImageError(f"{self.where} is damaged: {blob.digest} differs from its digest.")

    @contextlib.contextmanager
    def layer(self, number: int) -> Iterator[CheckedReader]:
        """See ``ImageSource.layer``."""
        blob = self.manifest().layers[number]
        with self._files.open(blob_path(blob.digest)) as file:
            reader = CheckedReader(file, blob.digest, blob.size, self._damaged(blob))
            yield reader
            reader.finish()


def is_layout(files: Files) -> bool:
    """Return whether some files are a layout."""
    return files.has(_MARK) and files.has(_INDEX)


def read_index(files: Files) -> Index:
    """Return what a layout lists.

    Raises:
        ImageError: If its index is damaged.
    """
    read = read_manifest(read_file(files, _INDEX), files.where, INDEX)
    if not isinstance(read, Index):
        raise ImageError(f"{files.where}: its {_INDEX} is none.")
    return read


def blob_path(digest: str) -> str:
    """Return where a layout keeps a blob."""
    return f"blobs/{digest.replace(':', '/')}"


def blobs_folder(layout: Path) -> Path:
    """Make and return the folder of a layout in which its blobs lie, named by their digits."""
    folder = layout / "blobs" / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def put_blob(layout: Path, data: bytes) -> str:
    """Write a small blob into a layout, and return its digest."""
    digest = digest_of(data)
    (blobs_folder(layout) / digest.removeprefix("sha256:")).write_bytes(data)
    return digest


def write_index(layout: Path, manifest: Manifest, platform: str, name: str = "") -> None:
    """Make a folder of blobs a layout that holds one image.

    Args:
        layout: The folder.
        manifest: Written among the blobs.
        platform: The image's.
        name: Its name; empty for none.
    """
    put_blob(layout, manifest.raw)
    (layout / _MARK).write_bytes(canonical(_VERSION))
    (layout / _INDEX).write_bytes(canonical(_index(manifest, platform, name)))


def write_archive(layout: Path, path: Path, name: str) -> None:
    """Write a layout as one tar, the same bytes each time; ``path`` appears when it is whole.

    Raises:
        ImageError: If a blob is not there, or the file cannot be written.
    """
    manifest = LayoutSource(FolderFiles(layout), "", "").manifest()
    platform = read_index(FolderFiles(layout)).entries[0].platform
    pieces = [manifest.digest, manifest.config.digest, *(one.digest for one in manifest.layers)]
    small = {
        _MARK: canonical(_VERSION),
        _INDEX: canonical(_index(manifest, platform, name)),
        "manifest.json": canonical(_for_docker(manifest, name)),
    }
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with tarfile.open(beside, "w", format=tarfile.PAX_FORMAT) as tar:
            for inside, data in small.items():
                tar.addfile(_info(inside, len(data)), io.BytesIO(data))
            for inside in sorted({blob_path(digest) for digest in pieces}):
                file = layout / inside
                with file.open("rb") as source:
                    tar.addfile(_info(inside, file.stat().st_size), source)
        beside.replace(path)
    except OSError as error:
        raise ImageError(f"{path} was not written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info


def _index(manifest: Manifest, platform: str, name: str) -> dict[str, Any]:
    parts = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    entry: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": len(manifest.raw),
        "platform": parts,
    }
    if name:
        entry["annotations"] = {NAME: name, _FULL_NAME: name}
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}


def _for_docker(manifest: Manifest, name: str) -> list[dict[str, Any]]:
    return [
        {
            "Config": blob_path(manifest.config.digest),
            "RepoTags": [name] if name else [],
            "Layers": [blob_path(layer.digest) for layer in manifest.layers],
        }
    ]


def _named(index: Index, name: str, where: str) -> Entry:
    """Return the entry with a name; without one the only image, or the images of all platforms."""
    names = {entry.annotations.get(NAME, "") for entry in index.entries}
    found = [entry for entry in index.entries if not name or entry.annotations.get(NAME) == name]
    if len(found) == 1:
        return found[0]
    there = shown(", ".join(sorted(filter(None, names)))) if any(names) else "none with a name"
    raise ImageError(
        f"{where} {'has no image of that name' if name else 'has not one image'}; there: {there}. "
        "Give its name after the folder: oci:FOLDER:NAME"
    )
