"""The errors of the store, and one line for whatever the operating system answers.

StoreError                     sinara.errors
├── AlreadyPublishedError      another run of the same trigger was published
└── LostClaimError             this attempt no longer owns its run folder
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from sinara.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "The disk is full. Free some space there, then run again.",
    errno.EDQUOT: "Your disk quota is used up. Free some space there, then run again.",
    errno.EROFS: "That file system is read-only. Mount it for writing, or choose another root.",
    errno.EACCES: "You may not do that there. Ask its owner, or choose another root.",
    errno.EPERM: "You may not do that there. Ask its owner, or choose another root.",
    errno.EIO: "The disk reported an error. Check it before you trust it again.",
    errno.EMFILE: "Too many files are open. Raise the limit: ulimit -n.",
    errno.ENAMETOOLONG: "Choose shorter names.",
}


class AlreadyPublishedError(StoreError):
    """Another run of the same trigger was published: this one must not be.

    Attributes:
        run_id: The run that was published.
    """

    def __init__(self, *lines: str, run_id: str = "") -> None:
        super().__init__(*lines)
        self.run_id = run_id


class LostClaimError(StoreError):
    """This attempt was given up, collected, or belongs to another process."""


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn an ``OSError`` into one line: what was being done, where, the cause, what to do.

    Args:
        doing: What the user would call it, as in "publish run run-25-…".
    """
    try:
        yield
    except OSError as error:
        raise StoreError(explain(doing, error)) from error


def explain(doing: str, error: OSError) -> str:
    """Return the line for ``error``, met while ``doing`` something."""
    where = error.filename2 or error.filename
    cause = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    place = f" at {os.fsdecode(where)}" if isinstance(where, (str, bytes)) else ""
    advice = _ADVICE.get(error.errno or 0, "")
    return f"Cannot {doing}: {cause}{place}. {advice}".rstrip()
