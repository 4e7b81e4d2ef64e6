"""What a run of a pipeline would do, and exactly why; nothing is executed.

::

    step by step, each after those it reads from
        substep ─► reuse (of which run) | run (why) | open (its inputs are made anew: it runs
                                                          unless they come out as they were)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sinara.errors import SinaraError
from sinara.interface import InputRef
from sinara.pipeline.load import LoadedStep, Pipeline
from sinara.reading.collections import no_collections
from sinara.runner.inputs import content_digest, newest, producer, step_store
from sinara.runner.reuse import Action, Chooser, Decision, sole_source
from sinara.store import Commit

StepAction = Literal["run", "reuse", "open"]


@dataclass(frozen=True)
class PlannedStep:
    """What is to become of one step.

    Attributes:
        step: The step.
        action: ``reuse`` if all of it can be read from one earlier run; ``open`` if that depends
            on what comes out of other steps; otherwise ``run``.
        run_id: The run that is reused; empty otherwise.
        decisions: For each substep.
        missing: Inputs that no published run holds and that nobody here makes; lines.
    """

    step: LoadedStep
    action: StepAction
    run_id: str
    decisions: tuple[Decision, ...]
    missing: tuple[str, ...] = ()

    @property
    def condition(self) -> str:
        """What has to hold for the step to run; empty if nothing has to."""
        return self.step.options.when.text if self.step.options.when else ""


@dataclass(frozen=True)
class PipelinePlan:
    """What is to become of every step, in their order."""

    pipeline: Pipeline
    steps: tuple[PlannedStep, ...]

    def step(self, name: str) -> PlannedStep:
        """Return what is planned for one step."""
        return next(one for one in self.steps if one.step.name == name)

    def count(self, *actions: Action) -> int:
        """Return for how many substeps one of ``actions`` is planned."""
        return sum(one.action in actions for step in self.steps for one in step.decisions)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON can hold it."""
        return {
            "pipeline": self.pipeline.name,
            "env": self.pipeline.env_name,
            "steps": [
                {
                    "step": planned.step.name,
                    "action": planned.action,
                    "run_id": planned.run_id or None,
                    "when": planned.condition or None,
                    "needs": list(planned.step.needs),
                    "missing": list(planned.missing),
                    "substeps": [
                        {
                            "substep": one.substep,
                            "action": one.action,
                            "reasons": list(one.reasons),
                            "run_id": one.source or None,
                        }
                        for one in planned.decisions
                    ],
                }
                for planned in self.steps
            ],
        }


def make_plan(pipeline: Pipeline) -> PipelinePlan:
    """Return what a run of the pipeline would do now.

    Args:
        pipeline: Its steps, read and checked.
    """
    planned: dict[str, PlannedStep] = {}
    with no_collections():
        for step in pipeline.steps:
            inputs = Inputs(step, {planned[name].step.key: planned[name] for name in step.needs})
            planned[step.name] = plan_step(step, inputs)
    return PipelinePlan(pipeline, tuple(planned.values()))


def plan_step(step: LoadedStep, inputs: Inputs) -> PlannedStep:
    """Return what is to become of one step.

    Args:
        step: The step.
        inputs: What its inputs hold, as far as it is known.
    """
    chooser = Chooser(step.prepared, step.store, inputs.digest, step.request.force)
    decisions = chooser.all()
    if not step.request.reuse:
        decisions = tuple(
            Decision(one.substep, "run", ("nothing is to be reused",)) for one in decisions
        )
    source = next((one.source for one in decisions if one.source), "")
    record = chooser.record(source) if source else None
    published = [substep.name for substep in record.substeps] if record else []
    run_id = sole_source(decisions, published)
    action: StepAction = "run"
    if run_id:
        action = "reuse"
    elif decisions and all(one.action != "run" for one in decisions):
        action = "open" if any(one.action == "open" for one in decisions) else "run"
    return PlannedStep(step, action, run_id, decisions, tuple(inputs.missing()))


class Inputs:
    """What the inputs of one step hold: of steps that are planned, and of all others.

    Args:
        step: The step that reads.
        upstream: What is planned for the steps before it, by their keys.
        pins: Runs to read from, by the key of their step, where that is settled.
    """

    def __init__(
        self,
        step: LoadedStep,
        upstream: Mapping[str, PlannedStep],
        pins: Mapping[str, str] | None = None,
    ) -> None:
        self._step = step
        self._upstream = upstream
        self._pins = dict(pins or {})
        self._commits: dict[tuple[str, str], Commit | None] = {}
        self._missing: dict[str, str] = {}

    def digest(self, ref: InputRef) -> str | None:
        """Return the digest of what an input holds; ``None`` if it is yet to be made."""
        own = self._step.prepared.params.step
        source = producer(ref, own)
        planned = self._upstream.get(source.key)
        pinned = ref.run_id or self._pins.get(source.key)
        if planned is not None and not pinned:
            if planned.action != "reuse":
                return _known(planned, ref.entity_name)
            pinned = planned.run_id
        commit = self._commit(ref, pinned or "")
        return "missing" if commit is None else content_digest(commit, ref.entity_name)

    def missing(self) -> Iterator[str]:
        """Yield a line for each step whose data was asked for and is not there."""
        yield from self._missing.values()

    def _commit(self, ref: InputRef, run_id: str) -> Commit | None:
        prepared = self._step.prepared
        source = producer(ref, prepared.params.step)
        key = (source.key, run_id)
        if key not in self._commits:
            try:
                if run_id:
                    found = step_store(prepared.settings, source).commit(run_id, legacy=True)
                else:
                    found = newest(prepared, source, self._read_from(source.key))
                self._commits[key] = found
            except SinaraError as error:
                self._commits[key] = None
                if not ref.run_id:
                    self._missing[source.key] = " ".join(error.lines)
        return self._commits[key]

    def _read_from(self, key: str) -> set[str]:
        """Return all that the step reads from another one."""
        prepared = self._step.prepared
        return {
            ref.entity_name
            for substep in prepared.substeps
            if substep.interface is not None
            for ref in substep.interface.inputs
            if not ref.run_id and producer(ref, prepared.params.step).key == key
        }


def _known(planned: PlannedStep, entity: str) -> str | None:
    """Return the digest of an entity of a step that runs in part, if it is taken over."""
    for decision in planned.decisions:
        if decision.action == "reuse" and entity in decision.outputs:
            return decision.outputs[entity]
    return None
