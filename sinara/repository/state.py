"""How a repository stands, in one call of git: branch, distance to the remote, changed files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sinara.errors import RepositoryError
from sinara.repository.call import NO_GIT, Done, reason, run
from sinara.repository.guard import READING_OPTIONS, reading

_STATUS = (
    *("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"),
    *("--ignore-submodules=dirty", "--no-renames", "--ahead-behind", "--", "."),
)
_FIELDS = {"1": 8, "u": 10, "?": 1}  # words before the path of a changed file


@dataclass(frozen=True)
class RepositoryState:
    """How a repository stood when git was asked.

    Attributes:
        commit: What is checked out; ``None``: nothing is committed yet.
        branch: The branch; ``None``: a commit is checked out by itself (detached).
        upstream: The remote branch that it follows, as ``origin/main``.
        ahead: Commits that the remote branch lacks, as of the last fetch; ``None``: there is no
            such branch, or it was never fetched.
        behind: Commits that are only there.
        dirty: Files below the folder that differ from the commit, untracked ones too, sorted.
        conflicts: Those of them that a merge left in conflict.
    """

    commit: str | None
    branch: str | None
    upstream: str | None = None
    ahead: int | None = None
    behind: int | None = None
    dirty: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def read_state(folder: Path) -> RepositoryState | None:
    """Return how the repository around ``folder`` stands, or ``None`` outside of any.

    Nothing that the repository brings along is run, and nothing is written:
    see :mod:`sinara.repository.guard`.

    Raises:
        RepositoryError: If git cannot read it, in one line.
    """
    done = run(folder, *READING_OPTIONS, *_STATUS, **reading(folder))
    if done.code == 0:
        return _read(done.out)
    if "not a git repository" in done.err:
        return None
    if shutil.which("git") is None:
        raise RepositoryError(NO_GIT)
    raise RepositoryError(f"{folder}: git cannot read this repository: {_why(done)}")


def _why(done: Done) -> str:
    said = reason(done)
    if "dubious ownership" in said:
        return f"{said}. If you trust it: git config --global --add safe.directory FOLDER"
    return said


def _read(out: str) -> RepositoryState:
    heads: dict[str, str] = {}
    dirty: list[str] = []
    conflicts: list[str] = []
    for entry in out.split("\0"):
        kind = entry[:1]
        if kind == "#":
            _, name, value = entry.split(" ", 2)
            heads[name] = value
        elif kind in _FIELDS:
            path = entry.split(" ", _FIELDS[kind])[-1]
            dirty.append(path)
            if kind == "u":
                conflicts.append(path)
    oid, branch = heads.get("branch.oid", "(initial)"), heads.get("branch.head", "(detached)")
    ahead, _, behind = heads.get("branch.ab", "").partition(" ")
    return RepositoryState(
        commit=None if oid == "(initial)" else oid,
        branch=None if branch == "(detached)" else branch,
        upstream=heads.get("branch.upstream"),
        ahead=int(ahead) if ahead else None,
        behind=-int(behind) if behind else None,
        dirty=tuple(sorted(dirty)),
        conflicts=tuple(sorted(conflicts)),
    )
