"""Which run each declared input is read from, decided once, before anything is read.

For one input, the first of these that answers::

    RUN_ID in the declaration         that run
    an earlier substep of this run    this very run (the input names the step's own entity)
    the driver's pins                 chosen when the step started
    the pins file                     chosen by an earlier substep, which nobody could read before
    the store                         the newest published run that holds all entities
                                      which this substep declares from that step

So all entities that come from one step come from one run of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sinara import names
from sinara.context import RunContext
from sinara.errors import EntityNotFoundError, RunNotFoundError, StoreError
from sinara.interface import InputRef
from sinara.names import StepName
from sinara.substep.locked import locked_json

if TYPE_CHECKING:
    from sinara.settings import Settings
    from sinara.store import Commit, StepStore
    from sinara.store.retention import Pin

PROD = "prod"
NOT_FOUND = "not found"


@dataclass(frozen=True)
class ResolvedInput:
    """One input and where it is read from."""

    ref: InputRef
    step: StepName
    run_id: str
    url: str
    note: str = ""  # "interactive", "unverified (written by the original)", ...
    manifest: str = ""  # sha256 of the sealed manifest; empty where there is none

    @property
    def full_name(self) -> str:
        """``env.pipeline.zone.step.entity``."""
        return names.full_name(self.step, self.ref.entity_name)


@dataclass(frozen=True)
class Reader:
    """Reads the store for one substep, by the rules of the env that the substep belongs to."""

    context: RunContext
    settings: Settings
    _pins: list[Pin] = field(default_factory=list, compare=False)

    @cached_property
    def own_step(self) -> StepName:
        """The step that the substep belongs to."""
        context = self.context
        return StepName(
            context.env_name, context.pipeline_name, context.zone_name, context.step_name
        )

    def producer(self, ref: InputRef) -> StepName:
        """Return the step that an input comes from."""
        own = self.own_step
        return StepName(
            ref.env_name or own.env,
            ref.pipeline_name or own.pipeline,
            ref.zone_name or own.zone,
            ref.step_name,
        )

    def step_store(self, step: StepName) -> StepStore:
        """Return the store of a step, in the env that its name says."""
        from sinara.store import open_store

        env = self.settings.env(step.env)
        options = dict(env.storage_options)
        store = open_store(env.root, storage_options=options, durability=self.settings.durability)
        return store.step(step)

    def resolve(
        self, refs: Iterable[InputRef], *, lenient: bool = False
    ) -> tuple[ResolvedInput, ...]:
        """Return where each input is read from, in the order given.

        Args:
            refs: The inputs.
            lenient: An input that names a run which is not there is no error, but marked, unless
                the step is strict or in prod: the original notices it when it is read.

        Raises:
            EntityNotFoundError: One line per input that no run may give.
            CorruptError: If what is stored differs from its manifest.
        """
        refs = tuple(refs)
        wanted = self._wanted(refs)
        resolved: list[ResolvedInput] = []
        lines: list[str] = []
        chosen: dict[tuple[StepName, str | None], Commit] = {}
        for ref in refs:
            step = self.producer(ref)
            if self._is_of_this_run(ref, step):
                resolved.append(self._of_this_run(ref, step))
                continue
            try:
                key = (step, ref.run_id)
                if key not in chosen:
                    chosen[key] = self._hold(step, ref.run_id, wanted.get(key, ()))
                resolved.append(self._open(ref, step, chosen[key]))
            except (EntityNotFoundError, RunNotFoundError) as error:
                if lenient and ref.run_id and not self._strict(step):
                    resolved.append(self._not_there(ref, step, ref.run_id))
                    continue
                lines.extend(line for line in error.lines if line not in lines)
        if lines:
            raise EntityNotFoundError(*lines)
        return tuple(resolved)

    def newest(self, step: StepName, entities: Iterable[str]) -> Commit:
        """Return the newest run of ``step`` that holds all ``entities`` and may be read here.

        Raises:
            EntityNotFoundError: One line per entity that is missing, with what there is.
        """
        asked = sorted(set(entities))
        store, interactive, legacy = self.step_store(step), not self._prod(step), self._legacy(step)
        commit = store.latest(asked, interactive=interactive, legacy=legacy)
        if commit is not None:
            return commit
        latest = store.latest((), interactive=interactive, legacy=legacy)
        there = sorted(_without_reports(latest.entities)) if latest else []
        missing = [name for name in asked if name not in there] or asked
        raise EntityNotFoundError(
            *(EntityNotFoundError.for_entity(name, step.step, there).lines[0] for name in missing)
        )

    def outdated(self, inputs: Iterable[ResolvedInput]) -> tuple[ResolvedInput, ...]:
        """Return those of ``inputs`` that a newer run of their step now holds in another state.

        An input that names its run, or that this run wrote, is never outdated.
        """
        asked: dict[StepName, list[ResolvedInput]] = {}
        for item in inputs:
            if item.ref.run_id is None and not self._is_of_this_run(item.ref, item.step):
                asked.setdefault(item.step, []).append(item)
        old: list[ResolvedInput] = []
        for step, items in asked.items():
            with contextlib.suppress(EntityNotFoundError):  # taken back; what is pinned is there
                held = self.newest(step, [item.ref.entity_name for item in items])
                old += [item for item in items if not _is_held(item, held)]
        return tuple(old)

    def _wanted(
        self, refs: Iterable[InputRef]
    ) -> Mapping[tuple[StepName, str | None], tuple[str, ...]]:
        wanted: dict[tuple[StepName, str | None], tuple[str, ...]] = {}
        for ref in refs:
            step = self.producer(ref)
            if not self._is_of_this_run(ref, step):
                key = (step, ref.run_id)
                wanted[key] = (*wanted.get(key, ()), ref.entity_name)
        return wanted

    def _is_of_this_run(self, ref: InputRef, step: StepName) -> bool:
        produced = ref.entity_name in self.context.produced
        return produced and step == self.own_step and ref.run_id in (None, self.context.run_id)

    def _of_this_run(self, ref: InputRef, step: StepName) -> ResolvedInput:
        url = self.context.produced[ref.entity_name]
        return ResolvedInput(ref, step, names.parse_entity_url(url).run_id, url, "this run")

    def _not_there(self, ref: InputRef, step: StepName, run_id: str) -> ResolvedInput:
        root = self.settings.env(step.env).root
        url = names.entity_url(root, step, run_id, ref.entity_name)
        return ResolvedInput(ref, step, run_id, url, NOT_FOUND)

    def commit_of(self, item: ResolvedInput) -> Commit | None:
        """Return the published run that an input is read from; ``None`` if this run wrote it.

        Raises:
            RunNotFoundError: If it is not published.
        """
        if self._is_of_this_run(item.ref, item.step):
            return None
        return self.step_store(item.step).commit(item.run_id, legacy=True)

    def let_go(self) -> None:
        """Let the store delete what was read here, if it is taken back."""
        while self._pins:
            with contextlib.suppress(StoreError):
                self._pins.pop().release()

    def _hold(self, step: StepName, run_id: str | None, entities: Iterable[str]) -> Commit:
        """Choose a run and keep it: a newer snapshot of the same draft would let it be deleted."""
        commit = self._choose(step, run_id, entities)
        lost: set[str] = set()
        while not commit.legacy:
            try:
                self._pins.append(self.step_store(step).pin(commit.run_id))
                break
            except RunNotFoundError:  # taken back since: the log has a newer word by now
                if commit.run_id in lost:
                    raise
                lost.add(commit.run_id)
                commit = self._choose(step, run_id, entities)
            except StoreError:
                break  # a store that may only be read: nobody deletes anything there, either
        return commit

    def _choose(self, step: StepName, run_id: str | None, entities: Iterable[str]) -> Commit:
        run_id = run_id or self.context.pins.get(step.key)
        if run_id:
            return self._commit(step, run_id)
        if not self.context.pins_file:
            return self.newest(step, entities)
        with locked_json(Path(self.context.pins_file)) as pins:
            if step.key in pins:
                return self._commit(step, pins[step.key])
            commit = self.newest(step, entities)
            pins[step.key] = commit.run_id
            return commit

    def _commit(self, step: StepName, run_id: str) -> Commit:
        commit = self.step_store(step).commit(names.check_run_id(run_id), legacy=True)
        if commit.interactive and self._prod(step):
            raise EntityNotFoundError(
                f"Run {run_id} of step '{step.step}' was published by hand from a notebook, and "
                "prod reads no such run. Run that step: python step.prod.py, in its folder."
            )
        if commit.legacy and not self._legacy(step):
            raise EntityNotFoundError(
                f"Run {run_id} of step '{step.step}' was never sealed, and prod reads no such run. "
                "Set legacy_in_prod = true in sinara.toml to read it all the same."
            )
        return commit

    def _open(self, ref: InputRef, step: StepName, commit: Commit) -> ResolvedInput:
        name = ref.entity_name
        folders = {names.entity_folder(held): held for held in commit.entities}
        held = folders.get(names.entity_folder(name))
        if held is None:
            there = ", ".join(sorted(_without_reports(commit.entities))) or "nothing else"
            raise EntityNotFoundError(
                f"Run {commit.run_id} of step '{step.step}' holds no entity '{name}'; "
                f"it holds {there}."
            )
        # In a job an input is hashed the first time that this machine meets it.
        in_job = bool(self.context.handback_file)
        info = self.step_store(step).open(commit, held, verify="cached" if in_job else "sizes")
        note = "interactive" if commit.interactive else ""
        if commit.legacy:
            note = "unverified (written by the original)"
        return ResolvedInput(ref, step, commit.run_id, info.url, note, info.manifest or "")

    def _prod(self, step: StepName) -> bool:
        return PROD in (step.env, self.context.env_name)

    def _strict(self, step: StepName) -> bool:
        own = self.context.step_params.get("strict_params", self.settings.strict_params)
        return self._prod(step) or bool(own)

    def _legacy(self, step: StepName) -> bool:
        return self.settings.legacy_in_prod or not self._prod(step)


def _is_held(item: ResolvedInput, commit: Commit) -> bool:
    if commit.run_id == item.run_id:
        return True
    held = commit.entities.get(item.ref.entity_name)
    return held is not None and bool(item.manifest) and held.manifest_sha256 == item.manifest


def _without_reports(entities: Iterable[str]) -> list[str]:
    return [name for name in entities if not name.startswith(("reports.", "reports_"))]
