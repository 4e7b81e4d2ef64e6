"""A store: the root of one env, on a local disk or on anything that fsspec reaches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sinara.errors import BadNameError, SettingsError
from sinara.names import StepName, check_name
from sinara.store import layout
from sinara.store.backend import Backend
from sinara.store.disk import Disk
from sinara.store.errors import told
from sinara.store.local import LocalBackend
from sinara.store.log import CommitLog
from sinara.store.pipelines import PipelineRuns
from sinara.store.place import Place
from sinara.store.step import StepStore
from sinara.store.world import World


class Store:
    """All steps of one env; made by :func:`open_store`."""

    def __init__(self, root: str, backend: Callable[[str], Backend], world: World) -> None:
        self.root = root
        self._backend = backend
        self._world = world

    def step(self, step: StepName) -> StepStore:
        """Return the store of one step. Nothing is made before something is written."""
        backend = self._backend(step.path)
        log = CommitLog(backend, self._world)
        return StepStore(Place(step, self.root, backend, self._world, log))

    def pipeline(self, name: str) -> PipelineRuns:
        """Return the runs of a whole pipeline. Nothing is made before something is written."""
        return PipelineRuns(self._backend(check_name("pipeline", name)), self._world, name)

    def pipelines(self) -> list[str]:
        """Return the names of all pipelines that left something here, sorted."""
        with told(f"list the pipelines of {self.root}"):
            return _steps_names(self._backend(""), "", "pipeline")

    def steps(self) -> Iterator[tuple[str, str, str]]:
        """Yield (pipeline, zone, step) of every step that left something here, sorted."""
        top = self._backend("")
        with told(f"list the steps of {self.root}"):
            for pipeline in _steps_names(top, "", "pipeline"):
                for zone in _steps_names(top, pipeline, "zone"):
                    for step in _steps_names(top, f"{pipeline}/{zone}", "step"):
                        if _is_step(top.names(f"{pipeline}/{zone}/{step}")):
                            yield pipeline, zone, step


def _steps_names(top: Backend, folder: str, kind: str) -> list[str]:
    return sorted(name for name in top.names(folder) if _is_name(kind, name))


def _is_step(inside: list[str]) -> bool:
    ours = {layout.COMMITS, layout.RUNS, layout.OPEN}
    return any(name in ours or _is_name("run_id", name) for name in inside)


def _is_name(kind: str, name: str) -> bool:
    try:
        return bool(check_name(kind, name))
    except BadNameError:
        return False


def open_store(
    root: str,
    *,
    storage_options: Mapping[str, Any] | None = None,
    durability: Literal["full", "fast"] = "full",
    clock: Callable[[], datetime] | None = None,
    world: World | None = None,
    disk: Disk | None = None,
) -> Store:
    """Open the store of one env. Nothing is made, or asked of the place, before it is used.

    Args:
        root: A local path (``file://`` is dropped), or a URL of fsspec such as
            ``s3://bucket/folder``.
        storage_options: What fsspec needs for a URL.
        durability: ``"fast"`` leaves out fsync: a run survives the death of its process, but
            maybe not of the machine.
        clock: Tells the time of day, aware of its time zone; order never depends on it.
        world: Clock, randomness and processes, for tests; the clock above is put into it.
        disk: Where the calls to the operating system go through, for tests.

    Raises:
        SettingsError: If the root cannot be one.
    """
    around = world or World(cache=cache_folder())
    if clock is not None:
        around = replace(around, clock=clock)
    if "://" in root and not root.startswith("file://"):
        from sinara.store.objects import object_backends

        base = root.rstrip("/")
        return Store(base, object_backends(base, dict(storage_options or {}), around), around)
    path = root.removeprefix("file://")
    if not path:
        raise SettingsError("The root of an env is empty. Set it in sinara.toml.")
    base = os.path.abspath(path)  # noqa: PTH100  # a path that is no link's target: kept as given
    calls = disk or Disk(sync=durability == "full")
    return Store(base, lambda step: LocalBackend(base, step, calls, around), around)


def cache_folder(name: str = "verified") -> Path | None:
    """Return where a cache of this user may lie, by the XDG rules; None if there is no home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(given) if given.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "sinara" / name
