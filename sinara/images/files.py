"""The files of an image that lies on a disk: in a folder, or in one tar; neither is trusted."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from sinara.errors import ImageError
from sinara.extract import Limits
from sinara.extract.limits import Meter
from sinara.extract.tars import ForwardReader, members_of, plain, reported
from sinara.images.manifest import MAX_DOCUMENT
from sinara.images.streams import PIECE
from sinara.names import shown

_MAX_LINK = 4096
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # no pipe may wait


class Files(Protocol):
    """Files by their path inside, ``/`` between folders.

    Attributes:
        where: What holds them, for messages.
    """

    where: str

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""

    def size(self, name: str) -> int:
        """Return how many bytes it holds; ImageError if it is not there."""

    def open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Give it for reading; ImageError if it is not there."""

    def close(self) -> None:
        """Let go of what was opened."""


def read_file(files: Files, name: str) -> bytes:
    """Return a small file: a manifest or a configuration.

    Raises:
        ImageError: If it is not there, cannot be read, or is larger than such a file can be.
    """
    if files.size(name) > MAX_DOCUMENT:
        raise ImageError(f"{files.where}: {shown(name)} is larger than {MAX_DOCUMENT >> 20} MiB.")
    with files.open(name) as file:
        return file.read(MAX_DOCUMENT)


class FolderFiles:
    """The files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder

    def has(self, name: str) -> bool:
        """See ``Files.has``."""
        return (self._folder / name).is_file()

    def size(self, name: str) -> int:
        """See ``Files.size``."""
        with self.open(name) as file:
            return os.fstat(file.fileno()).st_size

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See ``Files.open``."""
        try:
            number = os.open(self._folder / name, _OPEN)
        except OSError as error:
            raise _absent(self.where, name, error) from None
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise ImageError(f"{self.where}: {shown(name)} is no file.")
            yield file

    def close(self) -> None:
        """Nothing is open."""


class TarFiles:
    """The files of a tar, plain or compressed. Close it.

    It is read once for its list; a compressed one is unpacked into a file that has no name.

    Raises:
        ImageError: If it cannot be read.
        ArchiveError: If it is damaged or hostile.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.where = str(path)
        self._at: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror or error}") from None
        try:
            self._list(limits or Limits())
        except BaseException:
            self._file.close()
            raise

    def has(self, name: str) -> bool:
        """See ``Files.has``."""
        return self._real(name) in self._at

    def size(self, name: str) -> int:
        """See ``Files.size``."""
        return self._found(name)[1]

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See ``Files.open``."""
        start, size = self._found(name)
        yield io.BufferedReader(_Part(self._file, start, size), PIECE)

    def close(self) -> None:
        """See ``Files.close``."""
        self._file.close()

    def _found(self, name: str) -> tuple[int, int]:
        try:
            return self._at[self._real(name)]
        except KeyError:
            raise _absent(self.where, name, FileNotFoundError(2, "it is not there")) from None

    def _real(self, name: str) -> str:
        # Older docker and podman put a layer that two images share there as a link.
        return self._links.get(name, name) if name not in self._at else name

    def _list(self, limits: Limits) -> None:
        meter = Meter(f"Archive {self.where}", os.fstat(self._file.fileno()).st_size, limits)
        with reported(meter.where):
            self._unpacked(meter)
            source = ForwardReader(self._file, meter)
            with tarfile.open(fileobj=source, mode="r:", errors="surrogateescape") as tar:  # type: ignore[call-overload]
                for member in members_of(tar, source):
                    meter.add(0)
                    name = _clean(member.name)
                    if member.isreg() and member.sparse is None:
                        self._at[name] = (member.offset_data, member.size)
                        source.skip(member.offset_data + member.size - source.tell())
                    elif member.issym() and len(member.linkname) < _MAX_LINK:
                        above = os.path.dirname(name)  # noqa: PTH120 (a path in the archive)
                        self._links[name] = os.path.normpath(f"{above}/{member.linkname}")

    def _unpacked(self, meter: Meter) -> None:
        """Replace a compressed file by what is in it."""
        stream = plain(self._file)
        if stream is self._file:
            return
        unpacked, size = tempfile.TemporaryFile(), 0  # noqa: SIM115 (it lives as long as this)
        try:
            while piece := stream.read(PIECE):
                size += len(piece)
                meter.check_ratio(size)
                unpacked.write(piece)
            unpacked.seek(0)
        except BaseException:
            unpacked.close()
            raise
        self._file.close()
        self._file = unpacked


class _Part(io.RawIOBase):
    """Some bytes in the middle of a file; several may be read at once."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._position = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._position)
        piece = self._file.read(min(len(buffer), self._end - self._position))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _clean(name: str) -> str:
    return name.removeprefix("./").rstrip("/")


def _absent(where: str, name: str, error: OSError) -> ImageError:
    return ImageError(
        f"{where} is no whole image: {shown(name)} cannot be read: {error.strerror or error}"
    )
