"""The step's Git repository as a run needs it: its commit, a clean tree, the tag of a run."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sinara.errors import RepositoryError
from sinara.record import CodeRecord
from sinara.repository.addresses import without_credentials
from sinara.repository.call import NO_GIT, git, reason, run, try_git
from sinara.repository.guard import follow, read_settings, remote_addresses
from sinara.repository.state import read_state

PUSH_SECONDS = 60
_SOMEONE = (("user.name", "sinara"), ("user.email", "sinara@localhost"))


@dataclass(frozen=True)
class TagResult:
    """What became of the tag of a run."""

    tag: str
    commit: str
    remote: str | None = None  # the remote it was pushed to
    problem: str = ""  # why it was not pushed, in one line


def find_repository(folder: Path) -> Path | None:
    """Return the top of the Git working tree that holds ``folder``, or ``None``."""
    top = try_git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else None


def read_code(folder: Path) -> CodeRecord:
    """Return commit, branch, origin and changed files of the repository around ``folder``.

    Works without a commit, without a remote and outside any repository: what is not
    there is ``None``. User names and tokens in the remote's address are left out.
    """
    try:
        state = read_state(folder)
    except RepositoryError:
        state = None
    if state is None:
        return CodeRecord()
    settings = read_settings(folder)
    remote, urls = follow(settings, state.branch), remote_addresses(settings)
    return CodeRecord(
        commit=state.commit,
        branch=state.branch,
        origin=without_credentials(urls[remote]) if remote else None,
        dirty=state.dirty,
    )


def changed_files(folder: Path) -> tuple[str, ...]:
    """Return the files below ``folder`` that differ from the last commit, untracked ones too.

    Raises:
        RepositoryError: If there is no repository, or git cannot read it.
    """
    state = read_state(folder)
    if state is None:
        raise RepositoryError(f"{folder}: this is no Git repository.")
    return state.dirty


def default_remote(folder: Path) -> str | None:
    """Return the remote that the current branch follows, else ``origin``, else the only one."""
    return follow(read_settings(folder), current_branch(folder))


def require_clean(folder: Path) -> None:
    """Refuse a working tree with changes, naming the files; nothing is touched.

    Raises:
        RepositoryError: If there is no repository, no commit, or a changed file.
    """
    if find_repository(folder) is None:
        if shutil.which("git") is None:
            raise RepositoryError(NO_GIT)
        raise RepositoryError(
            f"{folder}: this is no Git repository, and prod runs only what is committed. "
            "Make one (git init) and commit, or run python step.dev.py."
        )
    if not try_git(folder, "rev-parse", "--verify", "--quiet", "HEAD"):
        raise RepositoryError(
            f"{folder}: nothing is committed yet, and prod runs only what is. Commit first."
        )
    changed = changed_files(folder)
    if changed:
        shown = ", ".join(changed[:20]) + (
            f" and {len(changed) - 20} more" if len(changed) > 20 else ""
        )
        raise RepositoryError(
            f"{folder}: {len(changed)} changed file(s), and prod runs only what is committed: "
            f"{shown}. Commit or stash them, or run the commit in a clean worktree beside them: "
            'dirty = "worktree" in sinara.toml.'
        )


def current_branch(folder: Path) -> str | None:
    """Return the name of the checked-out branch, or ``None`` on a detached head."""
    return try_git(folder, "symbolic-ref", "--short", "--quiet", "HEAD") or None


@contextlib.contextmanager
def clean_worktree(folder: Path, commit: str = "HEAD") -> Iterator[Path]:
    """Give the step's folder as it is committed, in a scratch worktree that goes away.

    Args:
        folder: The step's folder.
        commit: Which commit; the one that is checked out by default.

    Raises:
        RepositoryError: If there is no such commit.
    """
    top = find_repository(folder)
    wanted = f"{commit}^{{commit}}"
    if top is None or not try_git(folder, "rev-parse", "--verify", "--quiet", wanted):
        require_clean(folder)
        which = "no commit to run" if commit == "HEAD" else f"no commit {commit}: fetch it first"
        raise RepositoryError(f"{folder}: there is {which}.")
    with tempfile.TemporaryDirectory(prefix="sinara-worktree-") as scratch:
        tree = Path(scratch) / top.name
        git(top, "worktree", "add", "--detach", "--quiet", "--", str(tree), commit)
        try:
            yield tree / folder.resolve().relative_to(top.resolve())
        finally:
            try_git(top, "worktree", "remove", "--force", "--", str(tree))
            try_git(top, "worktree", "prune")


def first_commit(folder: Path, message: str) -> None:
    """Make ``folder`` a Git repository with everything in it committed once.

    A person's own name is used if Git knows one; otherwise the commit is by ``sinara``.
    """
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    commit(folder, message)


def commit(folder: Path, message: str) -> None:
    """Commit what is staged, by the person's own name if Git knows one, else by ``sinara``.

    Raises:
        RepositoryError: If there is nothing to commit, or Git refuses.
    """
    call = ("commit", "--quiet", "--no-verify", f"--message={message}")
    # Git makes up a name from the machine's unless it is told not to.
    own = (("user.useConfigOnly", "true"), ("maintenance.auto", "false"), ("gc.auto", "0"))
    done = run(folder, *call, config=own)
    if done.code != 0 and ("Please tell me who you are" in done.err or "no email" in done.err):
        done = run(folder, *call, config=(*own, *_SOMEONE))
    if done.code != 0:
        raise RepositoryError(f"{folder}: git commit failed: {reason(done)}")


def tag_run(folder: Path, run_id: str, commit: str, message: str) -> TagResult:
    """Tag ``commit`` with ``run_id`` (annotated) and push the tag, if there is where to.

    Args:
        folder: A folder of the repository.
        run_id: The tag's name.
        commit: The commit that ran.
        message: The tag's message: the run's URL.

    Returns:
        What was done. A push that fails is told, not raised: the run is published.

    Raises:
        RepositoryError: If the tag exists on another commit, or Git cannot write it.
    """
    there = try_git(folder, "rev-parse", "--verify", "--quiet", f"refs/tags/{run_id}^{{commit}}")
    if there and there != commit:
        raise RepositoryError(
            f"{folder}: tag {run_id} stands on commit {there[:12]} already, not on {commit[:12]}."
        )
    if not there:
        known = try_git(folder, "config", "user.email") or os.environ.get("GIT_COMMITTER_EMAIL")
        git(
            folder, "tag", "--annotate", f"--message={message}", "--", run_id, commit,
            config=() if known else _SOMEONE,
        )  # fmt: skip
    remote = default_remote(folder)
    if remote is None:
        several = ", ".join((try_git(folder, "remote") or "").split())
        problem = f"Tag {run_id} is set here only: which of {several} to push to is not known. "
        advice = f"Push it: git push REMOTE {run_id}"
        return TagResult(run_id, commit, problem=problem + advice if several else "")
    try:
        git(folder, "push", "--quiet", "--", remote, f"refs/tags/{run_id}", seconds=PUSH_SECONDS)
    except RepositoryError as error:
        return TagResult(
            run_id,
            commit,
            problem=f"Tag {run_id} is set here but not on '{remote}': {error} "
            f"Push it later: git push {remote} {run_id}",
        )
    return TagResult(run_id, commit, remote=remote)
