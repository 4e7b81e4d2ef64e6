"""The files of a folder that is to be packed, in one order, with no link followed out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sinara.errors import ArchiveError
from sinara.extract.folders import FolderCalls, best_calls
from sinara.extract.limits import Limits, Meter
from sinara.extract.members import MemberNames, Parts, member_parts

_LINKS = 16  # a link may lead to a link, but not for ever
_ANY_SIZE = 1 << 60


@dataclass(frozen=True)
class Source:
    """A file, open for reading until the next one is asked for; or an empty folder.

    Attributes:
        path: Relative to the packed folder, ``/`` between the names.
        status: What the system says of it.
        file: A descriptor; None for a folder.
    """

    path: str
    status: os.stat_result
    file: int | None


def sources(folder: Path, limits: Limits) -> Iterator[Source]:
    """Give all files of a folder, and its empty folders, sorted by name.

    A link to a file inside the folder counts as a copy of that file. Whatever could not be
    unpacked again is refused here, while it can still be renamed.

    Raises:
        ArchiveError: If there is no such folder, or it holds a link that leads outside or to a
            folder, a pipe, a device, or names that cannot stand beside each other everywhere.
    """
    calls = best_calls()
    where = f"Folder {folder}"
    try:
        top = calls.top(folder)
        try:
            names, meter = MemberNames(where), Meter(where, _ANY_SIZE, limits)
            yield from _Walk(calls, top, where, names, meter, limits).below(top, ())
        finally:
            calls.leave(top)
    except OSError as error:
        which = f" ({error.filename})" if isinstance(error.filename, str) else ""
        raise ArchiveError(f"{where} cannot be packed: {error.strerror or error}{which}") from error


@dataclass(frozen=True)
class _Walk:
    calls: FolderCalls[Any]
    top: Any
    where: str
    names: MemberNames
    meter: Meter
    limits: Limits

    def below(self, folder: Any, parts: Parts) -> Iterator[Source]:
        for name in sorted(self.calls.names(folder)):
            here = member_parts(self.where, "/".join((*parts, name)), self.limits.max_depth)
            status = self.calls.look(folder, name)
            if status is None:
                raise self._fault(here, "vanished while it was packed")
            self.names.add(here, folder=stat.S_ISDIR(status.st_mode))
            self.meter.add(0 if stat.S_ISDIR(status.st_mode) else status.st_size)
            if stat.S_ISDIR(status.st_mode):
                yield from self._folder(folder, here, status)
            elif stat.S_ISLNK(status.st_mode):
                yield from self._file(here, self._linked(here))
            elif stat.S_ISREG(status.st_mode):
                yield from self._file(here, self.calls.read(folder, name))
            else:
                raise self._fault(here, "is neither a file nor a folder")

    def _folder(self, above: Any, parts: Parts, status: os.stat_result) -> Iterator[Source]:
        inner = self.calls.enter(above, parts[-1])
        try:
            empty = not self.calls.names(inner)
            if empty:
                yield Source("/".join(parts), status, None)
            yield from self.below(inner, parts)
        finally:
            self.calls.leave(inner)

    def _file(self, parts: Parts, file: int) -> Iterator[Source]:
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise self._fault(parts, "is not a file")
            yield Source("/".join(parts), status, file)
        finally:
            os.close(file)

    def _linked(self, link: Parts) -> int:
        """Open what a link leads to, name by name from the top: never through another link."""
        target = link
        for _ in range(_LINKS):
            with_folder = self._enter(target[:-1], link)
            try:
                status = self.calls.look(with_folder, target[-1])
                if status is None or stat.S_ISDIR(status.st_mode):
                    raise self._fault(link, f"is a link to {'/'.join(target)!r}, which is no file")
                if not stat.S_ISLNK(status.st_mode):
                    return self.calls.read(with_folder, target[-1])
                leads = self.calls.target(with_folder, target[-1])
            finally:
                self.calls.leave(with_folder)
            target = self._inside(link, target[:-1], leads)
        raise self._fault(link, "is a link that leads to links only")

    def _enter(self, parts: Parts, link: Parts) -> Any:
        folder = self.calls.enter(self.top, ".")
        for name in parts:
            try:
                inner = self.calls.enter(folder, name)
            except OSError as error:
                raise self._fault(link, "is a link through another link, or to nothing") from error
            finally:
                self.calls.leave(folder)
            folder = inner
        return folder

    def _inside(self, link: Parts, folder: Parts, leads: str) -> Parts:
        path = PurePosixPath(leads)
        parts = list(folder)
        for name in path.parts:
            if name == "/" or (name == ".." and not parts):
                raise self._fault(link, f"is a link out of the folder, to {leads!r}; copy it first")
            if name == "..":
                parts.pop()
            else:
                parts.append(name)
        if not parts:
            raise self._fault(link, "is a link to a folder; copy it first")
        return tuple(parts)

    def _fault(self, parts: Parts, why: str) -> ArchiveError:
        return ArchiveError(f"{self.where} cannot be packed: {'/'.join(parts)!r} {why}.")
