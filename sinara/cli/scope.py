"""Which steps a command speaks of: the step of this folder, or every step that the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from sinara.errors import RunNotFoundError, SinaraError, UsageError
from sinara.names import StepName
from sinara.settings import Settings, load_settings
from sinara.store import StepStore, Store, open_store

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
        chosen = ids[:1] if run_id == "last" else [i for i in ids if i.startswith(run_id)]
        found.extend((i, step) for i in chosen)
    return found


def _elsewhere(scope: Scope, run_id: str, by_hand: bool) -> list[tuple[str, StepStore]]:
    try:
        return _fitting(scope, run_id, by_hand)
    except SinaraError:  # nobody asked for that env: that it cannot be read is no answer
        return []
