"""Where a substep may read and write, as it has declared it: paths compared, nothing opened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from sinara.audit.watch import HOME

KERNEL_FOLDERS = "sinara-k-"  # in the folder for temporary files; see sinara.kernels.pool
_STEP_DEPTH = 3  # pipeline/zone/step below the root of an env


@dataclass(frozen=True)
class Places:
    """What a substep has declared, and what is a run's own business. All paths absolute.

    Attributes:
        step: The step's folder.
        read: Files and folders that it declares to read.
        write: Files and folders that it declares to write, and those of the run.
        roots: Local roots of envs, where the store keeps its own books beside the entities.
        own: Single files that belong to the run: the substep's notebook, ``sinara.toml``.
    """

    step: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    def may_read(self, path: str) -> bool:
        """Return whether reading ``path`` is declared, or the run's own."""
        return any(_beneath(one, self._readable) for one in {path, _real(path)}) or self._is_own(
            path
        )

    def may_write(self, path: str) -> bool:
        """Return whether writing ``path`` is declared, or the run's own."""
        return any(_beneath(one, self._writable) for one in {path, _real(path)}) or self._is_own(
            path
        )

    def shown(self, path: str) -> str:
        """Return ``path`` relative to the step's folder if it lies there."""
        step = self.step + os.sep
        return path[len(step) :] or "./" if path.startswith(step) else path

    @cached_property
    def _writable(self) -> tuple[str, ...]:
        home = str(Path.home())
        kernels = os.path.join(tempfile.gettempdir(), KERNEL_FOLDERS)  # noqa: PTH118
        ours = [os.path.join(home, part) for part in HOME]  # noqa: PTH118
        return (*_with_real((*self.write, *ours)), kernels)

    @cached_property
    def _readable(self) -> tuple[str, ...]:
        return (*_with_real(self.read), *self._writable)

    def _is_own(self, path: str) -> bool:
        return path in self.own or _real(path) in self.own or self._is_of_store(path)

    def _is_of_store(self, path: str) -> bool:
        """Return whether a path lies in the store and is no entity's: names with ``_``."""
        for root in _with_real(self.roots):
            if path.startswith(root + os.sep):
                parts = Path(path[len(root) + 1 :]).parts[_STEP_DEPTH : _STEP_DEPTH + 2]
                return any(part.startswith("_") for part in parts)
        return False


def absolute(path: str, base: str) -> str:
    """Return a declared path as an absolute one; an empty text if it is a URL.

    Args:
        path: As it is declared: relative to ``base``, or with ``~``.
        base: The folder in which the notebook runs.
    """
    path = path.removeprefix("file://")
    if "://" in path:
        return ""
    return os.path.normpath(os.path.join(base, os.path.expanduser(path)))  # noqa: PTH111, PTH118


def _beneath(path: str, roots: Iterable[str]) -> bool:
    """Return whether a path is one of ``roots`` or lies below; one may end within a name."""
    return any(
        path == root or path.startswith(root if root.endswith("-") else root + os.sep)
        for root in roots
    )


def _with_real(paths: Iterable[str]) -> tuple[str, ...]:
    both = (p for path in paths if path for p in (path.rstrip(os.sep), _real(path)))
    return tuple(dict.fromkeys(both))


@lru_cache(maxsize=4096)
def _real(path: str) -> str:
    return os.path.realpath(path)
