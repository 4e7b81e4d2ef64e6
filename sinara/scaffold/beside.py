"""What lies beside the steps, and the lock that lets two commands at one folder take turns."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sinara.errors import UsageError
from sinara.manifest import Manifest
from sinara.scaffold.place import SETTINGS
from sinara.scaffold.step import SCRATCH
from sinara.scaffold.template import visualize_notebook

WAITING_SECONDS = 900.0  # longer than what another command may wait for a host
_LOOK_SECONDS = 0.1
_SETTINGS = """\
# Settings of the pipeline {pipeline}. Every setting: docs/names-and-settings.md

# Where the entities live. A relative path counts from this file: beside the steps.
[envs]
user = "sinara_data/user"
test = "sinara_data/test"
prod = "sinara_data/prod"
"""


_WHEN = """
# In a run of the pipeline a step with a condition runs only if that holds.
[steps.{step}]
when = {when}
"""


def _settings(manifest: Manifest) -> str:
    import json

    conditions = [
        _WHEN.format(step=json.dumps(step.name), when=json.dumps(step.when))
        for step in manifest.steps
        if step.when
    ]
    return _SETTINGS.format(pipeline=manifest.pipeline_name) + "".join(conditions)


def write_beside(folder: Path, manifest: Manifest) -> None:
    """Write the files that lie beside the steps, each whole, where it is not there yet.

    What is of a command that died is removed: whoever calls this holds the folder.

    Raises:
        UsageError: If the folder cannot be written.
    """
    files = {
        SETTINGS: _settings(manifest).encode(),
        visualize_notebook().name: visualize_notebook().read_bytes(),
    }
    try:
        for left in folder.glob(f"{SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)
        missing = [name for name in files if not os.path.lexists(folder / name)]
        if not missing:
            return
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
            for name in missing:
                whole = Path(scratch, name)
                whole.write_bytes(files[name])
                whole.rename(folder / name)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}.") from error


@contextlib.contextmanager
def alone_in(folder: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the folder, so that two commands at once take turns; the lock dies with us.

    Args:
        folder: A folder that is there.
        waiting: Told once, if there is somebody to wait for.

    Raises:
        UsageError: If somebody else holds it for too long, or it cannot be read.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}.") from error
    try:
        if not _take(handle) and waiting is not None:
            waiting(f"{folder}: another command is at work here; waiting for it")
        until = time.monotonic() + WAITING_SECONDS
        while not _take(handle):
            if time.monotonic() > until:
                raise UsageError(
                    f"{folder}: another command is at work here, and does not end. "
                    "End it, then run this again."
                )
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    """Say whether the folder is ours now; it is where there are no locks, too."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # no POSIX, or a file system without: folders still appear whole
        return True
    return True
