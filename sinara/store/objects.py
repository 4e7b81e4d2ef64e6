"""A step's folder on an object store: S3 and what speaks like it.

There are no folders, locks or renames there. A put that succeeds only if the object is
absent is all that safety rests on; a store that cannot do that is refused. A call that
timed out may have been done, so every call is one that can be made again, and a put that
finds its object taken looks whether the one that is there is its own.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from sinara.errors import StoreError
from sinara.store import layout
from sinara.store.backend import HolderState
from sinara.store.blobs import Blob, Blobs, FsspecBlobs
from sinara.store.paths import map_each
from sinara.store.trees import Seen
from sinara.store.world import World

T = TypeVar("T")
_TRIES = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0  # s
_CHUNK = 8 << 20
_SURE = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)


class ObjectHold:
    """A claim is the object itself: the writer compares its token before it publishes."""

    def is_ours(self) -> bool:
        """Return True: there is no lock that could be lost."""
        return True

    def release(self) -> None:
        """Nothing is held."""


def object_backends(
    root: str, options: Mapping[str, Any], world: World, blobs: Blobs | None = None
) -> Callable[[str], ObjectBackend]:
    """Return what makes the backend of a step; the network is first used by the first call."""
    probed: set[str] = set()
    made: list[Blobs] = [blobs] if blobs is not None else []

    def backend(step: str) -> ObjectBackend:
        if not made:
            made.append(FsspecBlobs(root, options))
        return ObjectBackend(root, step, made[0], world, probed)

    return backend


class ObjectBackend:
    """:class:`~sinara.store.backend.Backend` over :class:`~sinara.store.blobs.Blobs`."""

    remote = True

    def __init__(self, root: str, step: str, blobs: Blobs, world: World, probed: set[str]) -> None:
        self.folder = f"{root}/{step}"
        self._root = root
        self._step = step
        self._blobs = blobs
        self._world = world
        self._probed = probed

    # -- small files -----------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        """Return what an object holds."""
        return self._again(lambda: self._blobs.get(self._at(path)))

    def exists(self, path: str) -> bool:
        """Return whether an object is there, or one below it."""
        return self._again(lambda: self._blobs.exists(self._at(path)))

    def create(self, path: str, data: bytes) -> bool:
        """Put if absent; a taken object that holds the very same bytes is our earlier try."""
        return self._create(self._at(path), data)

    def _create(self, key: str, data: bytes) -> bool:
        if self._again(lambda: self._blobs.create(key, data)):
            return True
        with contextlib.suppress(FileNotFoundError):
            return self._again(lambda: self._blobs.get(key)) == data
        return False

    def replace(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Put."""
        del durable
        self._again(lambda: self._blobs.put(self._at(path), data))

    def remove(self, path: str) -> None:
        """Delete."""
        self._again(lambda: self._blobs.delete([self._at(path)]))

    def names(self, path: str) -> list[str]:
        """Return the names below a path."""
        return self._again(lambda: self._blobs.children(self._at(path)))

    def make_folder(self, path: str) -> str:
        """Return the URL: there are no folders to make."""
        return f"{self.folder}/{path}"

    def last_change(self, path: str) -> float | None:
        """Return the newest change of all below a path."""
        return max((blob.modified for blob in self._below(path)), default=None)

    # -- run folders -----------------------------------------------------------------------

    def claim(self, run_id: str, body: bytes) -> ObjectHold:
        """Create the claim, which carries a token of its own."""
        self._probe()
        if not self.create(layout.claim(run_id), body):
            raise FileExistsError(f"{self.folder}/{run_id} is taken")
        return ObjectHold()

    def _probe(self) -> None:
        """Refuse a store that overwrites where it should refuse: two writers would both win."""
        if self._root in self._probed:
            return
        key = f"_probe/{self._world.nonce()}"
        try:
            first, second = (self._create(key, word) for word in (b"first", b"second"))
        finally:
            self._again(lambda: self._blobs.delete([key]))
        if not first or second:
            raise StoreError(
                f"{self._root} cannot put an object only if it is absent (If-None-Match), "
                "so two runs could publish at once. Use a store that can, or a local folder."
            )
        self._probed.add(self._root)

    def take_over(self, run_id: str, body: bytes) -> ObjectHold:
        """Create the claim: objects beside it are no obstacle."""
        return self.claim(run_id, body)

    def join(self, run_id: str) -> ObjectHold:
        """Go on with a draft."""
        if not self.exists(layout.claim(run_id)):
            raise FileNotFoundError(f"{self.folder}/{layout.claim(run_id)}")
        return ObjectHold()

    def share(self, run_id: str) -> ObjectHold | None:
        """Nothing holds a folder here."""
        return self.join(run_id)

    def holder(self, run_id: str) -> HolderState:
        """No lock tells."""
        del run_id
        return "unknown"

    def retire(self, run_id: str) -> bool:
        """Delete everything, marks first and the claim last, so that it can be gone on with."""
        keys = [blob.key for blob in self._below(run_id)]
        claim = self._at(layout.claim(run_id))
        marks = [key for key in keys if key.rpartition("/")[2] in (layout.SUCCESS, layout.COMMIT)]
        rest = [key for key in keys if key not in marks and key != claim]
        self._again(lambda: self._blobs.delete([*marks, *rest]))
        self._again(lambda: self._blobs.delete([claim]))
        return True

    def purge(self) -> None:
        """Nothing is moved out of sight: it is deleted."""

    def sweep(self, grace: float) -> None:
        """Nothing is written beside."""

    @contextlib.contextmanager
    def locked(self, run_id: str) -> Iterator[None]:
        """Two snapshots at once are two snapshots, both whole."""
        del run_id
        yield

    # -- data ------------------------------------------------------------------------------

    def scan(self, path: str) -> list[Seen]:
        """Return all objects below a path, or the one at it."""
        found = self._below(path)
        if not found:
            raise FileNotFoundError(f"{self.folder}/{path}")
        skip = len(self._at(path)) + 1
        return [
            Seen(blob.key[skip:], "file", blob.size, (blob.mark, blob.size), 1, 0) for blob in found
        ]

    def _below(self, path: str) -> list[Blob]:
        return self._again(lambda: self._blobs.below(self._at(path)))

    def open_data(self, path: str) -> IO[bytes]:
        """Open an object."""
        return self._again(lambda: self._blobs.open(self._at(path)))

    def digest(self, folder: str, paths: Sequence[str], *, sync: bool) -> dict[str, str]:
        """Read and hash objects, four at once."""
        del sync

        def one(path: str) -> str:
            return self._again(lambda: self._digest(f"{folder}/{path}"))

        return dict(zip(paths, map_each(4, one, paths), strict=True))

    def _digest(self, path: str) -> str:
        digest = hashlib.sha256()
        with self._blobs.open(self._at(path)) as file:
            while data := file.read(_CHUNK):
                digest.update(data)
        return digest.hexdigest()

    def sync_folders(self, paths: Iterable[str]) -> None:
        """An object that was put is durable."""

    def sync_folders_alone(self, paths: Iterable[str]) -> None:
        """An object that was put is durable."""

    def clear(self, path: str) -> None:
        """Delete all objects below a path, and the one at it."""
        keys = [blob.key for blob in self._below(path)]
        self._again(lambda: self._blobs.delete(keys))

    def discard(self, path: str) -> None:
        """Delete all objects below a path, and the one at it."""
        self.clear(path)

    def put_data(self, path: str, content: bytes | Path) -> None:
        """Put an object."""
        if isinstance(content, bytes):
            self.replace(path, content)
        else:
            self._again(lambda: self._blobs.upload(self._at(path), content))

    def remove_litter(self, folder: str, files: Sequence[str], folders: Sequence[str]) -> None:
        """Delete objects."""
        del folders
        self._again(lambda: self._blobs.delete([self._at(f"{folder}/{path}") for path in files]))

    def adopt(self, folder: str, name: str) -> None:
        """Copy, then delete."""
        key = self._at(folder)
        self._again(lambda: self._blobs.copy(key, f"{key}/{name}"))
        self._again(lambda: self._blobs.delete([key]))

    def readopt(self, folder: str) -> None:
        """An adoption that was cut off left the lone object: it is adopted again."""

    def freeze(self, path: str) -> None:
        """Objects have no modes; versions and policies of a bucket are its owner's."""

    def mark(self, path: str) -> None:
        """Put an empty object."""
        self.replace(path, b"")

    def copy_data(self, source: str, target: str) -> str | None:
        """Copy inside the store."""
        self._again(lambda: self._blobs.copy(self._at(source), self._at(target)))
        return None

    def share_data(self, source: str, target: str) -> bool:
        """Copy inside the store: nothing passes the network, and the content is known."""
        with contextlib.suppress(FileNotFoundError):
            self.copy_data(source, target)
            return True
        return False

    # -- helpers ---------------------------------------------------------------------------

    def _at(self, path: str) -> str:
        return "/".join(part for part in (self._step, path) if part)

    def _again(self, call: Callable[[], T]) -> T:
        """Call, and call again after errors that may pass, ever more slowly."""
        wait = _FIRST_WAIT
        for _ in range(_TRIES - 1):
            try:
                return call()
            except _SURE:
                raise
            except OSError:
                jitter = 0.5 + self._world.entropy(1)[0] / 256
                self._world.sleep(min(wait, _LONGEST_WAIT) * jitter)
                wait *= 2
        return call()
