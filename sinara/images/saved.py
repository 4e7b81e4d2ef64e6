"""What ``docker save`` and ``podman save`` write: a tar with ``manifest.json`` in it.

Its layers have no digest of their own: the configuration lists what is in each.

Source: github.com/moby/docker-image-spec, ``v1.2.md``, "Combined Image JSON + Filesystem Changeset
Format".
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from sinara.errors import ImageError
from sinara.images.files import Files, read_file
from sinara.images.manifest import (
    CONFIG,
    LAYER,
    LAYER_GZIP,
    MANIFEST,
    Blob,
    Manifest,
    canonical,
    digest_of,
    read_document,
)
from sinara.images.reference import is_digest
from sinara.images.streams import PIECE, CheckedReader

_LIST = "manifest.json"
_GZIP = b"\x1f\x8b"


class SavedSource:
    """The one image of such a tar; ``files`` are closed together with this.

    Raises:
        ImageError: If there is not one image in it, or it is damaged.
    """

    def __init__(self, files: Files) -> None:
        self.where = files.where
        self._files = files
        self._config, self._layers = _listed(files)
        self._manifest: Manifest | None = None

    def manifest(self) -> Manifest:
        """Return a manifest made for it: there is none in the file."""
        if self._manifest is None:
            raw = self.raw_config()
            config = Blob(CONFIG, digest_of(raw), len(raw))
            layers = tuple(map(self._blob, self._layers, self._diff_ids(raw)))
            document = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.as_json(),
                "layers": [layer.as_json() for layer in layers],
            }
            self._manifest = Manifest(canonical(document), MANIFEST, config, layers)
        return self._manifest

    def raw_config(self) -> bytes:
        """See ``ImageSource.raw_config``."""
        return read_file(self._files, self._config)

    @contextlib.contextmanager
    def layer(self, number: int) -> Iterator[CheckedReader]:
        """See ``ImageSource.layer``."""
        blob = self.manifest().layers[number]
        wrong = ImageError(f"{self.where} is damaged: a layer differs from its digest.")
        with self._files.open(self._layers[number]) as file:
            reader = CheckedReader(file, blob.digest, blob.size, wrong)
            yield reader
            reader.finish()

    def close(self) -> None:
        """See ``ImageSource.close``."""
        self._files.close()

    def _diff_ids(self, raw: bytes) -> list[str]:
        config = read_document(raw, f"The configuration of {self.where}")
        filesystem = config.get("rootfs")
        found = filesystem.get("diff_ids") if isinstance(filesystem, dict) else None
        if (
            isinstance(found, list)
            and len(found) == len(self._layers)
            and all(map(is_digest, found))
        ):
            return found
        raise ImageError(f"The configuration of {self.where} lists other layers than it has.")

    def _blob(self, name: str, diff_id: str) -> Blob:
        """Return what a layer is: the configuration knows plain tars, others are counted."""
        size = self._files.size(name)
        with self._files.open(name) as file:
            start = file.read(2)
            if start != _GZIP:
                return Blob(LAYER, diff_id, size)
            counted = hashlib.sha256(start)
            while piece := file.read(PIECE):
                counted.update(piece)
        return Blob(LAYER_GZIP, f"sha256:{counted.hexdigest()}", size)


def is_saved(files: Files) -> bool:
    """Return whether some files are what ``docker save`` writes."""
    return files.has(_LIST)


def _listed(files: Files) -> tuple[str, list[str]]:
    """Return the paths of the configuration and of the layers."""
    try:
        images: Any = json.loads(read_file(files, _LIST))
    except (ValueError, RecursionError):
        images = None
    if isinstance(images, list) and len(images) > 1:
        raise ImageError(f"{files.where} holds {len(images)} images. Save the one that you mean.")
    image = images[0] if isinstance(images, list) and images else None
    config, layers = (
        (image.get("Config"), image.get("Layers")) if isinstance(image, dict) else (None, None)
    )
    if not isinstance(config, str) or not isinstance(layers, list):
        raise ImageError(f"{files.where} is damaged: its {_LIST} lists no image.")
    if not all(isinstance(layer, str) for layer in layers):
        raise ImageError(f"{files.where} is damaged: its {_LIST} lists no layers.")
    return config, layers
