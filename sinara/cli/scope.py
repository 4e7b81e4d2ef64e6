"""Which steps a command speaks of: the step of this folder, or every step that the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from sinara.errors import RunNotFoundError, SinaraError, UsageError
from sinara.names import StepName
from sinara.settings import Settings, load_settings
from sinara.store import StepStore, Store, open_store
from sinara.store.pipelines import PREFIX, PipelineRuns

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Scope:
    """The steps of one env that a command looks at."""

    settings: Settings
    env: str
    pipeline: str | None = None
    zone: str | None = None
    step: str | None = None
    other_envs: tuple[str, ...] = ()  # where a run may be looked for that is not in ``env``

    @property
    def told(self) -> str:
        """What is looked at, for a message."""
        names = {"step": self.step, "pipeline": self.pipeline, "zone": self.zone}
        parts = [f"{kind} {name}" for kind, name in names.items() if name]
        return ", ".join([*parts[:1], f"env '{self.env}' ({self.settings.env(self.env).root})"])

    def elsewhere(self) -> Iterator[Scope]:
        """Yield the same steps in the other envs."""
        for env in self.other_envs:
            yield replace(self, env=env, other_envs=())

    def store(self) -> Store:
        """Return the store of the env."""
        env = self.settings.env(self.env)
        return open_store(
            env.root, storage_options=env.storage_options, durability=self.settings.durability
        )

    def pipelines(self) -> Iterator[PipelineRuns]:
        """Return the runs of the pipelines in scope; none if it is one step's or one zone's."""
        if self.step is None and self.zone is None:
            store = self.store()
            for name in store.pipelines():
                if self.pipeline in (None, name):
                    yield store.pipeline(name)

    def steps(self) -> Iterator[StepStore]:
        """Return the steps in scope that have data or runs, by name."""
        store = self.store()
        for pipeline, zone, step in sorted(store.steps()):
            wanted = (
                self.pipeline in (None, pipeline),
                self.zone in (None, zone),
                self.step in (None, step),
            )
            if all(wanted):
                yield store.step(StepName(self.env, pipeline, zone, step))


def scope_options(command: Command) -> Command:
    """Add the options that choose steps: ``--env``, ``--pipeline``, ``--zone``, ``--step``."""
    for option in (
        click.option("--step", help="Only this step. [default: the step of this folder, else all]"),
        click.option("--zone", help="Only this zone."),
        click.option("--pipeline", help="Only this pipeline."),
        click.option(
            "--env", help="The env to look in. [default: as the step's parameters say, else user]"
        ),
    ):
        command = option(command)
    return command


def find_scope(env: str | None, pipeline: str | None, zone: str | None, step: str | None) -> Scope:
    """Return the scope of a command: its options, else the step of this folder, else everything."""
    folder = Path.cwd()
    in_step = (folder / "params").is_dir()
    # With no settings the data lies beside the steps: in this folder, if it holds the steps.
    holds_steps = not in_step and (folder / "sinara_data").is_dir()
    settings = load_settings(folder / "step" if holds_steps else folder)
    if in_step and not any((pipeline, zone, step)):
        from sinara.runner import RunRequest, step_params

        params = step_params(RunRequest(folder, env_name=env), settings)
        env_name, pipeline, zone, step = (
            params.env_name,
            params.pipeline_name,
            params.zone_name,
            params.step_name,
        )
    else:
        env_name = env or "user"
    others = () if env else tuple(name for name in settings.envs if name != env_name)
    return Scope(settings, env_name, pipeline, zone, step, others)


def find_pipeline_run(scope: Scope, run_id: str) -> tuple[PipelineRuns, str] | None:
    """Return the runs of a pipeline and the whole id of one of them; ``None`` if it is a step's.

    Args:
        scope: Where to look. A run that was asked for by its id is looked for in every env, and
            from within a step, too.
        run_id: An id, the beginning of one, or ``last``: the last run of all.

    Raises:
        RunNotFoundError: If it can only be a pipeline's run, and there is none.
        UsageError: If the beginning fits more than one.
    """
    everywhere = [scope, *scope.elsewhere()]
    if run_id == "last":
        places = [(scope, "")]
    elif run_id.startswith(PREFIX):
        places = [(replace(one, step=None, zone=None), run_id) for one in everywhere]
    else:
        return None
    found = [
        (runs, whole)
        for place, begin in places
        for runs in place.pipelines()
        for whole in (runs.run_ids()[:1] if run_id == "last" else runs.run_ids())
        if whole.startswith(begin)
    ]
    if not found and run_id != "last":
        raise RunNotFoundError(f"No run '{run_id}' here. See what there is: sinara run list")
    if run_id == "last":
        newest = max(found, key=lambda pair: pair[1], default=None)
        return newest if newest and not _is_older(scope, newest[1]) else None
    exact = [pair for pair in found if pair[1] == run_id]
    if len(found) > 1 and len(exact) != 1:
        raise UsageError(f"'{run_id}' fits {len(found)} runs. Give more of the id.")
    return (exact or found)[0]


def _is_older(scope: Scope, pipeline_run: str) -> bool:
    """Return whether a step was run by itself after a run of the pipeline."""
    stamp = pipeline_run.removeprefix(PREFIX)
    for step in scope.steps():
        for run_id in _last_begun(step, step.run_ids()):
            if run_id.removeprefix("run-") > stamp and not step.read_record(run_id).pipeline_run:
                return True
    return False


def _last_begun(step: StepStore, run_ids: Sequence[str]) -> list[str]:
    """Return the first of ``run_ids`` that has a record, or was made by hand; at most one.

    A run has its folder a moment before it has its record.
    """
    from sinara.cli.runs import read_run

    for run_id in run_ids:
        try:
            read_run(step, run_id)
        except RunNotFoundError:
            continue
        return [run_id]
    return []


def find_run(scope: Scope, run_id: str, *, by_hand: bool = True) -> tuple[StepStore, str]:
    """Return the step and the whole id of a run.

    Args:
        scope: Where to look. A run that was asked for by its id is looked for in every env.
        run_id: An id, the beginning of one, or ``last``.
        by_hand: Whether ``last`` may be a snapshot that was published by hand.

    Raises:
        RunNotFoundError: If there is none.
        UsageError: If the beginning fits more than one.
    """
    found = _fitting(scope, run_id, by_hand)
    others = {} if found else {s.env: _elsewhere(s, run_id, by_hand) for s in scope.elsewhere()}
    if run_id != "last":
        found = found or [pair for pairs in others.values() for pair in pairs]
    if not found:
        envs = [env for env, pairs in others.items() if pairs]
        hint = f"Add --env {envs[0]}." if envs else "See what there is: sinara run list"
        raise RunNotFoundError(f"No run '{run_id}' in {scope.told}. {hint}")
    exact = [pair for pair in found if pair[0] == run_id]
    if run_id == "last":
        exact = [max(found, key=lambda pair: pair[0])]
    if len(found) > 1 and len(exact) != 1:
        shown = ", ".join(f"{i} of {s.step.step}" for i, s in found[:5])
        raise UsageError(
            f"'{run_id}' fits {len(found)} runs: {shown}. Give more of the id, or --step."
        )
    whole, step = (exact or found)[0]
    return step, whole


def _fitting(scope: Scope, run_id: str, by_hand: bool) -> list[tuple[str, StepStore]]:
    from sinara.cli.runs import run_ids

    found: list[tuple[str, StepStore]] = []
    for step in scope.steps():
        ids = run_ids(step) if by_hand or run_id != "last" else list(step.run_ids())
        last = run_id == "last"
        chosen = _last_begun(step, ids) if last else [i for i in ids if i.startswith(run_id)]
        found.extend((i, step) for i in chosen)
    return found


def _elsewhere(scope: Scope, run_id: str, by_hand: bool) -> list[tuple[str, StepStore]]:
    try:
        return _fitting(scope, run_id, by_hand)
    except SinaraError:  # nobody asked for that env: that it cannot be read is no answer
        return []
