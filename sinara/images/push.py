"""An image of a layout sent to a registry: only what the registry lacks, the tag last.

A layout may lack the layers of its base, if that lies in a registry: the manifest's annotations say
in which. They are fetched when somebody needs them, and never for a push to the same registry.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from sinara.errors import ImageError, RegistryError
from sinara.images.files import FolderFiles
from sinara.images.layout import LayoutSource, blob_path, blobs_folder
from sinara.images.manifest import Blob, Manifest
from sinara.images.origin import ImageSource
from sinara.images.reference import Reference, parse_reference
from sinara.images.registry import Registry
from sinara.images.streams import PIECE, CheckedReader
from sinara.images.values import Say

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
_MIB = 1 << 20


def push(layout: Path, name: str, say: Say, *, insecure: Sequence[str] = ()) -> str:
    """Send an image, and return its manifest's digest.

    Args:
        layout: A folder that holds one image.
        name: ``host/name:tag``.
        say: Is told what is sent.
        insecure: Registries that may be asked by plain HTTP.

    Raises:
        RegistryError: If the registry cannot be reached, refuses, or has another image of that
            name. The name is then as it was.
    """
    target = parse_reference(name).located()
    source = LayoutSource(FolderFiles(layout), "", "")
    manifest = source.manifest()
    with Registry(target.registry, insecure=insecure) as registry:
        _check_free(registry, target, manifest, name)
        for number, layer in enumerate(manifest.layers, 1):
            how = _send(registry, target, layout, manifest, layer, insecure, say)
            say(f"layer {number} of {len(manifest.layers)}: {layer.size / _MIB:.1f} MiB, {how}")
        registry.upload(target.repository, manifest.config, source.raw_config())
        registry.put_manifest(target.repository, manifest.digest, manifest)
        _check_free(registry, target, manifest, name)
        return registry.put_manifest(target.repository, target.wanted, manifest)


def complete(layout: Path, *, insecure: Sequence[str] = (), say: Say = lambda _: None) -> None:
    """Fetch the layers of the base that a layout lacks.

    Raises:
        RegistryError: If they cannot be had.
        ImageError: If the layout does not say from where.
    """
    manifest = LayoutSource(FolderFiles(layout), "", "").manifest()
    for layer in manifest.layers:
        if not (layout / blob_path(layer.digest)).is_file():
            say(f"fetching a layer of the base: {layer.size / _MIB:.1f} MiB")
            _fetch(layout, manifest, layer, insecure)


def copy_layers(source: ImageSource, layout: Path) -> None:
    """Write the layers of an image into a layout.

    Raises:
        ImageError: If they cannot be read, or the disk is full.
    """
    for number, layer in enumerate(source.manifest().layers):
        with source.layer(number) as stream:
            _store(layout, layer, stream)


def _check_free(registry: Registry, target: Reference, manifest: Manifest, name: str) -> None:
    there = registry.digest(target.repository, target.wanted)
    if there not in (None, manifest.digest):
        raise RegistryError(
            f"{name} is in the registry already, with other content ({there}). "
            "It stays as it is. Give this image another name."
        )


def _send(
    registry: Registry,
    target: Reference,
    layout: Path,
    manifest: Manifest,
    layer: Blob,
    insecure: Sequence[str],
    say: Say,
) -> str:
    """Bring one layer into the registry, and return how."""
    path = layout / blob_path(layer.digest)
    if registry.has_blob(target.repository, layer.digest):
        return "there already"
    if not path.is_file():
        base = _base(manifest)
        near = base is not None and base.registry == target.registry
        if base and near and registry.mount(target.repository, layer.digest, base.repository):
            return "mounted"
        complete(layout, insecure=insecure, say=say)
    registry.upload(target.repository, layer, path)
    return "sent"


def _base(manifest: Manifest) -> Reference | None:
    name = manifest.annotations.get(BASE_NAME)
    return parse_reference(name).located() if name else None


def _fetch(layout: Path, manifest: Manifest, layer: Blob, insecure: Sequence[str]) -> None:
    base = _base(manifest)
    if base is None:
        raise ImageError(f"{layout} lacks a layer, {layer.digest}. Build the image again.")
    with (
        Registry(base.registry, insecure=insecure) as registry,
        registry.blob(base.repository, layer) as stream,
    ):
        _store(layout, layer, stream)


def _store(layout: Path, layer: Blob, stream: CheckedReader) -> None:
    folder = blobs_folder(layout)
    part = folder / f".part-{secrets.token_hex(8)}"
    try:
        with part.open("xb") as file:
            while piece := stream.read(PIECE):
                file.write(piece)
        part.replace(folder / layer.digest.removeprefix("sha256:"))
    except OSError as error:
        raise ImageError(f"{folder}: a layer was not written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
