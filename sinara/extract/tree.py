"""A folder that appears whole or not at all.

::

    <parent>/.sinara-<random>/tree/...      filled here, in a folder that only this user may enter
    <parent>/<folder>                       one rename, when all is there

If the folder exists already, the hidden one lies inside it, and what was filled is moved in name
by name: it may be a mount point, or hold files that stay.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinara.errors import ArchiveError
from sinara.extract.folders import FolderCalls, best_calls
from sinara.extract.members import Parts

_OPEN_FOLDERS = 32  # descriptors kept at a time: deep and wide trees must not use them up
_PRIVATE = 0o700
_FILE_MODE = 0o666  # the umask narrows it


@contextlib.contextmanager
def new_tree(
    folder: str | os.PathLike[str], *, calls: FolderCalls[Any] | None = None
) -> Iterator[Tree]:
    """Give a tree to fill; on a clean exit it becomes ``folder``, on an error nothing is left.

    Args:
        folder: The destination, made with its parents. It may exist and hold files; a file of
            the same name is replaced, a link in the way is an error.
        calls: How folders are touched; by default the safest way that the system has.

    Raises:
        ArchiveError: If the destination is a link or a file, cannot be written, or something in
            it is in the way.
    """
    use = calls or best_calls()
    target = Path(os.path.abspath(folder))  # noqa: PTH100 (resolve() would follow a link)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            parent = _opened(stack, use, use.top(target.parent))
            there = use.look(parent, target.name)
            _check_destination(target, there)
            into = parent if there is None else _opened(stack, use, use.enter(parent, target.name))
            hidden = f".sinara-{secrets.token_hex(8)}"
            use.make(into, hidden, _PRIVATE)
            stack.callback(_remove, use, into, hidden)
            box = _opened(stack, use, use.enter(into, hidden))
            use.make(box, "tree", 0o777)
            tree = Tree(use, _opened(stack, use, use.enter(box, "tree")))
            stack.callback(tree.close)
            yield tree
            if there is None:
                _appear(use, box, into, target)
            else:
                _check_merge(use, tree.top, into, target)
                _merge(use, tree.top, into)
    except OSError as error:
        if error.errno is None:  # not the system's: what fills the tree found its source damaged
            raise
        raise ArchiveError(
            f"Nothing was written to {target}: {error.strerror or error}"
            + (f" ({error.filename})" if isinstance(error.filename, str) else "")
        ) from error


class Tree:
    """The folder being filled. Paths are parts that :mod:`sinara.extract.members` has checked."""

    def __init__(self, calls: FolderCalls[Any], top: Any) -> None:
        self.top = top
        self._calls = calls
        self._open: OrderedDict[Parts, Any] = OrderedDict()

    def make_folder(self, parts: Parts) -> None:
        """Make a folder and those above it; it may exist."""
        self._folder(parts)

    def create(self, parts: Parts, mode: int | None = None) -> int:
        """Create a file and its folders, and return a descriptor for writing.

        Args:
            parts: Its path.
            mode: Its permission bits as archived; the owner may always read and write, the umask
                is applied, and set-user-id and its like are dropped.
        """
        bits = _FILE_MODE if mode is None else (mode & 0o777) | 0o600
        return self._calls.create(self._folder(parts[:-1]), parts[-1], bits)

    def reopen(self, parts: Parts) -> int:
        """Return a descriptor for writing more to a file that was created before."""
        return self._calls.reopen(self._folder(parts[:-1]), parts[-1])

    def close(self) -> None:
        """Close the folders that were kept open."""
        while self._open:
            self._calls.leave(self._open.popitem()[1])

    def _folder(self, parts: Parts) -> Any:
        if not parts:
            return self.top
        if parts in self._open:
            self._open.move_to_end(parts)
            return self._open[parts]
        above = self._folder(parts[:-1])
        with contextlib.suppress(FileExistsError):
            self._calls.make(above, parts[-1], 0o777)
        opened = self._calls.enter(above, parts[-1])
        self._open[parts] = opened
        if len(self._open) > _OPEN_FOLDERS:
            self._calls.leave(self._open.popitem(last=False)[1])
        return opened


def _opened(stack: contextlib.ExitStack, calls: FolderCalls[Any], folder: Any) -> Any:
    stack.callback(calls.leave, folder)
    return folder


def _remove(calls: FolderCalls[Any], folder: Any, name: str) -> None:
    # Whatever happened, it happened before: a second error here would hide it.
    with contextlib.suppress(OSError):
        calls.remove(folder, name)


def _check_destination(target: Path, there: os.stat_result | None) -> None:
    if there is None or stat.S_ISDIR(there.st_mode):
        return
    kind = "a link: give the path it points to" if stat.S_ISLNK(there.st_mode) else "not a folder"
    raise ArchiveError(f"Nothing was written to {target}: it is {kind}.")


def _appear(calls: FolderCalls[Any], box: Any, parent: Any, target: Path) -> None:
    made = calls.look(box, "tree")
    calls.move(box, "tree", parent, target.name)
    there = calls.look(parent, target.name)
    # Another process of this user may have put something else in the tree's place.
    if made is None or there is None or not stat.S_ISDIR(there.st_mode) or not _same(made, there):
        raise ArchiveError(f"{target} was replaced by another process while it was written.")


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _check_merge(calls: FolderCalls[Any], source: Any, target: Any, shown: Path) -> None:
    """Refuse before anything is moved: only a file may replace a file, a folder join a folder."""
    for name in calls.names(source):
        here, there = calls.look(source, name), calls.look(target, name)
        if here is None or there is None:
            continue
        path = shown / name
        if stat.S_ISLNK(there.st_mode):
            raise ArchiveError(f"Nothing was written: {path} is a link. Remove it first.")
        if stat.S_IFMT(here.st_mode) != stat.S_IFMT(there.st_mode):
            raise ArchiveError(f"Nothing was written: {path} is in the way. Remove it first.")
        if stat.S_ISDIR(here.st_mode):
            with _both(calls, source, target, name) as (inner, outer):
                _check_merge(calls, inner, outer, path)


def _merge(calls: FolderCalls[Any], source: Any, target: Any) -> None:
    for name in calls.names(source):
        here, there = calls.look(source, name), calls.look(target, name)
        if here is not None and there is not None and stat.S_ISDIR(here.st_mode):
            with _both(calls, source, target, name) as (inner, outer):
                _merge(calls, inner, outer)
        else:
            calls.move(source, name, target, name)


@contextlib.contextmanager
def _both(
    calls: FolderCalls[Any], source: Any, target: Any, name: str
) -> Iterator[tuple[Any, Any]]:
    with contextlib.ExitStack() as stack:
        inner = _opened(stack, calls, calls.enter(source, name))
        yield inner, _opened(stack, calls, calls.enter(target, name))
