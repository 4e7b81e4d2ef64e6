"""What this user has hashed already: a file that did not change is not hashed again.

One small file per entity, in the user's cache folder, holds how each data file looked
(device, inode, times, size, or the ETag) when its digest was right. It is never trusted
for more than that, and can be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sinara.store import disk, paths
from sinara.store.codec import canonical
from sinara.store.trees import Seen


def is_known(cache: Path | None, base: str, manifest: str, found: Sequence[Seen]) -> bool:
    """Return whether these very files were hashed and found right."""
    if cache is None:
        return False
    try:
        return paths.read_bytes(_file(cache, base)) == _content(manifest, found)
    except OSError:
        return False


def remember(cache: Path | None, base: str, manifest: str, found: Sequence[Seen]) -> None:
    """Note that these files were hashed and found right."""
    if cache is not None:
        disk.remember(_file(cache, base), _content(manifest, found))


def _file(cache: Path, base: str) -> str:
    return str(cache / hashlib.sha256(base.encode()).hexdigest()[:40])


def _content(manifest: str, found: Sequence[Seen]) -> bytes:
    files = sorted(
        [seen.path, [str(part) for part in seen.mark], seen.changed]
        for seen in found
        if seen.kind == "file"
    )
    return canonical({"manifest": manifest, "files": files})
