"""Unpack archives that somebody else made: everything inside one folder, or nothing at all.

::

    members   a member's name -> safe path parts, or a refusal
    limits    how many files, how many bytes, how much larger than the archive
    folders   the few calls that touch folders: by descriptor where the system can
    tree      a hidden folder that is filled first and moved into place whole
    tars      tar, plain or compressed, read strictly forwards
    zips      zip

What every format keeps: only regular files and folders, relative names, nothing outside the
destination even while another process swaps folders for links, no name twice (also not in
another case), no more than the limits allow. A refusal is one ``ArchiveError``, and the
destination is as it was before.
"""

from __future__ import annotations

import os
from pathlib import Path

from sinara.errors import ArchiveError
from sinara.extract.limits import Limits
from sinara.extract.tars import extract_tar
from sinara.extract.zips import extract_zip

__all__ = ["Limits", "extract", "extract_tar", "extract_zip"]

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


def extract(
    archive: str | os.PathLike[str], folder: str | os.PathLike[str], *, limits: Limits | None = None
) -> None:
    """Unpack a tar (plain, gzip, bzip2, xz) or a zip into ``folder``, told apart by content.

    Args:
        archive: A local file.
        folder: Made if it is missing. What it holds already stays, except that files of the
            same names are replaced.
        limits: What to refuse; see :class:`Limits`.

    Raises:
        ArchiveError: If the archive is damaged, hostile or beyond the limits; ``folder`` is
            then as it was.
    """
    path = Path(archive)
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise ArchiveError(f"Archive {path} cannot be read: {error.strerror or error}") from error
    unpack = extract_zip if start in _ZIP_STARTS else extract_tar
    unpack(path, folder, limits=limits)
