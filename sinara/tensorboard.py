"""Folders for TensorBoard's event files: one per experiment, and in it one per run.

::

    <tmp root>/<pipeline>/<zone>/<step>/_tensorboard/<log name>/<run_id>/events.out…

Published events come from an entity named ``tensorboard``, which holds ``<log name>/events.out…``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara.errors import BadNameError

if TYPE_CHECKING:
    from sinara.store import StepStore

ENTITY = "tensorboard"
EVENTS = "events.out"  # how TensorBoard's writers begin the name of a file


def base_folder(step_tmp: Path, log_name: str) -> Path:
    """Make and return the folder that holds the events of ``log_name`` of several runs.

    Args:
        step_tmp: The step's temporary folder.
        log_name: Of the experiment; may hold ``/``, or be empty for all experiments.

    Raises:
        BadNameError: If the name would lead out of the folder.
    """
    parts = [part for part in log_name.split("/") if part]
    if log_name.startswith("/") or any(part.startswith(".") or "\\" in part for part in parts):
        raise BadNameError(
            f"log name {log_name!r} cannot be used: "
            "write names with / between, none of them beginning with a dot"
        )
    folder = step_tmp.joinpath("_tensorboard", *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def copy_published(
    store: StepStore,
    log_name: str,
    base: Path,
    storage_options: Mapping[str, Any],
    *,
    interactive: bool,
) -> tuple[Path, ...]:
    """Copy the events that a step's runs published to ``base/<run_id>/``, and return the copies.

    Args:
        store: Of the step.
        log_name: Of the experiment.
        base: From :func:`base_folder`.
        storage_options: For fsspec.
        interactive: Take runs published by hand as well.

    Raises:
        StoreError: If the store cannot be read.
    """
    copies: list[Path] = []
    for commit in store.commits():
        if ENTITY not in commit.entities or (commit.interactive and not interactive):
            continue
        source = f"{store.entity_url(commit.run_id, ENTITY)}/{log_name}".rstrip("/")
        for name in _events(source, storage_options):
            copy = base / commit.run_id / name
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                _copy(f"{source}/{name}", copy, storage_options)
            copies.append(copy)
    return tuple(copies)


def _events(folder: str, storage_options: Mapping[str, Any]) -> list[str]:
    if "://" not in folder:
        names = os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
    else:
        import fsspec

        files, path = fsspec.core.url_to_fs(folder, **storage_options)
        found = files.ls(path, detail=False) if files.exists(path) else []
        names = [name.rpartition("/")[2] for name in found]
    return sorted(name for name in names if name.startswith(EVENTS))


def _copy(source: str, target: Path, storage_options: Mapping[str, Any]) -> None:
    """Copy beside, then rename: TensorBoard may be watching the folder."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    if "://" not in source:
        shutil.copyfile(source, beside)
    else:
        import fsspec

        files, path = fsspec.core.url_to_fs(source, **storage_options)
        files.get_file(path, str(beside))
    beside.replace(target)
