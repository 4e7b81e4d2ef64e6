"""Images made by hand, member by member: whatever a hostile or an odd builder could write."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sinara.images.layout import put_blob, write_index
from sinara.images.manifest import (
    CONFIG,
    LAYER_GZIP,
    MANIFEST,
    Blob,
    Manifest,
    canonical,
    digest_of,
    read_manifest,
)

BENTO = "home/bentoml/bento"
Member = tuple[str, bytes] | tarfile.TarInfo


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def tar(members: Sequence[Member]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                made.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size, info.mode = len(member[1]), 0o644
                made.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zst(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


def layout(
    path: Path,
    *layers: Sequence[Member] | bytes,
    pack: Callable[[bytes], bytes] = gz,
    labels: dict[str, str] | None = None,
    name: str = "",
    platform: str = "linux/amd64",
    env: Sequence[str] = ("PATH=/usr/local/bin:/usr/bin:/bin",),
) -> Manifest:
    """Write an image as an OCI layout into ``path``."""
    tars = [layer if isinstance(layer, bytes) else tar(layer) for layer in layers]
    system, architecture = platform.split("/")
    config = canonical(
        {
            "os": system,
            "architecture": architecture,
            "config": {"Labels": labels or {}, "Env": list(env)},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in tars]},
            "history": [{"created_by": "made by hand"} for _ in tars],
        }
    )
    blobs = [Blob(LAYER_GZIP, put_blob(path, pack(data)), len(pack(data))) for data in tars]
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": Blob(CONFIG, put_blob(path, config), len(config)).as_json(),
        "layers": [blob.as_json() for blob in blobs],
    }
    manifest = read_manifest(canonical(document), "made")
    assert isinstance(manifest, Manifest)
    write_index(path, manifest, platform, name)
    return manifest
