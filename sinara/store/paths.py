# ruff: noqa: PTH123, PTH208
"""Look at files and lock them; change nothing.

User code, or another user, may swap a folder for a link at any moment: what lies inside
runs is reached from a folder's descriptor, one name at a time, and no link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sinara.store.trees import Seen

T = TypeVar("T")

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | NOFOLLOW
CHUNK = 1 << 20
_DEEPEST = 100  # folders within folders of one entity


def lock(fd: int, *, shared: bool = False, wait: bool = True) -> bool | None:
    """Lock an open file until it is closed.

    Returns:
        Whether it is locked now; None on a system or a file system without locks, where
        who lives is known by process numbers only.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    flags = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(fd, flags)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            return None
        raise
    return True


def open_lockable(path: str) -> int:
    """Open an existing file so that :func:`lock` works, on NFS as well."""
    return os.open(path, os.O_RDWR | _FILE)


def read_bytes(path: str) -> bytes:
    """Return what a file holds."""
    with open(path, "rb") as file:
        return file.read()


def names(path: str) -> list[str]:
    """Return the names in a folder, in no order; none if there is no such folder."""
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def status(path: str) -> os.stat_result | None:
    """Return what the file system knows of a path, links not followed; None if it is missing."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_beneath(base: str, relpath: str, flags: int = os.O_RDONLY) -> int:
    """Open a file below ``base`` by name after name, following no link on the way."""
    with parent_of(base, relpath) as (fd, name):
        return os.open(name, flags | _FILE, dir_fd=fd)


@contextlib.contextmanager
def parent_of(base: str, relpath: str) -> Iterator[tuple[int, str]]:
    """Open the folder that ``relpath`` lies in, and give its descriptor and the last name."""
    *folders, name = relpath.split("/")
    fd = os.open(base, FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, FOLDER | NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd, name
    finally:
        os.close(fd)


def folders_beneath(base: str, relpath: str) -> list[str]:
    """Return ``relpath`` and every folder below it, deepest first, relative to ``base``."""
    found = [seen.path for seen in scan(base, relpath) if seen.kind == "folder"]
    inner = [f"{relpath}/{path}" for path in sorted(found, key=lambda path: -path.count("/"))]
    return [*inner, relpath]


def scan(base: str, relpath: str) -> list[Seen]:
    """Return all that lies below ``base/relpath``, links listed and never followed.

    A single file, or a link, at that very place is one entry with an empty path.

    Raises:
        FileNotFoundError: If nothing is there.
    """
    with parent_of(base, relpath) as (fd, name):
        top = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(top.st_mode):
            return [_seen("", top)]
        inner = os.open(name, FOLDER | NOFOLLOW, dir_fd=fd)
    try:
        return list(_scan(inner, "", 0))
    finally:
        os.close(inner)


def _scan(fd: int, prefix: str, depth: int) -> Iterator[Seen]:
    if depth > _DEEPEST:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), prefix)
    with os.scandir(fd) as entries:
        inside = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    for name, found in inside:
        yield _seen(prefix + name, found)
        if stat.S_ISDIR(found.st_mode):
            inner = os.open(name, FOLDER | NOFOLLOW, dir_fd=fd)
            try:
                yield from _scan(inner, f"{prefix}{name}/", depth + 1)
            finally:
                os.close(inner)


def _seen(path: str, found: os.stat_result) -> Seen:
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link"))
    kind = next((name for test, name in kinds if test(found.st_mode)), "special")
    mark = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
    return Seen(path, kind, found.st_size, mark, found.st_nlink, found.st_ctime_ns)


def digest_fd(fd: int) -> str:
    """Return the SHA-256 of a file that was just opened."""
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with open(fd, "rb", buffering=0, closefd=False) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()


def map_each(threads: int, call: Callable[[T], Any], items: Iterable[T]) -> list[Any]:
    """Call for each item, ``threads`` at once, and return the answers in order."""
    todo = list(items)
    if threads == 1 or len(todo) < 2:
        return [call(item) for item in todo]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, todo))
