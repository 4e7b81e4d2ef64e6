"""Another branch checked out, or the current one brought forward; nothing is ever lost."""

from __future__ import annotations

from pathlib import Path

from sinara.errors import RepositoryError
from sinara.repository.addresses import check_branch
from sinara.repository.call import git, reason, run

_SECONDS = 120.0


def switch(folder: Path, branch: str, create: bool = False) -> None:
    """Check out a branch; one that only the remote has is made to follow it.

    Git keeps changes that do not touch what differs between the branches, and refuses where
    one would be overwritten.

    Args:
        folder: A folder of the repository.
        branch: Its name.
        create: Make it, at the commit that is checked out, if it is not there.

    Raises:
        BadNameError: If that is no name of a branch.
        RepositoryError: If it is not there, or changed files stand in the way; nothing changed.
    """
    check_branch(branch)
    make = create and not _is_there(folder, branch)
    options = ("--no-guess", "--create", branch) if make else ("--guess", branch)
    done = run(
        folder, "switch", "--quiet", *options,
        seconds=_SECONDS, config=(("checkout.defaultRemote", "origin"),),
    )  # fmt: skip
    if done.code != 0:
        raise RepositoryError(f"{folder}: {_problem(done.err, branch) or reason(done)}")


def _is_there(folder: Path, branch: str) -> bool:
    found = git(
        folder, "for-each-ref", "--format=%(refname)",
        f"refs/heads/{branch}", f"refs/remotes/*/{branch}",
    )  # fmt: skip
    return bool(found)


def forward(folder: Path) -> str | None:
    """Bring the current branch forward to the remote branch it follows, as it was fetched.

    Returns:
        The new commit, or ``None`` if there was nothing new.

    Raises:
        RepositoryError: If both have commits that the other lacks, or a changed file stands in
            the way; nothing changed.
    """
    before = git(folder, "rev-parse", "HEAD")
    done = run(folder, "merge", "--quiet", "--ff-only", "@{upstream}", seconds=_SECONDS)
    if done.code != 0:
        raise RepositoryError(f"{folder}: {_problem(done.err, '') or reason(done)}")
    after = git(folder, "rev-parse", "HEAD")
    return after if after != before else None


def _problem(said: str, branch: str) -> str:
    if "would be overwritten" in said:
        files = [line.strip() for line in said.splitlines() if line.startswith("\t")]
        shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
        return f"your changes would be overwritten: {shown}. Commit or stash them first."
    if "invalid reference" in said:
        return f"there is no branch '{branch}'. Make it: add --create."
    return ""
