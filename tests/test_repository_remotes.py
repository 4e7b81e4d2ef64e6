"""Remotes: what may be one, and what is done with it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from pathlib import Path

import pytest

from sinara.errors import BadNameError, RepositoryError, UsageError
from sinara.repository import (
    check_address,
    check_branch,
    check_remote,
    clone,
    connect,
    end_all,
    fetch,
    first_commit,
    forward,
    push,
    read_state,
    remotes,
    switch,
)
from sinara.repository.call import git as quiet_git
from sinara.repository.call import one_line, run


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=20,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "churn-prep"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    first_commit(folder, "first")
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    place = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", "--initial-branch=main", str(place))
    return place


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", name)


@pytest.mark.parametrize(
    "address",
    [
        "https://host.example/a/b.git",
        "https://host.example:8443/a/b.git",
        "http://127.0.0.1:8000/a/b.git",
        "http://localhost/a.git",
        "http://[::1]:80/a.git",
        "ssh://git@host.example:22/a/b.git",
        "git@host.example:a/b.git",
        "host.example:a/b.git",
        "file:///srv/git/a.git",
        "/srv/git/ä b.git",
    ],
)
def test_an_address_of_a_remote_is_taken(address):
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "-upload-pack=x",
        "--upload-pack=touch x",
        "ext::sh -c touch% x",
        "ext::sh",
        "fd::3",
        "evil::x",
        "git://host.example/a.git",
        "http://host.example/a.git",
        "http://127.0.0.1.example/a.git",
        "ftp://host.example/a.git",
        "https://user@host.example/a.git",
        "https://user:word@host.example/a.git",
        "https://host.example/a.git?token=word",
        "https://host.example/a.git#x",
        "https://-oProxyCommand=x/a.git",
        "ssh://-oProxyCommand=touch/a.git",
        "ssh://git:word@host.example/a.git",
        "ssh://git@-x/a.git",
        "-oProxyCommand=x:a.git",
        "git@-host:a.git",
        "host:-x",
        "file://host.example/a.git",
        "relative/a.git",
        "../a.git",
        "https://host.example/a\nb.git",
        "https://host.example/a\0b",
        "https://host.example:port/a",
        "https://[::1/a",
        "https://",
        "C:\\git\\a\x1b[0m",
    ],
)
def test_any_other_address_is_refused_without_showing_a_word_in_it(address, repository):
    with pytest.raises(UsageError) as caught:
        connect(repository, "origin", address)

    assert "word" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert remotes(repository) == {}


def test_a_space_in_an_address_is_told_as_one():
    with pytest.raises(UsageError, match=r"it holds a space\. Use https://"):
        check_address("https://host.example/a b.git")


@pytest.mark.parametrize(
    "name",
    ["main", "feature/x", "a.b", "ünï", "v1-2_3", "-x", "", "a b", "a..b", "a.lock", "a/.b", "/a",
     "a/", "a//b", "a.", "@", "a@{1}", "@{-1}", "a~1", "a^", "a:b", "a?b", "a*", "a[b", "a\\b",
     "a\x7f", "a\tb", "a.lock/b", "a@b", "--orphan", "HEAD"],
)  # fmt: skip
def test_a_branch_name_is_taken_when_git_takes_it(name):
    git_says = subprocess.run(
        ["git", "check-ref-format", "--branch", name], capture_output=True, text=True
    )
    takes = git_says.returncode == 0 and name not in ("HEAD", "@", "@{-1}")

    try:
        taken = check_branch(name) == name
    except BadNameError:
        taken = False

    assert taken is takes


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "..", "a..b", ".a", "a\n", "x.lock"])
def test_a_remote_with_an_odd_name_is_refused(name):
    with pytest.raises(BadNameError):
        check_remote(name)


def test_a_remote_is_added_then_changed_then_left(repository, bare):
    changed = [
        connect(repository, "origin", "https://host.example/a.git"),
        connect(repository, "origin", str(bare)),
        connect(repository, "origin", str(bare)),
    ]

    assert changed == [True, True, False]
    assert remotes(repository) == {"origin": str(bare)}


def test_a_remote_whose_making_was_killed_in_the_middle_is_whole_after_the_next(
    repository, bare, monkeypatch
):
    """The address is what is looked for, so it is what is written last."""
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        calls = iter((quiet_git,))
        patch.setitem(connect.__globals__, "git", lambda *of: next(calls, killed)(*of))
        connect(repository, "origin", str(bare))
    assert not remotes(repository)

    connect(repository, "origin", str(bare))
    push(repository, "origin", "main")

    assert git(repository, "rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    assert git(repository, "config", "--get-all", "remote.origin.fetch").count("\n") == 0


@pytest.mark.parametrize(
    ("lock", "call"),
    [("config.lock", ("remote", "add", "x", "/srv/a.git")), ("index.lock", ("add", "--all"))],
)
def test_the_lock_that_a_killed_git_left_is_named_with_what_to_do(repository, lock, call):
    (repository / ".git" / lock).touch()
    (repository / "new").touch()

    with pytest.raises(RepositoryError, match=rf"is at work there, remove \S*\.git/{lock}$"):
        quiet_git(repository, *call)


def killed(*_: object) -> str:
    raise KeyboardInterrupt


def test_a_push_sets_the_remote_branch_and_says_whether_anything_was_new(repository, bare):
    connect(repository, "origin", str(bare))

    new = [push(repository, "origin", "main"), push(repository, "origin", "main")]

    assert new == [True, False]
    state = read_state(repository)
    assert (state.upstream, state.ahead, state.behind) == ("origin/main", 0, 0)


def test_a_push_is_never_forced(repository, bare, tmp_path):
    connect(repository, "origin", str(bare))
    push(repository, "origin", "main")
    clone(str(bare), tmp_path / "other")
    commit(tmp_path / "other", "b.txt", "theirs\n")
    push(tmp_path / "other", "origin", "main")
    theirs = git(bare, "rev-parse", "main")
    commit(repository, "c.txt", "ours\n")

    with pytest.raises(RepositoryError, match=r"commits that are not here\. Pull first"):
        push(repository, "origin", "main")

    assert git(bare, "rev-parse", "main") == theirs


def test_what_was_fetched_is_counted_and_brought_forward(repository, bare, tmp_path):
    connect(repository, "origin", str(bare))
    push(repository, "origin", "main")
    clone(str(bare), tmp_path / "other")
    commit(tmp_path / "other", "b.txt", "theirs\n")
    push(tmp_path / "other", "origin", "main")

    fetch(repository, "origin")
    behind = read_state(repository).behind
    moved = forward(repository)

    assert (behind, moved) == (1, git(bare, "rev-parse", "main"))
    assert (repository / "b.txt").read_text() == "theirs\n"
    assert forward(repository) is None


def test_a_change_in_the_way_is_named_and_kept(repository, bare, tmp_path):
    connect(repository, "origin", str(bare))
    push(repository, "origin", "main")
    clone(str(bare), tmp_path / "other")
    commit(tmp_path / "other", "a.txt", "theirs\n")
    push(tmp_path / "other", "origin", "main")
    (repository / "a.txt").write_text("mine\n")
    fetch(repository, "origin")

    with pytest.raises(RepositoryError, match=r"would be overwritten: a\.txt"):
        forward(repository)

    assert (repository / "a.txt").read_text() == "mine\n"


def test_a_branch_that_only_the_remote_has_is_followed(repository, bare, tmp_path):
    connect(repository, "origin", str(bare))
    push(repository, "origin", "main")
    clone(str(bare), tmp_path / "other")
    switch(tmp_path / "other", "feature/x", create=True)
    commit(tmp_path / "other", "b.txt", "x\n")
    push(tmp_path / "other", "origin", "feature/x")
    fetch(repository, "origin")

    switch(repository, "feature/x")

    assert read_state(repository).upstream == "origin/feature/x"


def test_a_branch_that_is_there_is_not_made_again(repository):
    switch(repository, "other", create=True)
    commit(repository, "b.txt", "x\n")
    switch(repository, "main")

    switch(repository, "other", create=True)

    assert (repository / "b.txt").exists()


def test_a_branch_that_is_nowhere_is_told(repository):
    with pytest.raises(RepositoryError, match=r"no branch 'nowhere'\. Make it: add --create"):
        switch(repository, "nowhere")


def test_a_folder_with_the_name_of_a_branch_is_no_branch(repository):
    (repository / "data").mkdir()
    commit(repository, "data/x", "x\n")
    (repository / "data/x").write_text("mine\n")

    with pytest.raises(RepositoryError, match="no branch"):
        switch(repository, "data")

    assert (repository / "data/x").read_text() == "mine\n"


def test_a_clone_is_whole_or_not_there(tmp_path):
    with pytest.raises(RepositoryError, match="not cloned"):
        clone(str(tmp_path / "nowhere.git"), tmp_path / "copy")

    assert list(tmp_path.iterdir()) == []


def test_a_clone_takes_no_place_that_is_taken(repository, bare):
    with pytest.raises(RepositoryError, match="there already"):
        clone(str(bare), repository)

    assert (repository / "a.txt").read_text() == "one\n"


@pytest.mark.parametrize("remote", ["ext", "git"])
def test_a_remote_of_a_kind_that_is_not_allowed_is_not_used(repository, tmp_path, remote):
    canary = tmp_path / "canary"
    url = {"ext": f"ext::touch {canary}", "git": "git://host.invalid/x.git"}[remote]
    git(repository, "remote", "add", "origin", url)
    git(repository, "config", "protocol.ext.allow", "always")

    with pytest.raises(RepositoryError, match="no address of a remote"):
        fetch(repository, "origin")

    assert not canary.exists()


def test_an_address_that_is_rewritten_to_a_program_is_not_used(repository, tmp_path):
    canary = tmp_path / "canary"
    git(repository, "remote", "add", "origin", "https://host.invalid/x.git")
    git(repository, "config", f"url.ext::touch {canary}#.insteadOf", "https://host.invalid/")
    git(repository, "config", "protocol.ext.allow", "always")

    with pytest.raises(RepositoryError, match="not allowed"):
        fetch(repository, "origin")

    assert not canary.exists()


@pytest.mark.parametrize("name", ["core.sshCommand", "remote.origin.uploadpack", "hook"])
def test_fetching_to_read_runs_nothing_of_the_repository(repository, bare, tmp_path, name):
    connect(repository, "origin", str(bare))
    push(repository, "origin", "main")
    clone(str(bare), tmp_path / "other")
    commit(tmp_path / "other", "b.txt", "theirs\n")
    push(tmp_path / "other", "origin", "main")
    canary, program = tmp_path / "canary", tmp_path / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch '{canary}'\n")
    program.chmod(0o755)
    if name == "hook":
        hook = repository / ".git/hooks/reference-transaction"
        hook.write_text(program.read_text())
        hook.chmod(0o755)
    else:
        git(repository, "config", name, str(program))
    if name == "core.sshCommand":
        git(repository, "remote", "set-url", "origin", "ssh://git@host.invalid/x.git")

    with contextlib.nullcontext() if name == "hook" else pytest.raises(RepositoryError):
        fetch(repository, "origin", reading=True)

    assert not canary.exists()
    git(repository, "update-ref", "-d", "refs/remotes/origin/main")
    subprocess.run(["git", "fetch"], cwd=repository, stdin=subprocess.DEVNULL, capture_output=True)
    assert canary.exists(), "the trap works"


def test_a_call_that_takes_too_long_is_ended_with_all_that_it_started(repository, tmp_path):
    mark = tmp_path / "late"
    git(repository, "config", "alias.wait", f"!sleep 3; touch '{mark}'")

    with pytest.raises(RepositoryError, match=r"longer than 0\.3 s"):
        run(repository, "wait", seconds=0.3, apart=True)

    time.sleep(3.2)
    assert not mark.exists()


def test_calls_of_other_threads_are_ended_when_asked(repository):
    git(repository, "config", "alias.wait", "!sleep 30")
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(run(repository, "wait", apart=True).code))
    thread.start()
    deadline = time.monotonic() + 10
    while not ended and time.monotonic() < deadline:
        time.sleep(0.05)
        end_all()
    thread.join()

    assert ended
    assert ended[0] != 0


def test_a_git_that_called_us_does_not_lead_calls_astray(repository, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    first_commit_of = git(repository, "rev-parse", "HEAD")
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))

    assert quiet_git(repository, "rev-parse", "HEAD") == first_commit_of


def test_a_message_shows_no_user_and_no_escape():
    said = "fatal: unable to access 'https://u:t0ken@host/x.git/': \x1b[31mno"

    assert one_line(said) == "fatal: unable to access 'https://host/x.git/':  [31mno"
