"""Which steps a command speaks of: the step of this folder, or every step that the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from sinara.errors import RunNotFoundError, SinaraError, UsageError
from sinara.names import StepName
from sinara.record import RunRecord
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
    settings = load_settings(folder)
    if (folder / "params").is_dir() and not any((pipeline, zone, step)):
        from sinara.runner import RunRequest, step_params

        params = step_params(RunRequest(folder, env_name=env), settings)
        return Scope(
            settings, params.env_name, params.pipeline_name, params.zone_name, params.step_name
        )
    return Scope(settings, env or "user", pipeline, zone, step)


def find_run(scope: Scope, run_id: str) -> tuple[StepStore, str]:
    """Return the step and the whole id of a run.

    Args:
        scope: Where to look.
        run_id: An id, the beginning of one, or ``last``.

    Raises:
        RunNotFoundError: If there is none.
        UsageError: If the beginning fits more than one.
    """
    found: list[tuple[str, StepStore]] = []
    for step in scope.steps():
        ids = list(step.run_ids())
        chosen = ids[:1] if run_id == "last" else [i for i in ids if i.startswith(run_id)]
        found.extend((i, step) for i in chosen)
    if not found:
        where = scope.step or scope.pipeline or f"env '{scope.env}'"
        raise RunNotFoundError(f"No run '{run_id}' in {where}. See what there is: sinara run list")
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


def tolerant(read: Callable[[str], RunRecord], run_id: str) -> RunRecord | None:
    """Return a run's record, or ``None`` where one broken record must not hide the others."""
    try:
        return read(run_id)
    except SinaraError as error:
        for line in error.lines:
            click.echo(f"sinara: {line}", err=True)
        return None
