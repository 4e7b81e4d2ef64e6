"""What a file of the step looks like: its digest, now or when it is asked for again."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from sinara.audit.watch import listing_digest
from sinara.record import FileTouched

LARGEST = 64 * 1024 * 1024  # bytes of a file that gets a digest
NOT_THERE = "not there"
CHANGED = "changed while it ran"
LARGE = "no digest: larger than 64 MB"
ODD = "no digest: not an ordinary file"


def look(step: Path, path: str) -> FileTouched:
    """Return a file, or a folder that was listed, as it is now.

    Args:
        step: The step's folder.
        path: Relative to it; a folder ends in ``/``.
    """
    full = step / path
    if path.endswith("/"):
        try:
            return FileTouched(path, listing_digest(str(full)))
        except OSError:
            return FileTouched(path, note=NOT_THERE)
    try:
        file = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return FileTouched(path, note=NOT_THERE)
    except OSError:
        return FileTouched(path, note=ODD)
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            return FileTouched(path, note=ODD)
        if found.st_size > LARGEST:
            return FileTouched(path, bytes=found.st_size, note=LARGE)
        return FileTouched(path, hashlib.file_digest(stream, "sha256").hexdigest(), found.st_size)


def is_unchanged(step: Path, file: FileTouched) -> bool:
    """Return whether a file of the step is what a substep read then; False if nobody can say.

    Args:
        step: The step's folder.
        file: From the record of the substep; one that lies elsewhere is never unchanged.
    """
    if not file.of_step or (file.sha256 is None and file.note != NOT_THERE):
        return False
    now = look(step, file.path)
    return (now.sha256, now.note == NOT_THERE) == (file.sha256, file.note == NOT_THERE)
