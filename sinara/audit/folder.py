"""What the file system tells of the step's folder, whoever opens a file: inotify, in the driver.

Native code (pyarrow, polars, DuckDB), child processes and a kernel that is killed are seen here,
as far as they touch a watched folder; which process it was is not told. No root is needed. A file
counts as read when it is closed without having been open for writing.

Source:
    inotify(7), inotify_add_watch(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

MOST_FOLDERS = 1_000
MOST_FILES = 10_000
SKIPPED = {"__pycache__", "node_modules"}  # and what begins with a dot, and virtual environments
_CLOSE_WRITE, _CLOSE_NOWRITE, _MOVED_TO, _CREATE = 0x8, 0x10, 0x80, 0x100
_OVERFLOW, _IS_DIR = 0x4000, 0x40000000
_ONLY_DIR = 0x01000000
_MASK = _CLOSE_WRITE | _CLOSE_NOWRITE | _MOVED_TO | _CREATE | _ONLY_DIR
_EVENT = struct.Struct("iIII")
_REST = 0.02  # s; between two readings, so that a loop of opens costs little


@dataclass
class Seen:
    """What was seen.

    Attributes:
        first: Absolute path -> what happened to it first: ``r`` or ``w``.
        read: Paths that were read.
        written: Paths that were written.
        complete: Whether nothing was missed in the watched folders.
        folders: How many folders were watched.
    """

    first: dict[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    complete: bool = True
    folders: int = 0


class FolderWatch:
    """Watches folders from :meth:`begin` to :meth:`end`.

    Args:
        folders: Watched with all that is below them.
        files: Single files, there or not: only they are told of the folder that they lie in.
    """

    def __init__(self, folders: Iterable[Path], files: Iterable[Path] = ()) -> None:
        self.seen = Seen()
        self._folders = tuple(folders)
        self._files = {str(path) for path in files}
        self._places: dict[int, tuple[str, bool]] = {}  # watch -> folder, whether all of it
        self._fd = -1
        self._wake = (-1, -1)
        self._thread: threading.Thread | None = None
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def begin(self) -> None:
        """Watch from now on; where the system has no inotify, nothing is seen."""
        if self._libc is None or self._thread is not None:
            return
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            return
        for path in sorted({str(Path(file).parent) for file in self._files}):
            self._add(path, whole=False)
        for folder in self._folders:
            self._add_tree(str(folder))
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._follow, name="watch folders", daemon=True)
        self._thread.start()

    def end(self) -> Seen:
        """Watch no longer; return what was seen. ``folders`` is 0 if nothing was watched."""
        if self._thread is None:
            self.seen.complete = False
            return self.seen
        os.close(self._wake[1])
        self._thread.join()
        self._thread = None
        for fd in (self._wake[0], self._fd):
            os.close(fd)
        return self.seen

    def _follow(self) -> None:
        while True:
            ready = select.select([self._fd, self._wake[0]], [], [])[0]
            over = self._wake[0] in ready
            self._take()
            if over:
                return
            select.select([self._wake[0]], [], [], _REST)

    def _take(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                name = data[at : at + length].rstrip(b"\0")
                at += length
                self._hear(watch, mask, os.fsdecode(name))

    def _hear(self, watch: int, mask: int, name: str) -> None:
        if mask & _OVERFLOW:
            self.seen.complete = False
        folder, whole = self._places.get(watch, ("", False))
        if not folder or not name:
            return
        path = os.path.join(folder, name)  # noqa: PTH118 - at each event
        if not whole and path not in self._files:
            return
        if mask & _IS_DIR:
            if mask & (_CREATE | _MOVED_TO):
                self._add_tree(path, new=True)
        elif mask & (_CLOSE_WRITE | _MOVED_TO):
            self._note(path, "w")
        elif mask & _CLOSE_NOWRITE:
            self._note(path, "r")

    def _note(self, path: str, kind: str) -> None:
        if path not in self.seen.first:
            if len(self.seen.first) >= MOST_FILES:
                self.seen.complete = False
                return
            self.seen.first[path] = kind
        (self.seen.read if kind == "r" else self.seen.written).add(path)

    def _add_tree(self, top: str, *, new: bool = False) -> None:
        """Watch a folder and all below it; what lies in a new one already was written."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            if not self._add(folder, whole=True):  # first, so that nothing comes between
                self.seen.complete = False
                return
            try:
                entries = list(os.scandir(folder))
            except OSError:  # gone again
                continue
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    if new:
                        self._note(entry.path, "w")
                elif _is_watched(entry):
                    waiting.append(entry.path)

    def _add(self, folder: str, *, whole: bool) -> bool:
        assert self._libc is not None
        if self.seen.folders >= MOST_FOLDERS:
            return False
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
        if watch < 0:  # one that is gone again is not missed
            return ctypes.get_errno() in (errno.ENOENT, errno.ENOTDIR)
        self._places[watch] = (folder, whole)
        self.seen.folders += 1
        return True


def _is_watched(entry: os.DirEntry[str]) -> bool:
    """Return whether a folder in a watched one is watched: no hidden one, no environment."""
    hidden = entry.name.startswith(".") or entry.name in SKIPPED
    return not hidden and not os.path.exists(f"{entry.path}/pyvenv.cfg")  # noqa: PTH110 - a text
