"""How each step of a pipeline stands: its branch, its remote, its changed files, its last run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sinara.errors import RunNotFoundError, SinaraError
from sinara.fleet.state import own_state, remote_of, token_for
from sinara.fleet.together import each
from sinara.fleet.values import FleetStep
from sinara.repository import fetch
from sinara.settings import load_settings
from sinara.store import open_store


@dataclass(frozen=True)
class LastRun:
    """The newest run of a step in its env.

    Attributes:
        run_id: The run; an empty string: there is none.
        status: ``succeeded``, ``failed``, ``running``, …
        started: ISO 8601, UTC.
        problem: Why it is not known.
    """

    run_id: str = ""
    status: str = ""
    started: str = ""
    problem: str = ""


@dataclass(frozen=True)
class StepStatus:
    """How one step stands.

    Attributes:
        step: The step's name.
        folder: Its folder.
        pipeline: Its pipeline.
        branch: The branch; ``None``: detached, or no repository.
        commit: What is checked out; ``None``: nothing is committed.
        upstream: The remote branch that it follows.
        ahead: Commits that the remote branch lacks, as it was fetched last.
        behind: Commits that are only there.
        dirty: Changed and untracked files.
        last_run: The newest run.
        problem: Why the repository is not known, or its remote could not be asked.
    """

    step: str
    folder: str
    pipeline: str = ""
    branch: str | None = None
    commit: str | None = None
    upstream: str | None = None
    ahead: int | None = None
    behind: int | None = None
    dirty: tuple[str, ...] = ()
    last_run: LastRun = LastRun()
    problem: str = ""

    @property
    def repository(self) -> bool:
        """Whether the step has a repository of its own that can be read."""
        return self.branch is not None or self.commit is not None


def status(
    steps: Sequence[FleetStep], *, ask: bool = False, env: str | None = None
) -> tuple[StepStatus, ...]:
    """Return how each step stands; nothing of a step is run, and nothing is changed.

    Args:
        steps: The steps.
        ask: Fetch from the remotes first; what cannot be fetched is told as ``problem``.
        env: The env of the last run; by default each step's own.
    """
    return each(
        steps,
        lambda step: _status(step, ask, env),
        failed=lambda step, text: replace(_blank(step, env), problem=text),
        stopped=lambda step: replace(_blank(step, env), problem="not looked at"),
    )


def _status(step: FleetStep, ask: bool, env: str | None) -> StepStatus:
    state = own_state(step.folder)
    problem = _ask(step, state.branch) if ask else ""
    if ask and not problem:
        state = own_state(step.folder)
    return replace(
        _blank(step, env),
        branch=state.branch,
        commit=state.commit,
        upstream=state.upstream,
        ahead=state.ahead,
        behind=state.behind,
        dirty=state.dirty,
        problem=problem,
    )


def _ask(step: FleetStep, branch: str | None) -> str:
    remote = remote_of(step.folder, branch)
    if remote is None:
        return ""
    name, address = remote
    try:
        fetch(step.folder, name, credentials=token_for(address), reading=True)
    except SinaraError as error:
        return str(error).removeprefix(f"{step.folder}: ")
    return ""


def _blank(step: FleetStep, env: str | None) -> StepStatus:
    return StepStatus(step.name, str(step.folder), step.pipeline, last_run=_last_run(step, env))


def _last_run(step: FleetStep, env: str | None) -> LastRun:
    """Return the newest run, or why it is not known: a broken store says nothing of the rest."""
    if step.params is None:
        return LastRun(problem=step.problem)
    try:
        name = replace(step.params.step, env=env) if env else step.params.step
        place = load_settings(step.folder).env(name.env)
        runs = open_store(place.root, storage_options=place.storage_options).step(name)
        for run_id in runs.run_ids():
            try:
                record = runs.read_record(run_id)
            except RunNotFoundError:  # it has its folder a moment before its record
                continue
            return LastRun(run_id, record.status, record.started)
    except SinaraError as error:
        return LastRun(problem=error.lines[0] if error.lines else type(error).__name__)
    return LastRun()
