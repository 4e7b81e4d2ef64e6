"""A step's folder on a local disk (or a mounted one)."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator

from sinara.store import layout
from sinara.store import paths as system
from sinara.store.backend import HolderState
from sinara.store.local_data import LocalData
from sinara.store.world import tag_is_alive


class LocalHold:
    """A lock on the claim of a run folder, held until release or death."""

    def __init__(self, path: str, fd: int) -> None:
        self._path = path
        self._fd: int | None = fd
        self._pid = os.getpid()

    def is_ours(self) -> bool:
        """Return whether the locked file is still the one at its path, in this process."""
        found = system.status(self._path)
        if self._fd is None or found is None or self._pid != os.getpid():
            return False
        mine = os.fstat(self._fd)
        return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)

    def release(self) -> None:
        """Release the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class LocalBackend(LocalData):
    """:class:`~sinara.store.backend.Backend` over one :class:`~sinara.store.disk.Disk`.

    Here: run folders, and who holds them.
    """

    def claim(self, run_id: str, body: bytes) -> LocalHold:
        """Make the folder aside, claim and lock in it, then rename: it appears complete.

        A rename onto a folder that is not empty fails, and no run folder is ever empty.
        """
        target = self._at(run_id)
        self._anchor()
        for _ in range(20):
            if system.status(target) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
            with contextlib.suppress(FileNotFoundError):  # a recovery swept it: once more
                return self._claim_once(target, body)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), target)

    def _claim_once(self, target: str, body: bytes) -> LocalHold:
        aside = self._new_name()
        self._disk.mkdir(aside)
        fd = None
        try:
            self._disk.write_new(f"{aside}/{layout.CLAIM}", body)
            fd = system.open_lockable(f"{aside}/{layout.CLAIM}")
            system.lock(fd)
            self._disk.sync_folder(aside)
            self._move_new(aside, target)
        except BaseException:
            if fd is not None:
                os.close(fd)
            with contextlib.suppress(OSError):
                self._disk.remove_tree(aside)
            raise
        hold = LocalHold(f"{target}/{layout.CLAIM}", fd)
        try:
            self._disk.sync_folder(self.folder)
        except BaseException:
            hold.release()
            raise
        return hold

    def take_over(self, run_id: str, body: bytes) -> LocalHold:
        """Link a claim, locked already, into a folder that is there: nobody sees it free."""
        path = self._at(layout.claim(run_id))
        self._anchor()
        with self._beside(body) as written:
            fd = system.open_lockable(written)
            try:
                system.lock(fd)
                if not self._disk.link_new(written, path):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
                for folder in (self._at(run_id), self.folder):
                    self._disk.sync_folder(folder)
            except BaseException:
                os.close(fd)
                raise
        return LocalHold(path, fd)

    def _move_new(self, aside: str, target: str) -> None:
        try:
            self._disk.rename(aside, target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from error
            raise

    def join(self, run_id: str) -> LocalHold:
        """Take a shared lock on the claim of a draft."""
        path = self._at(layout.claim(run_id))
        fd = system.open_lockable(path)
        system.lock(fd, shared=True)
        hold = LocalHold(path, fd)
        if not hold.is_ours():
            hold.release()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return hold

    def share(self, run_id: str) -> LocalHold | None:
        """Try a shared lock on the claim: recovery then leaves the folder alone."""
        path = self._at(layout.claim(run_id))
        fd = system.open_lockable(path)
        if system.lock(fd, shared=True, wait=False) is False:
            os.close(fd)
            return None
        hold = LocalHold(path, fd)
        if not hold.is_ours():
            hold.release()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return hold

    def holder(self, run_id: str) -> HolderState:
        """Try the lock."""
        try:
            fd = system.open_lockable(self._at(layout.claim(run_id)))
        except (FileNotFoundError, NotADirectoryError):
            return "free"
        except PermissionError:
            return "unknown"  # another user's run: that user's recovery sees to it
        try:
            locked = system.lock(fd, wait=False)
        finally:
            os.close(fd)
        return {True: "free", False: "held", None: "unknown"}[locked]  # type: ignore[return-value]

    def retire(self, run_id: str) -> bool:
        """Rename the folder into the trash, under its lock."""
        fd = None
        try:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                fd = system.open_lockable(self._at(layout.claim(run_id)))
            if fd is not None and system.lock(fd, wait=False) is False:
                return False
            if self.exists(run_id):
                self._ensure(self._at(layout.TRASH))
                gone = f"{layout.TRASH}/{run_id}.{self._world.entropy(6).hex()}"
                with contextlib.suppress(FileNotFoundError):  # another recovery was faster
                    self._disk.rename(self._at(run_id), self._at(gone))
        finally:
            if fd is not None:
                os.close(fd)
        return True

    def purge(self) -> None:
        """Sync the renames, once for all of them, then empty the trash."""
        inside = self.names(layout.TRASH)
        if not inside:
            return
        for folder in (self._at(layout.TRASH), self.folder):
            self._disk.sync_folder(folder)
        for name in inside:
            with contextlib.suppress(PermissionError):  # another user's: theirs to delete
                self._disk.remove_tree(self._at(f"{layout.TRASH}/{name}"))

    def sweep(self, grace: float) -> None:
        """Remove temporary files whose process is gone."""
        for name in self.names(layout.OPEN):
            if name.startswith(layout.TMP) and self._is_stale(name, grace):
                with contextlib.suppress(PermissionError):
                    self.clear(f"{layout.OPEN}/{name}")

    def _is_stale(self, name: str, grace: float) -> bool:
        tag = name.removeprefix(layout.TMP).rpartition(".")[0]
        alive = tag_is_alive(tag, self._world.process())
        if alive is None:
            found = system.status(self._at(f"{layout.OPEN}/{name}"))
            return found is not None and found.st_mtime < time.time() - grace
        return not alive

    @contextlib.contextmanager
    def locked(self, run_id: str) -> Iterator[None]:
        """Hold the draft's lock file."""
        with self._disk.locked(self._at(f"{run_id}/{layout.LOCK}")):
            yield
