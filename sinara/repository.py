"""The step's Git repository: what is committed, what is not, and the tag of a run.

Git is called with an argument list, never through a shell. Calls that only read
switch off what a repository may bring along to be run (hooks, a file system
monitor, external diffs), so that looking at an untrusted step stays safe.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from sinara.errors import RepositoryError
from sinara.record import CodeRecord

_READ_ONLY = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "diff.external="),
    "--no-optional-locks",
)
PUSH_SECONDS = 60
_NO_GIT = "Git is not installed. Install it: apt-get install git, or see git-scm.com."


@dataclass(frozen=True)
class TagResult:
    """What became of the tag of a run."""

    tag: str
    commit: str
    remote: str | None = None  # the remote it was pushed to
    problem: str = ""  # why it was not pushed, in one line


def find_repository(folder: Path) -> Path | None:
    """Return the top of the Git working tree that holds ``folder``, or ``None``."""
    top = _try_git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else None


def read_code(folder: Path) -> CodeRecord:
    """Return commit, branch, origin and changed files of the repository around ``folder``.

    Works without a commit, without a remote and outside any repository: what is not
    there is ``None``. User names and tokens in the remote's address are left out.
    """
    if find_repository(folder) is None:
        return CodeRecord()
    remote = default_remote(folder)
    address = _try_git(folder, "remote", "get-url", "--", remote) if remote else None
    return CodeRecord(
        commit=_try_git(folder, "rev-parse", "--verify", "--quiet", "HEAD") or None,
        branch=_try_git(folder, "symbolic-ref", "--short", "--quiet", "HEAD") or None,
        origin=without_credentials(address) if address else None,
        dirty=changed_files(folder),
    )


def changed_files(folder: Path) -> tuple[str, ...]:
    """Return the files below ``folder`` that differ from the last commit, untracked ones too."""
    status = _git(
        folder, *_READ_ONLY, "status", "--porcelain=v1", "-z", "--untracked-files=all",
        "--ignore-submodules=dirty", "--no-renames", "--", ".",
    )  # fmt: skip
    return tuple(sorted(entry[3:] for entry in status.split("\0") if len(entry) > 3))


def default_remote(folder: Path) -> str | None:
    """Return the remote that the current branch follows, else ``origin``, else the only one."""
    remotes = (_try_git(folder, "remote") or "").split()
    branch = _try_git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    followed = _try_git(folder, "config", "--get", f"branch.{branch}.remote") if branch else None
    for candidate in (followed, "origin"):
        if candidate and candidate in remotes:
            return candidate
    return remotes[0] if len(remotes) == 1 else None


def without_credentials(address: str) -> str:
    """Return a remote's address without the user name, the token and the query in it."""
    parts = urlsplit(address)
    if not parts.scheme or not parts.hostname:
        return address.rpartition("@")[2] if "://" in address else address
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def require_clean(folder: Path) -> None:
    """Refuse a working tree with changes, naming the files; nothing is touched.

    Raises:
        RepositoryError: If there is no repository, no commit, or a changed file.
    """
    if find_repository(folder) is None:
        if shutil.which("git") is None:
            raise RepositoryError(_NO_GIT)
        raise RepositoryError(
            f"{folder}: this is no Git repository, and prod runs only what is committed. "
            "Make one (git init) and commit, or run python step.dev.py."
        )
    if not _try_git(folder, "rev-parse", "--verify", "--quiet", "HEAD"):
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
    return _try_git(folder, "symbolic-ref", "--short", "--quiet", "HEAD") or None


@contextlib.contextmanager
def clean_worktree(folder: Path) -> Iterator[Path]:
    """Give the step's folder as it is committed, in a scratch worktree that goes away."""
    top = find_repository(folder)
    if top is None or not _try_git(folder, "rev-parse", "--verify", "--quiet", "HEAD"):
        require_clean(folder)
        raise RepositoryError(f"{folder}: there is no commit to run.")
    with tempfile.TemporaryDirectory(prefix="sinara-worktree-") as scratch:
        tree = Path(scratch) / top.name
        _git(top, "worktree", "add", "--detach", "--quiet", "--", str(tree), "HEAD")
        try:
            yield tree / folder.resolve().relative_to(top.resolve())
        finally:
            _try_git(top, "worktree", "remove", "--force", "--", str(tree))
            _try_git(top, "worktree", "prune")


def first_commit(folder: Path, message: str) -> None:
    """Make ``folder`` a Git repository with everything in it committed once.

    A person's own name is used if Git knows one; otherwise the commit is by ``sinara``.
    """
    _git(folder, "init", "--quiet", "--initial-branch=main")
    known = _try_git(folder, "config", "user.email") and _try_git(folder, "config", "user.name")
    someone = () if known else ("-c", "user.name=sinara", "-c", "user.email=sinara@localhost")
    _git(folder, "add", "--all")
    _git(folder, *someone, "commit", "--quiet", "--no-verify", "-m", message)


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
    there = _try_git(folder, "rev-parse", "--verify", "--quiet", f"refs/tags/{run_id}^{{commit}}")
    if there and there != commit:
        raise RepositoryError(
            f"{folder}: tag {run_id} stands on commit {there[:12]} already, not on {commit[:12]}."
        )
    if not there:
        known = _try_git(folder, "config", "user.email") or os.environ.get("GIT_COMMITTER_EMAIL")
        someone = () if known else ("-c", "user.name=sinara", "-c", "user.email=sinara@localhost")
        _git(folder, *someone, "tag", "--annotate", "-m", message, "--", run_id, commit)
    remote = default_remote(folder)
    if remote is None:
        several = ", ".join((_try_git(folder, "remote") or "").split())
        problem = f"Tag {run_id} is set here only: which of {several} to push to is not known. "
        advice = f"Push it: git push REMOTE {run_id}"
        return TagResult(run_id, commit, problem=problem + advice if several else "")
    try:
        _git(folder, "push", "--quiet", "--", remote, f"refs/tags/{run_id}", seconds=PUSH_SECONDS)
    except RepositoryError as error:
        return TagResult(
            run_id,
            commit,
            problem=f"Tag {run_id} is set here but not on '{remote}': {error} "
            f"Push it later: git push {remote} {run_id}",
        )
    return TagResult(run_id, commit, remote=remote)


def _try_git(folder: Path, *arguments: str) -> str | None:
    try:
        return _git(folder, *arguments)
    except RepositoryError:
        return None


def _git(folder: Path, *arguments: str, seconds: float = 30) -> str:
    try:
        from git.cmd import Git
        from git.exc import GitCommandError, GitCommandNotFound
    except ImportError as error:  # GitPython cannot even be imported without Git
        raise RepositoryError(_NO_GIT) from error
    try:
        out = Git(str(folder)).execute(
            ["git", *arguments],
            env=_quiet_environment(os.environ),
            kill_after_timeout=None if os.name == "nt" else seconds,
            strip_newline_in_stdout=True,
        )
    except GitCommandNotFound as error:
        raise RepositoryError(_NO_GIT) from error
    except GitCommandError as error:
        said = (
            str(error.stderr or error.stdout or error)
            .strip()
            .removeprefix("stderr: ")
            .strip("' \n")
        )
        last = said.splitlines()[-1] if said else f"exit code {error.status}"
        verb = next((word for word in arguments if word.isalpha()), "git")
        raise RepositoryError(f"{folder}: git {verb} failed: {last}") from error
    return out if isinstance(out, str) else str(out)


def _quiet_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
