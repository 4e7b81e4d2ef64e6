# ruff: noqa: PTH112, PTH120
"""Small files of a step's folder on a local disk: each there whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from sinara.store import layout
from sinara.store import paths as system
from sinara.store.disk import Disk
from sinara.store.world import World, name_tag


class LocalFiles:
    """What :class:`~sinara.store.local.LocalBackend` does with small files."""

    remote = False

    def __init__(self, root: str, step: str, disk: Disk, world: World) -> None:
        self.folder = f"{root}/{step}"
        self._root = root
        self._anchored = False
        self._disk = disk
        self._world = world

    def read(self, path: str) -> bytes:
        """Return what a file holds."""
        return system.read_bytes(self._at(path))

    def exists(self, path: str) -> bool:
        """Return whether a file or a folder is there."""
        return system.status(self._at(path)) is not None

    def create(self, path: str, data: bytes) -> bool:
        """Write beside, sync, then give it its name, which must be free: link(2) decides."""
        target = self._at(path)
        if system.status(target) is not None:
            return False
        with self._beside(data) as written:
            self._ensure(os.path.dirname(target))
            created = self._disk.link_new(written, target)
            if created:
                self._disk.sync_folder(os.path.dirname(target))
        return created

    def replace(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Write beside, sync, then rename over what is there."""
        target = self._at(path)
        with self._beside(data) as written:
            self._ensure(os.path.dirname(target))
            self._disk.rename(written, target)
            if durable:
                self._disk.sync_folder(os.path.dirname(target))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._disk.unlink(self._at(path))

    def names(self, path: str) -> list[str]:
        """Return the names in a folder."""
        return system.names(self._at(path))

    def make_folder(self, path: str) -> str:
        """Make a folder and return its path."""
        self._ensure(self._at(path))
        return self._at(path)

    def last_change(self, path: str) -> float | None:
        """Return the newest modification time of a folder and of what lies directly in it."""
        top = system.status(self._at(path))
        if top is None:
            return None
        below = (system.status(self._at(f"{path}/{name}")) for name in self.names(path))
        return max(found.st_mtime for found in (top, *below) if found is not None)

    def sync_folders_alone(self, paths: Iterable[str]) -> None:
        """Sync folders."""
        for path in paths:
            self._disk.sync_folder(self._at(path) if path else self.folder)

    def clear(self, path: str) -> None:
        """Delete a file, or a folder and all in it."""
        found = system.status(self._at(path))
        if found is not None and stat.S_ISDIR(found.st_mode):
            self._disk.remove_tree(self._at(path))
        else:
            self._disk.unlink(self._at(path))

    # -- helpers ---------------------------------------------------------------------------

    def _at(self, path: str) -> str:
        return f"{self.folder}/{path}"

    def _new_name(self) -> str:
        aside = self._at(layout.OPEN)
        self._ensure(aside)
        tag = name_tag(self._world.process())
        return f"{aside}/{layout.TMP}{tag}.{self._world.entropy(6).hex()}"

    @contextlib.contextmanager
    def _beside(self, data: bytes) -> Iterator[str]:
        aside = self._new_name()
        try:
            self._disk.write_new(aside, data)
            yield aside
        finally:
            self._forget(aside)

    def _forget(self, aside: str) -> None:
        with contextlib.suppress(OSError):  # what remains is swept by the next recovery
            self._disk.unlink(aside)

    def _anchor(self) -> None:
        """Make the step's folder durable once: whoever made it may have died before that."""
        if self._anchored:
            return
        self._ensure(self.folder)
        above = os.path.dirname(self.folder)
        while len(above) >= len(self._root) and above != os.path.dirname(above):
            self._disk.sync_folder(above)
            above = os.path.dirname(above)
        with contextlib.suppress(PermissionError):  # a folder of others, there before us
            self._disk.sync_folder(above or "/")
        self._anchored = True

    def _ensure(self, folder: str) -> None:
        """Make a folder and those above it; each new name is made durable."""
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        if parent != folder:
            self._ensure(parent)
        with contextlib.suppress(FileExistsError):
            self._disk.mkdir(folder)
        self._disk.sync_folder(parent)
