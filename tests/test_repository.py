"""The step's Git repository, with real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sinara.errors import RepositoryError
from sinara.repository import (
    changed_files,
    clean_worktree,
    default_remote,
    find_repository,
    first_commit,
    read_code,
    require_clean,
    tag_run,
    without_credentials,
)

RUN_ID = "run-25-01-01-120000-000001-0123abcd"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, in a folder whose name is not plain."""
    folder = tmp_path / "données ✓ {a} $x"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    first_commit(folder, "first")
    return folder


def test_code_of_a_clean_repository_names_its_commit(repository):
    code = read_code(repository)

    assert code.commit == git(repository, "rev-parse", "HEAD")
    assert (code.branch, code.origin, code.dirty) == ("main", None, ())


def test_code_outside_any_repository_is_empty(tmp_path):
    assert find_repository(tmp_path) is None
    assert read_code(tmp_path).commit is None


def test_code_of_a_repository_without_a_commit_has_none(tmp_path):
    git(tmp_path, "init", "-q")

    assert read_code(tmp_path).commit is None


def test_changed_and_untracked_files_are_told(repository):
    (repository / "a.txt").write_text("two\n")
    (repository / "new file.txt").write_text("")
    (repository / ".gitignore").write_text("ignored\n")
    (repository / "ignored").write_text("")

    assert changed_files(repository) == (".gitignore", "a.txt", "new file.txt")


def test_prod_refuses_changes_by_name_and_keeps_them(repository):
    (repository / "a.txt").write_text("two\n")

    with pytest.raises(RepositoryError, match=r"1 changed file\(s\).*a\.txt"):
        require_clean(repository)

    assert (repository / "a.txt").read_text() == "two\n"


@pytest.mark.parametrize("make", ["nothing", "empty repository"])
def test_prod_refuses_a_step_that_is_not_committed(tmp_path, make):
    if make == "empty repository":
        git(tmp_path, "init", "-q")

    with pytest.raises(RepositoryError, match="commit"):
        require_clean(tmp_path)


def test_a_worktree_has_what_is_committed_and_goes_away(repository):
    (repository / "a.txt").write_text("two\n")

    with clean_worktree(repository) as folder:
        assert (folder / "a.txt").read_text() == "one\n"

    assert not folder.exists()
    assert (repository / "a.txt").read_text() == "two\n"
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_tag_stands_on_the_commit_with_the_url_as_message(repository):
    commit = git(repository, "rev-parse", "HEAD")

    done = tag_run(repository, RUN_ID, commit, "/data/user/p/zone/s/" + RUN_ID)

    assert (done.remote, done.problem) == (None, "")
    assert git(repository, "rev-parse", f"{RUN_ID}^{{commit}}") == commit
    assert git(repository, "cat-file", "-t", RUN_ID) == "tag"
    assert git(repository, "tag", "-l", "--format=%(contents:subject)", RUN_ID).endswith(RUN_ID)


@pytest.mark.parametrize("name", ["origin", "upstream", "my-remote"])
def test_a_tag_is_pushed_to_a_remote_of_any_name(repository, tmp_path, name):
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(repository, "remote", "add", name, str(bare))

    done = tag_run(repository, RUN_ID, git(repository, "rev-parse", "HEAD"), "url")

    assert (done.remote, done.problem) == (name, "")
    assert git(bare, "tag") == RUN_ID


def test_the_remote_that_the_branch_follows_wins(repository, tmp_path):
    for name in ("origin", "mine"):
        git(tmp_path, "init", "-q", "--bare", f"{name}.git")
        git(repository, "remote", "add", name, str(tmp_path / f"{name}.git"))
    git(repository, "push", "-q", "-u", "mine", "main")

    assert default_remote(repository) == "mine"


def test_a_push_that_fails_is_told_and_the_tag_stays(repository, tmp_path):
    git(repository, "remote", "add", "origin", str(tmp_path / "nowhere.git"))

    done = tag_run(repository, RUN_ID, git(repository, "rev-parse", "HEAD"), "url")

    assert done.remote is None
    assert "not on 'origin'" in done.problem
    assert git(repository, "tag") == RUN_ID


def test_tagging_twice_changes_nothing_and_another_commit_is_refused(repository):
    first = git(repository, "rev-parse", "HEAD")
    tag_run(repository, RUN_ID, first, "url")
    tag_run(repository, RUN_ID, first, "url")
    git(
        repository,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "2",
    )

    with pytest.raises(RepositoryError, match="stands on commit"):
        tag_run(repository, RUN_ID, git(repository, "rev-parse", "HEAD"), "url")


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("https://user:t0ken@host.example:8443/a/b.git?x=1", "https://host.example:8443/a/b.git"),
        ("https://t0ken@host.example/a.git", "https://host.example/a.git"),
        ("git@host.example:a/b.git", "git@host.example:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
    ],
)
def test_credentials_leave_an_address(address, bare):
    assert without_credentials(address) == bare


def test_reading_a_hostile_repository_runs_nothing_of_it(repository, tmp_path):
    canary = tmp_path / "canary"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch '{canary}'\n")
    evil.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(evil))
    git(repository, "config", "diff.external", str(evil))
    hooks = repository / ".git" / "hooks"
    for hook in ("post-checkout", "post-index-change", "pre-commit", "reference-transaction"):
        (hooks / hook).write_text(evil.read_text())
        (hooks / hook).chmod(0o755)
    (repository / "a.txt").write_text("two\n")

    assert changed_files(repository) == ("a.txt",)
    read_code(repository)

    assert not canary.exists()
    git(repository, "status")
    assert canary.exists(), "the trap works"


def test_without_git_a_step_has_no_code_and_prod_says_why(tmp_path):
    script = (
        "import pathlib, sinara.repository as r\n"
        "print(r.read_code(pathlib.Path('.')).commit)\n"
        "try: r.require_clean(pathlib.Path('.'))\n"
        "except r.RepositoryError as error: print(error)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("None\nGit is not installed.")


def test_of_several_remotes_that_no_branch_follows_none_is_guessed(repository):
    for name in ("a", "b"):
        git(repository, "remote", "add", name, f"/nowhere/{name}")

    done = tag_run(repository, RUN_ID, git(repository, "rev-parse", "HEAD"), "url")

    assert done.remote is None
    assert "which of a, b to push to is not known" in done.problem
