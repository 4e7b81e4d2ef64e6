"""Write the executed notebook so that a reader always finds a whole one.

A write goes beside the file and is moved into place. papermill writes after every cell,
which is quadratic in the output; here a write happens at most every two seconds, and
rarer when it is slow, so that writing never takes more than a small share of the time.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVERY = 2.0  # seconds
SHARE = 0.05  # of the time that passes, at most, goes into writing
LONG_TEXT = 50_000  # characters; longer texts are not split into lines


class AtomicWriter:
    """Writes one notebook file, again and again."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._next = -math.inf

    def due(self) -> bool:
        """True if enough time has passed since the last write."""
        return self._clock() >= self._next

    def write(self, notebook: Any, *, final: bool = False) -> None:
        """Replace the file by ``notebook``.

        Args:
            notebook: An nbformat 4 notebook, or its JSON value.
            final: Whether to have it on disk, not only in the system's memory, on return.

        Raises:
            OSError: If the file cannot be written; the old one is then untouched.
        """
        started = self._clock()
        self.put(notebook, final=final)
        took = self._clock() - started
        self._next = self._clock() + max(EVERY, took / SHARE)

    def put(self, notebook: Any, *, final: bool) -> None:
        """Write without looking at the clock."""
        write_atomically(self.path, notebook_bytes(notebook), sync=final)


def write_atomically(path: Path, data: bytes, *, sync: bool) -> None:
    """Write ``data`` beside ``path`` and move it there; an error leaves the old file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if error.filename is None:
            error.filename = str(path)
        raise


def notebook_bytes(notebook: Any) -> bytes:
    """Return a notebook as nbformat 4 JSON in UTF-8, whatever is in it.

    Sources and texts are split into lines, as nbformat does, for the sake of ``git diff``;
    very long texts are not, because that is slow. NaN becomes ``null``; a lone surrogate
    is written as an escape.
    """
    value = {**notebook, "cells": [_split_cell(cell) for cell in notebook["cells"]]}
    try:
        text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        text = json.dumps(_plain(value), ensure_ascii=False, indent=1, sort_keys=True)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _split_cell(cell: dict[str, Any]) -> dict[str, Any]:
    split = {**cell, "source": _split(cell["source"])}
    if "outputs" in cell:
        split["outputs"] = [_split_output(output) for output in cell["outputs"]]
    return split


def _split_output(output: dict[str, Any]) -> dict[str, Any]:
    if output["output_type"] == "stream":
        return {**output, "text": _split(output["text"])}
    if "data" in output:
        data = {
            kind: value
            if kind.startswith("application/") and kind.endswith("json")
            else _split(value)
            for kind, value in output["data"].items()
        }
        return {**output, "data": data}
    return output


def _split(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= LONG_TEXT:
        return value.splitlines(keepends=True)
    return value


def _plain(value: Any) -> Any:
    """Return ``value`` with only what JSON knows."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
