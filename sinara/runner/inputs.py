"""The inputs of a run, pinned once, when the step starts.

All entities that a run reads from one step come from one published run of that step,
so that nobody ever computes with half of one run and half of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sinara import names
from sinara.errors import EntityNotFoundError, SinaraError
from sinara.interface import InputRef
from sinara.names import StepName
from sinara.runner.prepare import PreparedStep
from sinara.settings import Settings
from sinara.store import Commit, StepStore, open_store


@dataclass(frozen=True)
class Pin:
    """One published run that this run reads from."""

    step: StepName
    commit: Commit


def step_store(settings: Settings, step: StepName) -> StepStore:
    """Return the store of one step, in the env that its name says."""
    env = settings.env(step.env)
    store = open_store(
        env.root, storage_options=env.storage_options, durability=settings.durability
    )
    return store.step(step)


def producer(ref: InputRef, reader: StepName) -> StepName:
    """Return the full name of the step that an input comes from."""
    return StepName(
        ref.env_name or reader.env,
        ref.pipeline_name or reader.pipeline,
        ref.zone_name or reader.zone,
        ref.step_name,
    )


def pin_inputs(prepared: PreparedStep, given: Mapping[str, str] | None = None) -> dict[str, Pin]:
    """Choose the run that each step's entities are read from.

    Args:
        prepared: The step that reads.
        given: Runs that are chosen already, by the step's key; the newest of any other step.

    Returns:
        One pin per upstream step, by the step's key (``env/pipeline/zone/step``). Inputs with
        a ``RUN_ID`` of their own and entities that an earlier substep of this very
        run writes need none.

    Raises:
        EntityNotFoundError: One line per input that no published run holds.
    """
    wanted: dict[StepName, set[str]] = {}
    fixed: list[tuple[StepName, str, str]] = []
    own = prepared.params.step
    written: set[str] = set()
    for substep in prepared.substeps:
        declared = substep.interface
        if declared is None:
            continue
        for ref in declared.inputs:
            step = producer(ref, own)
            if ref.run_id:
                fixed.append((step, ref.run_id, ref.entity_name))
            elif step != own or ref.entity_name not in written:
                wanted.setdefault(step, set()).add(ref.entity_name)
        written.update(declared.outputs)
    lines: list[str] = []
    pins: dict[str, Pin] = {}
    for step, entities in sorted(wanted.items()):
        try:
            chosen = (given or {}).get(step.key)
            commit = (
                _chosen(prepared, step, chosen, entities)
                if chosen
                else newest(prepared, step, entities)
            )
            pins[step.key] = Pin(step, commit)
        except SinaraError as error:
            lines.extend(error.lines)
    for step, run_id, entity in fixed:
        lines.extend(_missing_in(prepared, step, run_id, entity))
    if lines:
        raise EntityNotFoundError(*lines)
    return pins


def content_digest(commit: Commit, entity: str) -> str:
    """Return a digest of what an entity of a published run holds, or ``missing``.

    A run of the original has no digests: the run itself stands for its content.
    """
    folders = {names.entity_folder(name): name for name in commit.entities}
    held = folders.get(names.entity_folder(entity))
    if held is None:
        return "missing"
    return commit.entities[held].manifest_sha256 or f"run {commit.run_id}"


def newest(prepared: PreparedStep, step: StepName, entities: Iterable[str]) -> Commit:
    """Return the newest published run of ``step`` that holds all ``entities`` and may be read.

    Raises:
        EntityNotFoundError: If there is none; the text names what there is.
    """
    asked = sorted(entities)
    store = step_store(prepared.settings, step)
    in_prod, legacy = _rules(prepared, step)
    commit = store.latest(asked, interactive=not in_prod, legacy=legacy)
    if commit is not None:
        return commit
    latest = store.latest((), interactive=not in_prod, legacy=legacy)
    there = sorted(latest.entities) if latest else []
    missing = [entity for entity in asked if entity not in there]
    raise EntityNotFoundError(
        *(
            EntityNotFoundError.for_entity(entity, step.step, there).lines[0]
            for entity in missing or asked
        )
    )


def _chosen(prepared: PreparedStep, step: StepName, run_id: str, entities: Iterable[str]) -> Commit:
    """Return a run that was chosen before, if it holds all that is read from it."""
    commit = step_store(prepared.settings, step).commit(run_id)
    there = sorted(commit.entities)
    missing = [name for name in sorted(entities) if content_digest(commit, name) == "missing"]
    if missing:
        raise EntityNotFoundError(
            *(EntityNotFoundError.for_entity(name, step.step, there).lines[0] for name in missing)
        )
    return commit


def _rules(prepared: PreparedStep, step: StepName) -> tuple[bool, bool]:
    """Return whether the rules of prod hold for ``step``, and whether unsealed runs may be read."""
    in_prod = "prod" in (prepared.params.env_name, step.env)
    return in_prod, prepared.settings.legacy_in_prod or not in_prod


def _missing_in(prepared: PreparedStep, step: StepName, run_id: str, entity: str) -> list[str]:
    in_prod, legacy = _rules(prepared, step)
    if not (in_prod or prepared.params.strict):
        return []  # as in the original it is noticed when it is read; many declare what they do not
    try:
        commit = step_store(prepared.settings, step).commit(run_id, legacy=legacy)
    except SinaraError as error:
        return list(error.lines)
    if commit.interactive and in_prod:
        return [f"Run {run_id} of step '{step.step}' was published by hand: prod does not read it."]
    folders = {names.entity_folder(name) for name in commit.entities}
    if names.entity_folder(entity) in folders:
        return []
    there = ", ".join(sorted(commit.entities))
    return [f"Run {run_id} of step '{step.step}' holds no entity '{entity}'; it holds {there}."]
