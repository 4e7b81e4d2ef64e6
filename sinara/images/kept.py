"""Layers of packages that were made before: the same packages need not be laid out again.

::

    <folder>/<key>/layer        the layer
                   layer.json   its digests

The key is a digest of all that decides over the content. An entry appears whole or not at all, and
is looked at before it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from sinara.images.layers import Layer
from sinara.images.manifest import LAYER_GZIP, Blob, canonical, digest_of
from sinara.images.reference import is_digest

_KEPT = 8  # layers: packages of a few models
_FORMAT = 1  # of the layers: another number makes all of them anew


class KeptLayers:
    """The layers in one folder; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str, target: Path) -> Layer | None:
        """Put a layer into the folder ``target``, named by its digits; None if there is none."""
        entry = self._folder / key
        try:
            told = json.loads((entry / "layer.json").read_bytes())
            digest, diff_id = told["digest"], told["diff_id"]
            if not is_digest(digest) or not is_digest(diff_id):
                return None
            path = target / digest.removeprefix("sha256:")
            _link(entry / "layer", path)
            if _digest(path) != digest:  # somebody changed it
                path.unlink()
                return None
            os.utime(entry)  # it was of use: it stays
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Layer(path, Blob(LAYER_GZIP, digest, path.stat().st_size), diff_id)

    def put(self, key: str, layer: Layer) -> None:
        """Keep a layer. A disk that is full, or a folder that is locked, is no error."""
        part = self._folder / f".part-{secrets.token_hex(8)}"
        told = {"digest": layer.blob.digest, "diff_id": layer.diff_id}
        with contextlib.suppress(OSError):
            try:
                part.mkdir(parents=True)
                _link(layer.path, part / "layer")
                (part / "layer.json").write_bytes(canonical(told))
                self._forget(key)
                part.rename(self._folder / key)
                self._prune()
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def _forget(self, key: str) -> None:
        shutil.rmtree(self._folder / key, ignore_errors=True)

    def _prune(self) -> None:
        entries = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        for path in sorted(entries, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            self._forget(path.name)


def key_of(parts: Iterable[str], wheels: Iterable[Path] = ()) -> str:
    """Return the key of a layer that is made of some words and some wheels."""
    read = [f"{wheel.name} {_digest(wheel)}" for wheel in sorted(wheels)]
    return digest_of(canonical([_FORMAT, *parts, read])).removeprefix("sha256:")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _link(source: Path, target: Path) -> None:
    """Put a file at a second place, without copying it where the disk can do that."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
