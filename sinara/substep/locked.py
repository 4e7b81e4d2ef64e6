"""A small JSON file that several kernels change, one after the other."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinara.errors import StoreError


@contextlib.contextmanager
def locked_json(path: Path) -> Iterator[dict[str, Any]]:
    """Give the dictionary in ``path`` to change; it is written back, whole, when the block ends.

    Nobody else is in such a block for the same path meanwhile, and nothing is written if the
    block raises. Where the system has no ``flock`` the last writer wins.

    Raises:
        StoreError: If the file holds something else than a dictionary.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f"{path.name}.lock"), "a") as lock:  # noqa: PTH123 - a plain handle
        _wait(lock.fileno())  # the system lets go of it when the handle is closed
        value = _read(path)
        before = json.dumps(value)
        yield value
        after = json.dumps(value)
        if after != before:
            beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            beside.write_text(after, encoding="utf-8")
            beside.replace(path)


def _wait(handle: int) -> None:
    if os.name == "posix":  # pragma: no branch - Windows has no flock
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StoreError(f"{path} is not JSON ({error}). Remove it and try again.") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} holds no dictionary. Remove it and try again.")
    return value
