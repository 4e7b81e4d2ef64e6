"""Make a pipeline: a repository for each step, and a folder that holds them.

Everything is checked before anything is made. Making it again changes nothing, and finishes what
a broken attempt left: each step's folder appears whole with its first commit, its repository on
the host is made or found, and the branch is pushed if the host does not have it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sinara.errors import RepositoryError, UsageError
from sinara.fleet import FleetStep
from sinara.fleet.together import each
from sinara.hosting import Host
from sinara.manifest import Manifest, StepPlan, in_order, upstream
from sinara.repository import connect, current_branch, fetch, push, without_credentials
from sinara.repository.call import require_git, try_git
from sinara.repository.guard import read_settings, remote_addresses
from sinara.scaffold.beside import alone_in, write_beside
from sinara.scaffold.place import check_pipeline, repository_name
from sinara.scaffold.step import make_step

Outcome = Literal["made", "finished", "there already", "failed", "stopped"]
BRANCH, REMOTE = "main", "origin"


@dataclass(frozen=True)
class MadeStep:
    """What became of one step.

    Attributes:
        step: Its name.
        folder: Its folder, absolute.
        outcome: ``made``; ``finished``: a broken attempt had begun it; ``there already``;
            ``failed``, ``stopped``: ``text`` says why.
        repository: Its address on the host; empty without a host.
        text: One line, if something has to be said.
    """

    step: str
    folder: str
    outcome: Outcome
    repository: str = ""
    text: str = ""


def create_pipeline(
    manifest: Manifest,
    folder: Path,
    host: Host | None,
    *,
    private: bool = True,
    waiting: Callable[[str], None] | None = None,
) -> tuple[MadeStep, ...]:
    """Make the repositories of a pipeline, or what is missing of them.

    Args:
        manifest: What to make.
        folder: The folder that holds the steps; made if need be.
        host: Where to push; ``None``: nowhere.
        private: Whether only members see the repositories.
        waiting: Told once, in a line, if another command is at work in the folder.

    Returns:
        What became of each step, in an order in which they can run. A step that fails leaves the
        others done.

    Raises:
        ManifestError: If the manifest cannot be made; then nothing is.
        UsageError: If something else is in the way; then nothing is made.
        RepositoryError: If Git is not installed; then nothing is made.
    """
    folder = folder.absolute()
    check_pipeline(manifest, folder)
    require_git()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {error.strerror}.") from error
    with alone_in(folder, waiting):
        check_pipeline(manifest, folder)  # somebody else may have made it while we waited
        write_beside(folder, manifest)
        return _make_all(manifest, folder, host, private)


def _make_all(
    manifest: Manifest, folder: Path, host: Host | None, private: bool
) -> tuple[MadeStep, ...]:
    pipeline = str(manifest.pipeline_name)
    plans = in_order(manifest)
    steps = [
        FleetStep(folder / repository_name(pipeline, plan.name), plan.name, pipeline)
        for plan in plans
    ]
    by_name = {plan.name: plan for plan in plans}
    needs = upstream(manifest)

    def work(step: FleetStep) -> MadeStep:
        before = [repository_name(pipeline, name) for name in needs[step.name]]
        done = _make(by_name[step.name], pipeline, manifest.zone_name, step.folder, before)
        return done if host is None else _publish(done, pipeline, host, private)

    def told(step: FleetStep, outcome: Outcome, text: str) -> MadeStep:
        return MadeStep(step.name, str(step.folder), outcome, text=text)

    return each(
        steps,
        work,
        failed=lambda step, text: told(step, "failed", text),
        stopped=lambda step: told(step, "stopped", "not done: the command was ended"),
    )


def _make(plan: StepPlan, pipeline: str, zone: str, place: Path, before: Sequence[str]) -> MadeStep:
    """Make a step's folder, unless it is there."""
    if place.is_dir() and any(place.iterdir()):
        return MadeStep(plan.name, str(place), "there already")
    with contextlib.suppress(FileNotFoundError):
        place.rmdir()  # an empty one: the step then appears whole in its place
    make_step(plan, pipeline, place, zone=zone, before=before)
    return MadeStep(plan.name, str(place), "made")


def _publish(done: MadeStep, pipeline: str, host: Host, private: bool) -> MadeStep:
    """Make the step's repository on the host, unless the step was pushed before."""
    place, new = Path(done.folder), done.outcome == "made"
    if not (place / ".git").exists():  # one around it is not the step's, and is not touched
        raise RepositoryError(
            f"{place}: is no Git repository, so it cannot be pushed. Make it one: git init, "
            "git add --all, git commit. Or leave the host out: --no-push"
        )
    settings = () if new else read_settings(place)
    address = remote_addresses(settings).get(REMOTE)
    pushed = any(
        s.name.startswith("branch.") and s.name.endswith(".remote") and s.value == REMOTE
        for s in settings
    )
    if address is not None and pushed:
        if _is_elsewhere(host, place.name, address):
            return replace(done, repository=address, text=_left(address))
        finished = _learn_of_push(place, host)
        return replace(done, repository=address, outcome="finished" if finished else done.outcome)
    remote = host.ensure(
        place.name, description=f"Step {done.step} of pipeline {pipeline}", private=private
    )
    if address is not None and address != remote.url:
        return replace(done, repository=address, text=_left(address))
    connect(place, REMOTE, remote.url)
    try:
        push(place, REMOTE, _branch(place, new), credentials=host.credentials())
    except RepositoryError as error:
        if remote.created or not new or "commits that are not here" not in str(error):
            raise
        raise RepositoryError(
            f"{place}: {remote.url} has other commits already, and was left as it is. If that is "
            f"this step, move the folder away and get it: sinara pipeline pull --name {pipeline}. "
            "If not, choose another name"
        ) from None
    return replace(done, outcome="made" if new else "finished", repository=remote.url)


def _learn_of_push(place: Path, host: Host) -> bool:
    """Fetch what was pushed if Git was ended before it had noted it; return whether it was."""
    if try_git(place, "for-each-ref", "--count=1", f"refs/remotes/{REMOTE}"):
        return False
    with contextlib.suppress(RepositoryError):  # gone from the host: told by status and pull
        fetch(place, REMOTE, credentials=host.credentials())
    return bool(try_git(place, "for-each-ref", "--count=1", f"refs/remotes/{REMOTE}"))


def _branch(place: Path, new: bool) -> str:
    """Return the branch to push: the one that was made, whichever a person is on by now."""
    if new or try_git(place, "rev-parse", "--verify", "--quiet", f"refs/heads/{BRANCH}"):
        return BRANCH
    return current_branch(place) or BRANCH


def _is_elsewhere(host: Host, repository: str, address: str) -> bool:
    """Say whether a remote is certainly not on the host that was asked for."""
    if host.kind == "local":
        wanted = os.path.realpath(Path(host.organization, f"{repository}.git"))
        return os.path.realpath(address.removeprefix("file://")) != wanted
    if address.startswith(("http://", "https://")):
        credentials = host.credentials()
        return credentials is not None and not credentials.fits(address)
    return address.startswith(("/", "file:"))


def _left(address: str) -> str:
    return (
        f"its remote '{REMOTE}' is {without_credentials(address)}, and was left as it is: nothing "
        "was pushed. To move it: sinara pipeline transfer"
    )


def failed(made: Sequence[MadeStep]) -> bool:
    """Say whether a step was not done."""
    return any(step.outcome in ("failed", "stopped") for step in made)
