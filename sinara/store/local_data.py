# ruff: noqa: PTH120
"""Data files of runs on a local disk: looked at, hashed, made durable, frozen, copied."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, TypeVar

from sinara.store import layout
from sinara.store import paths as system
from sinara.store.local_files import LocalFiles
from sinara.store.trees import Seen

T = TypeVar("T")
_WRITE_BITS = 0o222


class LocalData(LocalFiles):
    """What :class:`~sinara.store.local.LocalBackend` does with data files."""

    def scan(self, path: str) -> list[Seen]:
        """Return all that lies below a folder."""
        return system.scan(self.folder, path)

    def open_data(self, path: str) -> IO[bytes]:
        """Open a data file."""
        return os.fdopen(system.open_beneath(self.folder, path), "rb")

    def digest(self, folder: str, paths: Sequence[str], *, sync: bool) -> dict[str, str]:
        """Hash and sync files, both at once: one waits for the processor, one for the disk."""
        from concurrent.futures import ThreadPoolExecutor

        def hash_one(path: str) -> str:
            return self._with_file(f"{folder}/{path}", lambda fd, _: system.digest_fd(fd))

        def sync_one(path: str) -> None:
            self._with_file(f"{folder}/{path}", lambda fd, at: self._disk.sync_fd(at, fd))

        threads = self._disk.threads
        if threads == 1:
            if sync:
                system.map_each(1, sync_one, paths)
            return dict(zip(paths, system.map_each(1, hash_one, paths), strict=True))
        with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(os.cpu_count() or 1) as other:
            syncs = [pool.submit(sync_one, path) for path in paths] if sync else []
            digests = list(other.map(hash_one, paths))
            for done in syncs:
                done.result()
        return dict(zip(paths, digests, strict=True))

    def _with_file(self, path: str, call: Callable[[int, str], T]) -> T:
        fd = system.open_beneath(self.folder, path)
        try:
            return call(fd, self._at(path))
        finally:
            os.close(fd)

    def sync_folders(self, paths: Iterable[str]) -> None:
        """Sync folders deepest first, so that a name never outlives what it names."""
        for path in paths:
            for folder in system.folders_beneath(self.folder, path):
                self._disk.sync_folder_beneath(self.folder, folder)

    def discard(self, path: str) -> None:
        """Delete by name after name: a folder on the way that became a link is not followed."""
        run_id, _, entity = path.partition("/")
        for place in (f"{run_id}/{layout.SETTLING}{entity}", path):
            self._disk.remove_beneath(self.folder, place)

    def put_data(self, path: str, content: bytes | Path) -> None:
        """Write beside, then rename: a run folder has no half-written file of ours."""
        self._disk.mkdirs_beneath(self.folder, os.path.dirname(path))
        if isinstance(content, bytes):
            with self._beside(content) as written:
                self._disk.place_beneath(written, self.folder, path)
            return
        source, aside = content.resolve(strict=True), self._new_name()
        try:
            self._disk.copy_beneath(str(source.parent), source.name, aside)
            self._disk.place_beneath(aside, self.folder, path)
        except OSError:
            self._forget(aside)
            raise

    def remove_litter(self, folder: str, files: Sequence[str], folders: Sequence[str]) -> None:
        """Remove files, then folders."""
        for path in files:
            self._disk.unlink_beneath(self.folder, f"{folder}/{path}")
        for path in folders:
            self._disk.remove_tree(self._at(f"{folder}/{path}"))

    def adopt(self, folder: str, name: str) -> None:
        """Make the folder aside, move the file into it, then the folder into its place."""
        run_id, _, entity = folder.partition("/")
        aside = f"{run_id}/{layout.SETTLING}{entity}"
        if not self.exists(aside):
            self._disk.mkdir(self._at(aside))
        self._disk.rename(self._at(folder), self._at(f"{aside}/{name}"))
        self.readopt(folder)

    def readopt(self, folder: str) -> None:
        """Move the folder into its place, if the file is in it and nothing else came there."""
        run_id, _, entity = folder.partition("/")
        aside = f"{run_id}/{layout.SETTLING}{entity}"
        if not self.exists(aside):
            return
        if self.names(aside) and not self.exists(folder):
            self._disk.rename(self._at(aside), self._at(folder))
        else:
            self._disk.remove_tree(self._at(aside))

    def freeze(self, path: str) -> None:
        """Take the write bits off a folder and all in it."""
        files = [seen.path for seen in self.scan(path) if seen.kind == "file"]
        for file in files:
            self._take_write(f"{path}/{file}")
        for folder in system.folders_beneath(self.folder, path):
            self._take_write(folder)

    def _take_write(self, path: str) -> None:
        mode = self._with_file(path, lambda fd, _: os.fstat(fd).st_mode & 0o7777)
        if mode & _WRITE_BITS:
            self._disk.chmod_beneath(self.folder, path, mode & ~_WRITE_BITS)

    def mark(self, path: str) -> None:
        """Create an empty file."""
        if self.exists(path):
            return
        parent = os.path.dirname(path)
        found = system.status(self._at(parent))
        if found is not None and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o200:
            self._disk.chmod_beneath(self.folder, parent, found.st_mode & 0o7777 | 0o300)
        self._disk.create_beneath(self.folder, path)

    def copy_data(self, source: str, target: str) -> str | None:
        """Copy a file, sharing its blocks where the file system can."""
        self._ensure(os.path.dirname(self._at(target)))
        return self._disk.copy_beneath(self.folder, source, self._at(target))

    def share_data(self, source: str, target: str) -> bool:
        """Link a published file, which never changes, to a second place."""
        self._ensure(os.path.dirname(self._at(target)))
        try:
            self._disk.point("link", self._at(source), os.link, self._at(source), self._at(target))
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV):
                return False
            raise
        return True
