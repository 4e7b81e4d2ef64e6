"""The repository of a step: its state, its remote, and what that remote asks for."""

from __future__ import annotations

import os
from pathlib import Path

from sinara.errors import RepositoryError
from sinara.hosting import credentials_for
from sinara.repository import Credentials, RepositoryState, read_state
from sinara.repository.guard import follow, read_settings, remote_addresses

NO_REPOSITORY = "not a repository of its own: git init in it, or clone it"
DETACHED = "no branch is checked out (detached): git switch BRANCH in it"
EMPTY = "nothing is committed yet: git commit in it"


def own_state(folder: Path) -> RepositoryState:
    """Return how the step's own repository stands.

    Raises:
        RepositoryError: If the step has none of its own: one further up is not the step's.
    """
    state = read_state(folder) if os.path.lexists(folder / ".git") else None
    if state is None:
        raise RepositoryError(NO_REPOSITORY)
    return state


def on_a_branch(state: RepositoryState) -> str:
    """Return the branch that is checked out.

    Raises:
        RepositoryError: If there is none, or no commit on it.
    """
    if state.branch is None:
        raise RepositoryError(DETACHED)
    if state.commit is None:
        raise RepositoryError(EMPTY)
    return state.branch


def remote_of(folder: Path, branch: str | None) -> tuple[str, str] | None:
    """Return name and address of the remote that a branch follows, or ``None``."""
    settings = read_settings(folder)
    remote = follow(settings, branch)
    return (remote, remote_addresses(settings)[remote]) if remote else None


def token_for(address: str) -> Credentials | None:
    """Return the token that the environment holds for a remote; git asks its helper otherwise."""
    return credentials_for(address, os.environ)


def changed(state: RepositoryState) -> str:
    """Return ``1 changed file``, ``2 changed files``."""
    count = len(state.dirty)
    return f"{count} changed file" + ("" if count == 1 else "s")


def commits(count: int, kind: str = "") -> str:
    """Return ``1 commit``, ``2 new commits``."""
    return f"{count} {kind}commit" + ("" if count == 1 else "s")
