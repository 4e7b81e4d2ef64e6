"""What an object store can do, and fsspec as one: the calls that go over the network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

from sinara.errors import MissingExtraError, SettingsError


@dataclass(frozen=True)
class Blob:
    """One object, as a listing shows it."""

    key: str
    size: int
    mark: str  # changes when the content does: ETag, or time
    modified: float  # seconds since 1970


class Blobs(Protocol):
    """An object store. Any call may raise ``OSError`` and may have been done all the same."""

    def create(self, key: str, data: bytes) -> bool:
        """Put an object unless one is there; return whether this call did."""

    def put(self, key: str, data: bytes) -> None:
        """Put an object in place of one that may be there."""

    def upload(self, key: str, source: Path) -> None:
        """Put a local file."""

    def get(self, key: str) -> bytes:
        """Return an object; FileNotFoundError if it is not there."""

    def exists(self, key: str) -> bool:
        """Return whether an object is there, or one below it."""

    def children(self, key: str) -> list[str]:
        """Return the names of objects and folders directly below a key."""

    def below(self, key: str) -> list[Blob]:
        """Return the object with that key, and all below it."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; nothing happens to those that are not there."""

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside the store."""

    def open(self, key: str) -> IO[bytes]:
        """Open an object for reading."""


class FsspecBlobs:
    """:class:`Blobs` over a file system of fsspec that can put only if absent.

    Source:
        ``pipe_file(mode="create")`` of fsspec; s3fs sends ``If-None-Match: *``, and S3
        answers 412 if the object is there:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    def __init__(self, root: str, options: Mapping[str, Any]) -> None:
        self._fs, self._base = _file_system(root, options)

    def create(self, key: str, data: bytes) -> bool:
        """Put an object unless one is there."""
        try:
            with _network():
                self._fs.pipe_file(self._at(key), data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if _is_taken(error):
                return False
            raise
        return True

    def put(self, key: str, data: bytes) -> None:
        """Put an object."""
        with _network():
            self._fs.pipe_file(self._at(key), data)

    def upload(self, key: str, source: Path) -> None:
        """Put a local file."""
        with _network():
            self._fs.put_file(str(source), self._at(key))

    def get(self, key: str) -> bytes:
        """Return an object."""
        with _network():
            return bytes(self._fs.cat_file(self._at(key)))

    def exists(self, key: str) -> bool:
        """Return whether an object is there, or one below it."""
        with _network():
            return bool(self._fs.exists(self._at(key)))

    def children(self, key: str) -> list[str]:
        """Return the names directly below a key."""
        with _network():
            try:
                found = self._fs.ls(self._at(key), detail=False)
            except FileNotFoundError:
                return []
        at = self._at(key)
        below = (path.strip("/").removeprefix(at).strip("/") for path in found)
        return sorted({name for name in below if name})

    def below(self, key: str) -> list[Blob]:
        """Return all objects from a key downwards."""
        at = self._at(key)
        with _network():
            found = self._fs.find(at, detail=True)
        skip = len(self._base) + 1 if self._base else 0
        blobs = ((path.lstrip("/")[skip:], info) for path, info in found.items())
        return [_blob(path, info) for path, info in blobs if not path.endswith("/")]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        for key in keys:
            with _network(), contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._at(key))

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside the store."""
        with _network():
            self._fs.cp_file(self._at(source), self._at(target))

    def open(self, key: str) -> IO[bytes]:
        """Open an object for reading."""
        with _network():
            file: IO[bytes] = self._fs.open(self._at(key), "rb")
            return file

    def _at(self, key: str) -> str:
        return f"{self._base}/{key}".strip("/") if key else self._base


def _blob(key: str, info: Mapping[str, Any]) -> Blob:
    changed = info.get("LastModified") or info.get("modified") or info.get("created")
    moment = changed.timestamp() if isinstance(changed, datetime) else float(changed or 0)
    mark = str(info.get("ETag") or info.get("etag") or moment)
    return Blob(key, int(info.get("size") or 0), mark, moment)


def _file_system(root: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    import fsspec

    try:
        file_system, base = fsspec.core.url_to_fs(root, use_listings_cache=False, **options)
    except ImportError as error:
        extra = root.partition("://")[0]
        raise MissingExtraError.for_extra(f"fsspec's support for {extra}://", extra) from error
    except ValueError as error:
        raise SettingsError(f"Root '{root}' cannot be used: {error}") from error
    return file_system, base.strip("/")


@contextlib.contextmanager
def _network() -> Iterator[None]:
    """Turn whatever a driver of fsspec raises into an ``OSError`` with its text."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # drivers raise classes of the libraries below them
        raise OSError(f"{type(error).__name__}: {error}") from error


def _is_taken(error: OSError) -> bool:
    """Return whether an error is the answer 412, also of stores that name no condition."""
    response = getattr(error.__cause__, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code in ("PreconditionFailed", "412")
