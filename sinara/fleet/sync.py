"""pull, push and checkout over all steps."""

from __future__ import annotations

from collections.abc import Sequence

from sinara.errors import RepositoryError
from sinara.fleet.state import changed, commits, on_a_branch, own_state, remote_of, token_for
from sinara.fleet.together import Did, results
from sinara.fleet.values import FleetStep, Result
from sinara.repository import (
    check_branch,
    fetch,
    forward,
    switch,
)
from sinara.repository import push as push_branch


def pull(steps: Sequence[FleetStep]) -> tuple[Result, ...]:
    """Bring each step forward to what its remote has: fast-forward only.

    A step with changed files, or with commits that the remote lacks while the remote has others,
    is left alone and named.
    """
    return results(steps, _pull)


def push(steps: Sequence[FleetStep]) -> tuple[Result, ...]:
    """Push the current branch of each step; never forced. A new one follows its remote then."""
    return results(steps, _push)


def checkout(
    steps: Sequence[FleetStep], branch: str, *, create: bool = False
) -> tuple[Result, ...]:
    """Check out a branch in each step; git refuses where a changed file would be overwritten.

    Args:
        steps: The steps.
        branch: The branch.
        create: Make it where it is not there.

    Raises:
        BadNameError: If that is no name of a branch.
    """
    check_branch(branch)
    return results(steps, lambda step: _checkout(step, branch, create))


def _pull(step: FleetStep) -> Did:
    before = own_state(step.folder)
    branch = on_a_branch(before)
    remote = remote_of(step.folder, branch)
    if remote is None:
        return "unchanged", "no remote: sinara pipeline transfer makes one"
    name, address = remote
    fetch(step.folder, name, credentials=token_for(address))
    state = own_state(step.folder)
    if state.upstream is None or state.behind is None:
        return "unchanged", f"branch {branch} is only here: sinara pipeline push"
    if state.behind == 0:
        more = f", {state.ahead} ahead: sinara pipeline push" if state.ahead else ""
        return "unchanged", f"up to date{more}"
    if state.conflicts:
        raise RepositoryError(
            f"a merge is under way, in conflict: {', '.join(state.conflicts[:3])}. Finish it "
            "(git add, git commit) or git merge --abort, then pull again"
        )
    if state.ahead:
        raise RepositoryError(
            f"{branch} has {commits(state.ahead)} that {state.upstream} lacks, and lacks "
            f"{state.behind} of its: git merge {state.upstream} (or rebase) in it"
        )
    if state.dirty:
        raise RepositoryError(
            f"{changed(state)}, and {commits(state.behind, 'new ')}: commit or stash, then pull "
            "again"
        )
    commit = forward(step.folder)
    return "done", f"{commits(state.behind, 'new ')}, now at {(commit or '')[:10]}"


def _push(step: FleetStep) -> Did:
    state = own_state(step.folder)
    branch = on_a_branch(state)
    remote = remote_of(step.folder, branch)
    if remote is None:
        raise RepositoryError("no remote: sinara pipeline transfer makes one")
    name, address = remote
    new = push_branch(
        step.folder, name, branch,
        credentials=token_for(address), set_upstream=state.upstream is None,
    )  # fmt: skip
    left = f"; {changed(state)} not in it" if state.dirty else ""
    if not new:
        return "unchanged", f"{branch} is there already{left}"
    return "done", f"{branch} is on {name}{left}"


def _checkout(step: FleetStep, branch: str, create: bool) -> Did:
    before = own_state(step.folder)
    if before.branch == branch:
        return "unchanged", f"on {branch} already"
    if before.commit is None:
        on_a_branch(before)
    switch(step.folder, branch, create)
    kept = f"; {changed(before)} kept" if before.dirty else ""
    return "done", f"{before.branch or (before.commit or '')[:10]} -> {branch}{kept}"
