"""The scratch folder of a run, and what is left of those whose launcher was killed.

Each folder holds a file that names its process, so that the next run can tell a
folder that is in use from one that nobody will remove any more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from sinara.store.world import name_tag, tag_is_alive, this_process

_PREFIX = "sinara-"
_OWNER = "owner"


def make_scratch() -> Path:
    """Make a private folder for this process, and remove those of processes that died."""
    for entry in os.scandir(tempfile.gettempdir()):
        if entry.name.startswith(_PREFIX):
            _remove_if_left(Path(entry.path))
    made = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (made / _OWNER).write_text(name_tag(this_process()), encoding="utf-8")
    return made


def _remove_if_left(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError):  # another user's, or no folder of ours
        if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
            return
        owner = (folder / _OWNER).read_text(encoding="utf-8")
        if tag_is_alive(owner, this_process()) is False:
            shutil.rmtree(folder, ignore_errors=True)
