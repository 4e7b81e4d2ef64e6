"""All steps to another host or organisation: every branch and tag, and the origin with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sinara.errors import RepositoryError, SinaraError
from sinara.fleet.state import EMPTY, changed, own_state, token_for
from sinara.fleet.together import Did, results
from sinara.fleet.update import repository_name
from sinara.fleet.values import FleetStep, Result
from sinara.hosting import Host
from sinara.names import check_name
from sinara.repository import (
    add_remote,
    connect,
    fetch,
    push_refs,
    remotes,
    without_credentials,
)
from sinara.repository.call import git, run

PREVIOUS = "previous"
_NEW = "sinara-transfer"  # a remote of this name is given to single calls, and never written


def transfer(
    steps: Sequence[FleetStep], host: Host, *, name: str | None = None
) -> tuple[Result, ...]:
    """Move the repositories of all steps to ``host``.

    For each step: what its origin has is fetched; a repository is made on ``host``, or found;
    every branch and tag is pushed to it, those too that only the origin has, and never forced;
    then ``origin`` stands for the new one, and ``previous`` for the one before. The old
    repository is left as it is, and so are files, branches and changes here.

    It can be repeated after an interruption, and goes on from there. An origin that can no longer
    be reached is no obstacle: what is here is moved, and the result says so.

    Args:
        steps: The steps.
        host: Where to.
        name: A pipeline's name: the repositories there are called ``<name>-<step>``, and not as
            they are called now. Parameter files keep theirs: see :func:`sinara.fleet.rename`.

    Raises:
        BadNameError: If ``name`` is no name of a pipeline.
    """
    if name is not None:
        check_name("pipeline", name)
    return results(steps, lambda step: _transfer(step, host, name))


def _transfer(step: FleetStep, host: Host, name: str | None) -> Did:
    folder = step.folder
    state = own_state(folder)
    if state.commit is None:
        raise RepositoryError(EMPTY)
    called = f"{name}-{step.name}" if name else repository_name(folder)
    before = remotes(folder)
    old = before.get("origin")
    remote = host.ensure(called, description=f"Step {step.name} of pipeline {step.pipeline}")
    missed = _fetch_old(folder, old) if old not in (None, remote.url) else ""
    if old == remote.url and not remote.created:  # moved before: what it got since counts
        fetch(folder, "origin", credentials=host.credentials())
    refs = _branches(folder, only_here=old in (None, remote.url))
    new = _push(folder, (*refs, "refs/tags/*:refs/tags/*"), remote.url, host)
    moved = old != remote.url
    if moved and old is not None:
        _rename_old(folder, old)
    connect(folder, "origin", remote.url)
    _follow(folder, host)
    notes = [missed, f"{changed(state)} not in it" if state.dirty else ""]
    more = "".join(f"; {note}" for note in notes if note)
    if not (new or moved or remote.created):
        return "unchanged", f"{remote.url} has all of it{more}"
    return "done", f"{'made' if remote.created else 'pushed to'} {remote.url}{more}"


def _push(folder: Path, refs: Sequence[str], url: str, host: Host) -> bool:
    """Push all of it or nothing, and return whether anything was new there."""
    try:
        return push_refs(
            folder, _NEW, refs,
            url=url, credentials=host.credentials(), options=("--atomic",),
        )  # fmt: skip
    except RepositoryError as error:
        if "commits that are not here" not in str(error):
            raise
        raise RepositoryError(
            f"{url} has commits that are not here: is it another repository? "
            "Take another --name or --organization, or pull from it first"
        ) from error


def _fetch_old(folder: Path, old: str | None) -> str:
    """Fetch what only the origin has; return what to tell if it cannot be had."""
    try:
        fetch(folder, "origin", credentials=token_for(old or ""))
    except SinaraError:
        return "the old origin cannot be reached: only what is here was moved"
    return ""


def _branches(folder: Path, *, only_here: bool) -> list[str]:
    """Return what to push: each branch at its newest commit, here or on the origin.

    Raises:
        RepositoryError: If here and there have each commits that the other lacks.
    """
    listed = git(
        folder, "for-each-ref", "--format=%(refname) %(objectname) %(symref)",
        "refs/heads", "refs/remotes/origin",
    )  # fmt: skip
    here: dict[str, str] = {}
    there: dict[str, str] = {}
    for line in listed.splitlines():
        ref, commit, symbolic = line.split(" ", 2)
        if symbolic:  # refs/remotes/origin/HEAD
            continue
        if ref.startswith("refs/heads/"):
            here[ref.removeprefix("refs/heads/")] = commit
        else:
            there[ref.removeprefix("refs/remotes/origin/")] = commit
    refs = {branch: f"refs/heads/{branch}" for branch in here}
    for branch, commit in there.items():
        if only_here and branch not in here:
            continue
        if branch not in here or _is_older(folder, here[branch], commit):
            refs[branch] = f"refs/remotes/origin/{branch}"
        elif not _is_older(folder, commit, here[branch]):
            raise RepositoryError(
                f"branch {branch} and origin/{branch} have each commits that the other lacks: "
                "merge them first"
            )
    return [f"{ref}:refs/heads/{branch}" for branch, ref in refs.items()]


def _is_older(folder: Path, old: str, new: str) -> bool:
    return old == new or run(folder, "merge-base", "--is-ancestor", old, new).code == 0


def _rename_old(folder: Path, old: str) -> None:
    """Keep the old origin as ``previous``, as it is written; a token in it is left out."""
    bare = without_credentials(old)
    there = remotes(folder).get(PREVIOUS)
    if there is None:
        add_remote(folder, PREVIOUS, bare)
    elif there != bare:
        git(folder, "remote", "set-url", "--", PREVIOUS, bare)


def _follow(folder: Path, host: Host) -> None:
    """Let each branch follow its namesake on the new origin."""
    fetch(folder, "origin", credentials=host.credentials())
    branches = git(folder, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
    for branch in branches:
        upstream = f"--set-upstream-to=origin/{branch}"
        git(folder, "branch", "--quiet", upstream, "--", branch)
