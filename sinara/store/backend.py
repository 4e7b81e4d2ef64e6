"""What a store needs of a place: two implementations, :mod:`.local` and :mod:`.objects`.

All paths are relative to the folder of one step. A backend knows nothing of entities,
commits or manifests; it knows how to create a small file once, how to replace one
atomically, how to hold a run folder, and how to read, hash and freeze what others wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Literal, Protocol

from sinara.store.trees import Seen

HolderState = Literal["held", "free", "unknown"]


class Hold(Protocol):
    """A run folder that this process has claimed."""

    def is_ours(self) -> bool:
        """Return whether the claim in the run folder is still the one that was made."""

    def release(self) -> None:
        """Let go; whether the folder is kept is for recovery to say."""


class Backend(Protocol):
    """The contract of a place."""

    folder: str  # path or URL of the step's folder
    remote: bool

    # -- small files -----------------------------------------------------------------------
    def read(self, path: str) -> bytes:
        """Return what a file holds; FileNotFoundError if it is not there."""

    def exists(self, path: str) -> bool:
        """Return whether a file is there."""

    def create(self, path: str, data: bytes) -> bool:
        """Create a file whole and durable, unless one is there; return whether it did."""

    def replace(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Write a file whole, in place of one that may be there."""

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens if it is not there."""

    def names(self, path: str) -> list[str]:
        """Return the names of the files and folders in a folder; none if there is no folder."""

    def make_folder(self, path: str) -> str:
        """Make a folder, if the place knows folders, and return where it is."""

    def last_change(self, path: str) -> float | None:
        """Return when something directly in a folder last changed: seconds since 1970."""

    # -- run folders -----------------------------------------------------------------------
    def claim(self, run_id: str, body: bytes) -> Hold:
        """Make a run folder with its claim in it; FileExistsError if it is taken."""

    def take_over(self, run_id: str, body: bytes) -> Hold:
        """Put a claim into a run folder that has none; FileExistsError if it has one."""

    def join(self, run_id: str) -> Hold:
        """Hold a draft's folder together with other processes."""

    def share(self, run_id: str) -> Hold | None:
        """Hold the folder of a run that is over together with others; None if it goes on still."""

    def holder(self, run_id: str) -> HolderState:
        """Return whether some process holds a run folder, as far as locks tell."""

    def retire(self, run_id: str) -> bool:
        """Take an unheld run folder out of sight; False if it is held."""

    def purge(self) -> None:
        """Make durable that folders are out of sight, then delete them."""

    def sweep(self, grace: float) -> None:
        """Delete temporary files of processes that are gone."""

    def locked(self, run_id: str) -> AbstractContextManager[None]:
        """Keep others from taking a snapshot of the same draft for the moment."""

    # -- data ------------------------------------------------------------------------------
    def scan(self, path: str) -> list[Seen]:
        """Return all that lies below a folder; FileNotFoundError if nothing does."""

    def open_data(self, path: str) -> IO[bytes]:
        """Open a data file for reading, following no link."""

    def digest(self, folder: str, paths: Sequence[str], *, sync: bool) -> dict[str, str]:
        """Return the SHA-256 of files, by path; with ``sync`` they are made durable, too."""

    def sync_folders(self, paths: Iterable[str]) -> None:
        """Make the names in folders, and in those below them, durable."""

    def sync_folders_alone(self, paths: Iterable[str]) -> None:
        """Make the names in folders durable; "" is the step's folder."""

    def clear(self, path: str) -> None:
        """Delete a file, or a folder and all in it."""

    def discard(self, path: str) -> None:
        """Delete what lies at a path inside a run, and what an :meth:`adopt` of it left beside."""

    def put_data(self, path: str, content: bytes | Path) -> None:
        """Write a data file, in place of one that may be there."""

    def remove_litter(self, folder: str, files: Sequence[str], folders: Sequence[str]) -> None:
        """Remove files, then folders that are empty."""

    def adopt(self, folder: str, name: str) -> None:
        """Turn the lone file at ``folder`` into the folder ``folder`` that holds it as ``name``."""

    def readopt(self, folder: str) -> None:
        """Finish an :meth:`adopt` that was cut off."""

    def freeze(self, path: str) -> None:
        """Make a folder and all in it read-only, where that means something."""

    def mark(self, path: str) -> None:
        """Write an empty file, also into a folder that was made read-only."""

    def copy_data(self, source: str, target: str) -> str | None:
        """Copy a data file; return its SHA-256 if that came for free."""

    def share_data(self, source: str, target: str) -> bool:
        """Give a published file a second place at no cost; return whether that could be done."""
