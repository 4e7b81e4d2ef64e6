"""Manifests and indexes: what an image is made of, read from bytes that anybody may have written.

Source: github.com/opencontainers/image-spec ``manifest.md``, ``image-index.md``, ``descriptor.md``;
Docker's image manifest version 2, schema 2.
"""

from __future__ import annotations

import hashlib
import json
import platform as machine
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinara.errors import ImageError
from sinara.images.reference import is_digest
from sinara.names import shown

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = f"{LAYER}+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED = (MANIFEST, DOCKER_MANIFEST, INDEX, DOCKER_INDEX)
MAX_DOCUMENT = 4 << 20  # bytes of a manifest or a configuration, as registries allow
_MAX_ENTRIES = 1000
_MAX_DEPTH = 32
_MAX_SIZE = 1 << 44
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_OCI_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": f"{LAYER}+zstd",
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
}


@dataclass(frozen=True)
class Blob:
    """One piece of an image: ``size`` bytes whose SHA-256 is ``digest``."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, Any]:
        """Return the descriptor that a manifest holds."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}

    def as_oci(self) -> Blob:
        """Return a layer under the name that an OCI manifest gives to its kind."""
        return Blob(_OCI_LAYERS.get(self.media_type, self.media_type), self.digest, self.size)


@dataclass(frozen=True)
class Manifest:
    """An image for one platform. ``raw`` are the bytes that its digest is of."""

    raw: bytes
    media_type: str
    config: Blob
    layers: tuple[Blob, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """``sha256:…`` of the manifest itself."""
        return digest_of(self.raw)


@dataclass(frozen=True)
class Entry:
    """A manifest that an index names."""

    blob: Blob
    platform: str
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Index:
    """Images of one name for several platforms, or of a whole layout."""

    raw: bytes
    entries: tuple[Entry, ...]


def digest_of(data: bytes) -> str:
    """Return ``sha256:…`` of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def canonical(document: Any) -> bytes:
    """Return the one way in which sinara writes a JSON document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def machine_platform() -> str:
    """Return the platform of this machine: ``linux/amd64``."""
    name = machine.machine().lower()
    return f"linux/{_MACHINES.get(name, name)}"


def read_document(raw: bytes, where: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ImageError: If it is too large, too deep, or none.
    """
    if len(raw) > MAX_DOCUMENT:
        raise ImageError(f"{where} is larger than {MAX_DOCUMENT >> 20} MiB. That is no image's.")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise ImageError(f"{where} is no JSON. It is damaged, or not an image's.") from None
    if not isinstance(document, dict) or _depth(document) > _MAX_DEPTH:
        raise ImageError(
            f"{where} is no JSON object of an image. It is damaged, or not an image's."
        )
    return document


def read_manifest(raw: bytes, where: str, media_type: str = "") -> Manifest | Index:
    """Return what a manifest says.

    Args:
        raw: Its bytes.
        where: What holds it, for messages: ``host:5000/name:tag``.
        media_type: What a registry called it; it counts where the document itself says nothing.

    Raises:
        ImageError: If it is damaged, or of a kind that sinara does not read.
    """
    document = read_document(raw, f"The manifest of {where}")
    kind = document.get("mediaType") or media_type.partition(";")[0].strip()
    if kind in (INDEX, DOCKER_INDEX) or (not kind and "manifests" in document):
        listed = _list(document.get("manifests"), where)
        return Index(raw, tuple(_entry(item, where) for item in listed))
    if document.get("schemaVersion") == 1:
        raise ImageError(
            f"The manifest of {where} is of Docker's old schema 1. Push the image anew."
        )
    layers = _list(document.get("layers"), where)
    if any(isinstance(item, dict) and item.get("urls") for item in layers):
        raise ImageError(f"{where} has layers that lie elsewhere. Such images are not read.")
    return Manifest(
        raw,
        kind if kind in (MANIFEST, DOCKER_MANIFEST) else MANIFEST,
        read_blob(document.get("config"), where),
        tuple(read_blob(item, where) for item in layers),
        _texts(document.get("annotations")),
    )


def read_blob(value: Any, where: str) -> Blob:
    """Return a descriptor, checked.

    Raises:
        ImageError: If it is none.
    """
    if isinstance(value, dict):
        media_type, digest, size = (value.get(key) for key in ("mediaType", "digest", "size"))
        whole = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MAX_SIZE
        if isinstance(media_type, str) and is_digest(digest) and whole:
            return Blob(media_type, str(digest), int(str(size)))
    raise ImageError(f"The manifest of {where} is damaged: a piece has no digest or size.")


def pick(index: Index, platform: str, where: str) -> Entry:
    """Return the image of a platform.

    Raises:
        ImageError: If there is none; names those that there are.
    """
    for entry in index.entries:
        if same_platform(entry.platform, platform):
            return entry
    there = ", ".join(sorted({entry.platform for entry in index.entries if entry.platform}))
    raise ImageError(f"{where} has no image for {platform}; it has {shown(there)}.")


def same_platform(one: str, other: str) -> bool:
    """Return whether two platforms are one: ``linux/arm64/v8`` is ``linux/arm64``."""
    return _plain(one) == _plain(other)


def _plain(platform: str) -> str:
    return platform.removesuffix("/v8") if platform.startswith("linux/arm64") else platform


def _entry(item: Any, where: str) -> Entry:
    place = item.get("platform") if isinstance(item, dict) else None
    parts: Sequence[Any] = ()
    if isinstance(place, dict):
        parts = [place.get(key, "") for key in ("os", "architecture", "variant")]
    name = "/".join(part for part in parts if isinstance(part, str) and part)
    return Entry(read_blob(item, where), name, _texts(item.get("annotations")))


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
        raise ImageError(f"The manifest of {where} is damaged: it has no list of its pieces.")
    return value


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}


def _depth(value: Any) -> int:
    """Return how many lists and objects lie inside each other, without recursion."""
    deepest, todo = 0, [(value, 1)]
    while todo:
        item, depth = todo.pop()
        deepest = max(deepest, depth)
        inner = item.values() if isinstance(item, dict) else item
        todo += [(one, depth + 1) for one in inner if isinstance(one, dict | list)]
    return deepest
