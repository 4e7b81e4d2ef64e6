"""Reading a hostile repository runs nothing of it: each trap is seen to work, then not to."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara.errors import RepositoryError
from sinara.repository import changed_files, first_commit, read_code, read_state
from sinara.repository.guard import is_plain


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        check=check,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=20,
    )
    return done.stdout.strip()


class Trap:
    """A repository, and a program that leaves a canary when it is run."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "step"
        self.folder.mkdir()
        (self.folder / "a.txt").write_text("one\n")
        first_commit(self.folder, "first")
        self.canary = tmp_path / "canary"
        self.program = tmp_path / "evil.sh"
        self.program.write_text(f"#!/bin/sh\ntouch '{self.canary}'\n")
        self.program.chmod(0o755)
        self.sprung = ("status",)

    def set(self, name: str, value: str = "") -> None:
        git(self.folder, "config", name, value or str(self.program))

    def touch(self) -> None:
        """Let git compare the content of a.txt: same size, another time."""
        (self.folder / "a.txt").write_text("two\n")
        os.utime(self.folder / "a.txt", (1, 1))


def fsmonitor(trap: Trap) -> None:
    trap.set("core.fsmonitor")


def hook_of_the_index(trap: Trap) -> None:
    hook = trap.folder / ".git/hooks/post-index-change"
    hook.write_text(trap.program.read_text())
    hook.chmod(0o755)
    trap.touch()


def hooks_path(trap: Trap) -> None:
    hooks = trap.folder / "githooks"
    hooks.mkdir()
    (hooks / "post-index-change").write_text(trap.program.read_text())
    (hooks / "post-index-change").chmod(0o755)
    trap.set("core.hooksPath", str(hooks))
    trap.touch()


def clean_filter(trap: Trap) -> None:
    (trap.folder / ".gitattributes").write_text("*.txt filter=evil\n")
    trap.set("filter.evil.clean")
    trap.set("filter.evil.required", "true")
    trap.touch()


def clean_filter_with_an_odd_name(trap: Trap) -> None:
    (trap.folder / ".git/info/attributes").write_text("*.txt filter=a=b.c\n")
    trap.set("filter.a=b.c.clean")
    trap.touch()


def filter_process(trap: Trap) -> None:
    (trap.folder / ".gitattributes").write_text("*.txt filter=evil\n")
    trap.set("filter.evil.process")
    trap.touch()


def filter_of_an_included_file(trap: Trap) -> None:
    (trap.folder / ".gitattributes").write_text("*.txt filter=evil\n")
    (trap.folder / "more").write_text(f'[filter "evil"]\n clean = {trap.program}\n')
    trap.set("include.path", "../more")
    trap.touch()


def filter_of_the_worktree_configuration(trap: Trap) -> None:
    (trap.folder / ".gitattributes").write_text("*.txt filter=evil\n")
    trap.set("extensions.worktreeConfig", "true")
    git(trap.folder, "config", "--worktree", "filter.evil.clean", str(trap.program))
    trap.touch()


def filter_of_another_common_folder(trap: Trap) -> None:
    common = trap.folder.parent / "common"
    (trap.folder / ".git").rename(common)
    gitdir = trap.folder / ".git"
    gitdir.mkdir()
    for name in ("HEAD", "index", "config"):
        (gitdir / name).write_bytes((common / name).read_bytes())
    (gitdir / "commondir").write_text(str(common))
    (trap.folder / ".gitattributes").write_text("*.txt filter=evil\n")
    (common / "config").write_text(f'[filter "evil"]\n clean = {trap.program}\n')
    trap.touch()


def repository_further_up(trap: Trap) -> None:
    """The folder's own is none, so that git takes the next one; its configuration looks plain."""
    outer = trap.folder.parent
    git(outer, "init", "-q")
    git(outer, "add", "step/a.txt", check=False)
    git(outer, "config", "core.fsmonitor", str(trap.program))
    (trap.folder / ".git/HEAD").write_text("nonsense")


def external_diff(trap: Trap) -> None:
    trap.set("diff.external")
    trap.touch()
    trap.sprung = ("diff",)


def text_conversion(trap: Trap) -> None:
    (trap.folder / ".gitattributes").write_text("*.txt diff=evil\n")
    trap.set("diff.evil.textconv")
    trap.touch()
    trap.sprung = ("diff",)


def signature_check(trap: Trap) -> None:
    trap.set("gpg.program")
    trap.set("log.showSignature", "true")
    commit = git(trap.folder, "cat-file", "commit", "HEAD")
    head, _, rest = commit.partition("\n\n")
    signed = f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\n{rest}\n"
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=trap.folder, input=signed, text=True, capture_output=True, check=True,
    )  # fmt: skip
    git(trap.folder, "update-ref", "HEAD", made.stdout.strip())
    trap.sprung = ("log",)


def submodule(trap: Trap) -> None:
    inner = trap.folder / "inner"
    inner.mkdir()
    (inner / "b.txt").write_text("one\n")
    first_commit(inner, "first")
    git(trap.folder, "submodule", "add", "-q", "./inner", "inner")
    git(inner, "config", "core.fsmonitor", str(trap.program))


def missing_object(trap: Trap) -> None:
    trap.set("core.repositoryformatversion", "1")
    trap.set("extensions.partialClone", "evil")
    trap.set("remote.evil.promisor", "true")
    trap.set("remote.evil.url", f"ext::{trap.program}")
    trap.set("protocol.ext.allow", "always")
    tree = git(trap.folder, "rev-parse", "HEAD^{tree}")
    (trap.folder / ".git/objects" / tree[:2] / tree[2:]).unlink()


def missing_object_on_a_folder(trap: Trap) -> None:
    missing_object(trap)
    git(trap.folder, "init", "-q", "--bare", "../bare.git")
    trap.set("remote.evil.url", str(trap.folder.parent / "bare.git"))
    trap.set("remote.evil.uploadpack")


def missing_object_over_ssh(trap: Trap) -> None:
    missing_object(trap)
    trap.set("remote.evil.url", "ssh://git@host.invalid/x.git")
    trap.set("core.sshCommand")


TRAPS = [
    fsmonitor, hook_of_the_index, hooks_path, clean_filter, clean_filter_with_an_odd_name,
    filter_process, filter_of_an_included_file, filter_of_the_worktree_configuration,
    filter_of_another_common_folder, repository_further_up, external_diff, text_conversion,
    signature_check, submodule, missing_object, missing_object_on_a_folder,
    missing_object_over_ssh,
]  # fmt: skip


@pytest.mark.parametrize("lay", TRAPS, ids=lambda lay: lay.__name__)
def test_reading_runs_nothing_that_the_repository_brings(tmp_path, lay: Callable[[Trap], None]):
    trap = Trap(tmp_path)
    lay(trap)
    trap.canary.unlink(missing_ok=True)

    for read in (read_state, changed_files, read_code):
        with contextlib.suppress(RepositoryError):  # damaged ones may be refused
            read(trap.folder)

    assert not trap.canary.exists()
    git(trap.folder, *trap.sprung, check=False)
    assert trap.canary.exists(), "the trap works"


def test_a_filter_that_the_person_has_set_up_still_runs(tmp_path, private_machine):
    trap = Trap(tmp_path)
    git(trap.folder, "config", "--global", "filter.mine.clean", "sed s/two/one/")
    (trap.folder / ".gitattributes").write_text("*.txt filter=mine\n")
    trap.set("filter.mine.clean")  # the repository's own is put back to the person's
    trap.touch()

    assert read_state(trap.folder).dirty == (".gitattributes",)
    assert not trap.canary.exists()


def test_the_configuration_that_git_itself_writes_is_plain(tmp_path):
    trap = Trap(tmp_path)
    git(trap.folder, "init", "-q", "--bare", "../bare.git")
    git(trap.folder, "remote", "add", "origin", "../bare.git")
    git(trap.folder, "push", "-q", "-u", "origin", "main")
    git(tmp_path, "clone", "-q", "bare.git", "copy")

    assert is_plain(trap.folder)
    assert is_plain(tmp_path / "copy")


@pytest.mark.parametrize(
    "text",
    [
        "[core] fsmonitor = x\n",
        "[core]\n\tfsmonitor = x\n",
        "[Core]\nfsMonitor=x\n",
        '[filter "x"]\n\tclean = x\n',
        "[include]\n\tpath = x\n",
        "[core]\n\tbare = a \\\n[core] fsmonitor = x\n",
        '[remote "a\\"]\n[core]\nfsmonitor=x\n"]\n',
        "[core]\n\tbare\n\tpager = x\n",
        "[remote.x]\n\tvcs = x\n",
        "\ufeff[core]\n\tworktree = x\n",
    ],
)
def test_any_other_configuration_is_read_by_git_itself(tmp_path, text):
    trap = Trap(tmp_path)
    (trap.folder / ".git/config").write_text(text)

    assert not is_plain(trap.folder)
