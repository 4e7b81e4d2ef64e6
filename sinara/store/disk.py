# ruff: noqa: PTH103, PTH105, PTH120, PTH123
"""Every call that changes a store on a local disk passes here, through one fault point.

A harness subclasses :class:`Disk`, overrides :meth:`Disk.point` and so sees, numbers,
kills or falsifies each operation; no other module of the store writes, renames, links or
removes a file. Files inside runs are reached as :mod:`sinara.store.paths` reaches them.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sinara.store.paths import CHUNK, FOLDER, NOFOLLOW, lock, open_beneath, parent_of, status

T = TypeVar("T")

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | NOFOLLOW
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
_LONGEST_LOCK = 600.0  # s
_FICLONE = 0x40049409  # ioctl_ficlone(2)


class Disk:
    """The operating system's calls, each behind a fault point.

    Args:
        sync: Whether ``fsync`` is called at all (``durability: fast`` says no).
        threads: How many files are hashed, or synced, at once; 1 keeps one order of calls.
    """

    def __init__(self, *, sync: bool = True, threads: int | None = None) -> None:
        self.sync = sync
        self.threads = threads or min(8, (os.cpu_count() or 1) + 2)

    def point(self, op: str, path: str, call: Callable[..., T], *args: Any) -> T:
        """Make one call that changes the disk; every one of them passes here.

        Args:
            op: What it does: "mkdir", "create", "write", "fsync", "link", …
            path: The file or folder that it does it to.
            call: The function of the operating system.
            args: What it is called with.
        """
        del op
        try:
            return call(*args)
        except OSError as error:
            if error.filename is None and error.errno is not None:
                raise OSError(error.errno, os.strerror(error.errno), path) from error
            raise

    # -- small files, by path ------------------------------------------------------------

    def mkdir(self, path: str) -> None:
        """Make one folder; FileExistsError if it is there."""
        self.point("mkdir", path, os.mkdir, path)

    def write_new(self, path: str, data: bytes) -> None:
        """Create a file that must not exist, and make it durable."""
        fd = self.point("create", path, os.open, path, _CREATE, 0o666)
        try:
            self.point("write", path, write_all, fd, data)
            self.sync_fd(path, fd)
        finally:
            os.close(fd)

    def sync_fd(self, path: str, fd: int) -> None:
        """Make the content of an open file durable. Never called again after it failed."""
        if self.sync:
            self.point("fsync", path, os.fsync, fd)

    def sync_folder(self, path: str) -> None:
        """Make the names in a folder durable, where the file system knows such a thing."""
        if not self.sync or os.name == "nt":
            return
        fd = os.open(path, FOLDER)
        try:
            self._sync_folder_fd(path, fd)
        finally:
            os.close(fd)

    def sync_folder_beneath(self, base: str, relpath: str) -> None:
        """Make the names in a folder durable that is reached without following a link."""
        with parent_of(base, f"{relpath}/.") as (fd, _):
            self._sync_folder_fd(f"{base}/{relpath}", fd)

    def _sync_folder_fd(self, path: str, fd: int) -> None:
        if not self.sync or os.name == "nt":
            return
        try:
            self.point("fsync_dir", path, os.fsync, fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise

    def link_new(self, source: str, target: str) -> bool:
        """Give ``source`` the name ``target`` unless that name is taken; return whether it did.

        The file keeps its first name where links exist, and loses it where they do not.
        """
        try:
            self.point("link", source, os.link, source, target)
        except FileExistsError:
            # On NFS the answer to a link that succeeded may be lost and the call repeated.
            return _links(source) == 2
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._rename_locked(source, target)
        return True

    def _rename_locked(self, source: str, target: str) -> bool:
        try:
            self.point("rename_new", source, rename_new, source, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with self.locked(f"{os.path.dirname(source)}/LOCK"):
                if status(target) is not None:
                    return False
                self.rename(source, target)
        return True

    def rename(self, source: str, target: str) -> None:
        """Move a file or a folder; a file that is there is replaced in one step."""
        self.point("rename", source, os.replace, source, target)

    def unlink(self, path: str) -> None:
        """Remove a file's name; nothing happens if it is gone."""
        with contextlib.suppress(FileNotFoundError):
            self.point("unlink", path, os.unlink, path)

    def chmod_beneath(self, base: str, relpath: str, mode: int) -> None:
        """Change the mode of a file reached without following a link."""
        fd = open_beneath(base, relpath)
        try:
            self.point("chmod", f"{base}/{relpath}", os.fchmod, fd, mode)
        finally:
            os.close(fd)

    def create_beneath(self, base: str, relpath: str) -> None:
        """Create an empty file in a folder reached without following a link."""
        path = f"{base}/{relpath}"
        with parent_of(base, relpath) as (folder, name):
            with contextlib.suppress(FileExistsError):
                fd = self.point("create", path, _create_at, name, folder)
                try:
                    self.sync_fd(path, fd)
                finally:
                    os.close(fd)
            self._sync_folder_fd(path.rpartition("/")[0], folder)

    def place_beneath(self, source: str, base: str, relpath: str) -> None:
        """Move a file into a folder reached without following a link."""
        with parent_of(base, relpath) as (fd, name):
            self.point("rename", source, _replace_at, source, f"{base}/{relpath}", name, fd)

    def mkdirs_beneath(self, base: str, relpath: str) -> None:
        """Make the folders on the way to ``relpath``, following no link."""
        parts = relpath.split("/")
        for depth in range(1, len(parts) + 1):
            below = "/".join(parts[:depth])
            with parent_of(base, below) as (fd, name), contextlib.suppress(FileExistsError):
                self.point("mkdir", f"{base}/{below}", _mkdir_at, name, fd)

    def unlink_beneath(self, base: str, relpath: str) -> None:
        """Remove a file reached without following a link."""
        with parent_of(base, relpath) as (fd, name), contextlib.suppress(FileNotFoundError):
            self.point("unlink", f"{base}/{relpath}", _unlink_at, name, fd)

    def remove_tree(self, path: str) -> None:
        """Remove a folder and all in it; links in it are removed, never followed.

        Folders that were made read-only are opened for it first.
        """
        try:
            fd = os.open(path, FOLDER | NOFOLLOW)
        except FileNotFoundError:
            return
        try:
            self._empty(path, fd)
        finally:
            os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            self.point("rmdir", path, os.rmdir, path)

    def remove_beneath(self, base: str, relpath: str) -> None:
        """Remove a file, a link, or a folder and all in it, reached without following a link."""
        path = f"{base}/{relpath}"
        with contextlib.suppress(FileNotFoundError), parent_of(base, relpath) as (fd, name):
            if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                self.point("unlink", path, _unlink_at, name, fd)
                return
            inner = os.open(name, FOLDER | NOFOLLOW, dir_fd=fd)
            try:
                self._empty(path, inner)
            finally:
                os.close(inner)
            self.point("rmdir", path, _rmdir_at, name, fd)

    def _empty(self, path: str, fd: int) -> None:
        if os.fstat(fd).st_mode & 0o300 != 0o300:
            self.point("chmod", path, os.fchmod, fd, 0o700)
        with os.scandir(fd) as entries:
            inside = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in inside:
            below = f"{path}/{name}"
            with contextlib.suppress(FileNotFoundError):
                if not is_folder:
                    self.point("unlink", below, _unlink_at, name, fd)
                    continue
                inner = os.open(name, FOLDER | NOFOLLOW, dir_fd=fd)
                try:
                    self._empty(below, inner)
                finally:
                    os.close(inner)
                self.point("rmdir", below, _rmdir_at, name, fd)

    def copy_beneath(self, base: str, relpath: str, target: str) -> str | None:
        """Copy a file to a new one; return its SHA-256, or None if its blocks are shared.

        Blocks are shared (``FICLONE``) where the file system can: btrfs, XFS, APFS not yet.
        """
        source = open_beneath(base, relpath)
        try:
            fd = self.point("create", target, os.open, target, _CREATE, 0o666)
            try:
                return self._copy(source, fd, target)
            finally:
                os.close(fd)
        finally:
            os.close(source)

    def _copy(self, source: int, fd: int, target: str) -> str | None:
        digest = None
        if not self.point("clone", target, _clone, fd, source):
            digest = self.point("copy", target, _copy_and_hash, source, fd)
        self.sync_fd(target, fd)
        return digest

    # -- locks: hints of who lives, released by the kernel, never what safety rests on -----

    @contextlib.contextmanager
    def locked(self, path: str) -> Iterator[None]:
        """Hold a lock file for a moment. Its holder's death releases it.

        Raises:
            TimeoutError: If it was held for longer than anything takes that locks it.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | NOFOLLOW, 0o666)
        deadline = time.monotonic() + _LONGEST_LOCK
        try:
            while lock(fd, wait=False) is False:
                if time.monotonic() > deadline:
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), path)
                time.sleep(0.02)
            yield
        finally:
            os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``: one ``write`` may take less of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def remember(path: str, data: bytes) -> None:
    """Write a file of the user's cache, outside of any store; what fails is forgotten."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        aside = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
        with open(aside, "xb") as file:
            file.write(data)
        os.replace(aside, path)


def _copy_and_hash(source: int, target: int) -> str:
    digest = hashlib.sha256()
    while data := os.read(source, CHUNK):
        digest.update(data)
        write_all(target, data)
    return digest.hexdigest()


def _links(path: str) -> int:
    found = status(path)
    return found.st_nlink if found is not None else 0


def _clone(target: int, source: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(target, _FICLONE, source)
    except (ImportError, OSError):
        return False
    return True


def _create_at(name: str, fd: int) -> int:
    return os.open(name, _CREATE, 0o666, dir_fd=fd)


def _replace_at(source: str, target: str, name: str, fd: int) -> None:
    del target  # for the fault point
    os.replace(source, name, dst_dir_fd=fd)


def _mkdir_at(name: str, fd: int) -> None:
    os.mkdir(name, dir_fd=fd)


def _unlink_at(name: str, fd: int) -> None:
    os.unlink(name, dir_fd=fd)


def _rmdir_at(name: str, fd: int) -> None:
    os.rmdir(name, dir_fd=fd)


def rename_new(source: str, target: str) -> None:
    """Rename unless the target exists, in one step, where the system has a call for it.

    Source:
        renameat2(2) with RENAME_NOREPLACE = 1 on Linux; renamex_np with RENAME_EXCL = 4
        on macOS.
    """
    library = ctypes.CDLL(None, use_errno=True)
    one, other = os.fsencode(source), os.fsencode(target)
    if sys.platform == "darwin":
        done = library.renamex_np(one, other, 4)
    elif hasattr(library, "renameat2"):
        done = library.renameat2(-100, one, -100, other, 1)  # AT_FDCWD
    else:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), source)
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source, None, target)
