"""A pipeline read and checked: its steps prepared, in an order in which they can run."""

from __future__ import annotations

import graphlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sinara.errors import ParamsError, SinaraError, UsageError, suggest
from sinara.graph import find_steps
from sinara.params import StepParams
from sinara.pipeline.request import PipelineRequest, overrides_by_step
from sinara.pipeline.select import select
from sinara.reading.collections import no_collections
from sinara.record import Point
from sinara.runner import PreparedStep, RunRequest, prepare, step_params
from sinara.runner.inputs import producer, step_store
from sinara.runner.memory import with_remembered
from sinara.settings import Settings, StepOptions, load_settings

if TYPE_CHECKING:
    from sinara.store import StepStore


@dataclass(frozen=True)
class LoadedStep:
    """One step of a pipeline, ready to be planned.

    Attributes:
        name: What it is called in this pipeline: its name, with its zone if two have the same.
        prepared: The step, read and checked.
        request: How to run it.
        store: Where its runs are.
        needs: The steps that it waits for: those it reads from, and those its condition asks.
        options: What the settings say of it.
        base: Its name in the pipeline; in a sweep a step may stand there several times.
    """

    name: str
    prepared: PreparedStep
    request: RunRequest
    store: StepStore
    needs: tuple[str, ...]
    options: StepOptions
    base: str = ""

    @property
    def folder(self) -> Path:
        """Its folder, absolute."""
        return self.request.folder

    @property
    def key(self) -> str:
        """What tells it from all other steps: ``env/pipeline/zone/step``."""
        return self.prepared.params.step.key


@dataclass(frozen=True)
class Pipeline:
    """The steps that a request means, each after those that it waits for.

    Attributes:
        name: The pipeline's name; of several, the first.
        env_name: The env of its runs; of several, the first.
        folder: That holds the steps.
        settings: Of the first step.
        steps: In an order in which they can run.
        others: Names of the steps that are not meant.
        points: Of a sweep.
    """

    name: str
    env_name: str
    folder: Path
    settings: Settings
    steps: tuple[LoadedStep, ...]
    others: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()

    def step(self, name: str) -> LoadedStep:
        """Return a step by its name."""
        return next(step for step in self.steps if step.name == name)


def load_pipeline(request: PipelineRequest) -> Pipeline:
    """Read and check every step that a request means; nothing is executed.

    Raises:
        UsageError: If there are no such steps, or they read from each other in a circle.
        ParamsError: One line per finding in the steps that are meant.
    """
    folders = request.steps or find_steps(request.folder)
    with no_collections():
        read = _read_all([folder.absolute() for folder in folders], request)
        overrides = overrides_by_step(request.overrides, list(read))
        loaded, broken = _prepare_all(read, overrides, request)
    needs = _needs(loaded, read)
    chosen = select(request, needs)
    if lines := [line for name, found in broken.items() if name in chosen for line in found]:
        raise ParamsError(*lines)
    order = [name for name in _in_order(needs) if name in chosen]
    steps = tuple(
        replace(loaded[name], needs=tuple(n for n in needs[name] if n in chosen)) for name in order
    )
    points: tuple[Point, ...] = ()
    if request.points:
        steps, points = spread(steps, request, lambda name, own: _again(read[name], own, request))
    first = steps[0].prepared
    return Pipeline(
        first.params.pipeline_name,
        first.params.env_name,
        steps[0].folder.parent,
        first.settings,
        steps,
        tuple(name for name in read if name not in chosen),
        points,
    )


def spread(
    steps: Sequence[LoadedStep],
    request: PipelineRequest,
    prepared: Callable[[str, tuple[str, ...]], LoadedStep],
) -> tuple[tuple[LoadedStep, ...], tuple[Point, ...]]:
    """Return the steps of a sweep: each as often as there are different points for it.

    Steps that no parameter of the sweep reaches stand there once, and so run once.

    Args:
        steps: The pipeline's, in their order.
        request: With the points.
        prepared: Gives a step by its name and overrides.

    Raises:
        UsageError: If a point names no step.
        ParamsError: If a step cannot have the values of a point.
    """
    found: dict[str, LoadedStep] = {}
    points = []
    for point in request.points:
        own = overrides_by_step(point, [step.name for step in steps], given_as="point")
        given = overrides_by_step([*request.overrides, *point], [step.name for step in steps])
        reached: dict[str, tuple[str, ...]] = {}
        names: dict[str, str] = {}
        for step in steps:
            above_it = {one for need in step.needs for one in reached[need]}
            reached[step.name] = tuple(
                sorted({*above_it, *(f"{step.name}.{one}" for one in own[step.name])})
            )
            label = ", ".join(reached[step.name])
            name = names[step.name] = f"{step.name}[{label}]" if label else step.name
            if name not in found:
                base = prepared(step.name, given[step.name]) if own[step.name] else step
                needs = tuple(names[need] for need in step.needs)
                found[name] = replace(base, name=name, base=step.name, needs=needs)
        points.append(Point(tuple(point), names))
    return tuple(found.values()), tuple(points)


def _again(read: _Read, overrides: tuple[str, ...], request: PipelineRequest) -> LoadedStep:
    """Return a step with other parameters."""
    name = read.params.step_name if read.params else read.folder.name
    loaded, broken = _prepare_all({name: read}, {name: overrides}, request)
    if broken:
        raise ParamsError(*broken[name])
    return loaded[name]


@dataclass(frozen=True)
class _Read:
    folder: Path
    settings: Settings
    params: StepParams | None
    lines: tuple[str, ...] = ()


def _read_all(folders: list[Path], request: PipelineRequest) -> dict[str, _Read]:
    """Return the steps by their names; what is wrong with their files is kept for later."""
    found: list[_Read] = []
    settings: dict[tuple[Path, bool], Settings] = {}
    for folder in folders:
        place = (folder.parent, (folder / "sinara.toml").exists())
        try:
            if place not in settings or place[1]:
                settings[place] = load_settings(folder)
            own = replace(settings[place], folder=folder)
            params = step_params(RunRequest(folder, env_name=request.env_name), own)
            found.append(_Read(folder, own, params))
        except SinaraError as error:
            lines = tuple(f"{folder.name}: {line}" for line in error.lines)
            found.append(_Read(folder, Settings(folder=folder), None, lines))
    named = [(one.params.step_name if one.params else one.folder.name) for one in found]
    zones = [one.params.zone_name if one.params else "" for one in found]
    twice = {name for name, count in Counter(named).items() if count > 1}
    names = [
        f"{zone}.{name}" if name in twice and zone else name
        for name, zone in zip(named, zones, strict=True)
    ]
    for name, count in Counter(names).items():
        if count > 1:
            places = [str(f.folder) for f, n in zip(found, names, strict=True) if n == name]
            raise UsageError(f"Step '{name}' is there {count} times: {', '.join(places)}.")
    return dict(zip(names, found, strict=True))


def _prepare_all(
    read: Mapping[str, _Read], overrides: Mapping[str, tuple[str, ...]], request: PipelineRequest
) -> tuple[dict[str, LoadedStep], dict[str, tuple[str, ...]]]:
    loaded: dict[str, LoadedStep] = {}
    broken = {name: one.lines for name, one in read.items() if one.lines}
    for name, one in read.items():
        if one.lines:
            continue
        run_request = RunRequest(
            one.folder,
            env_name=request.env_name,
            overrides=overrides[name],
            reuse=request.reuse,
            retries=request.retries,
            run_timeout=request.timeout,
        )
        try:
            read_already = None if overrides[name] else one.params
            prepared = prepare(run_request, settings=one.settings, params=read_already)
            store = step_store(prepared.settings, prepared.params.step)
            prepared = with_remembered(prepared, store)
        except SinaraError as error:
            broken[name] = tuple(f"{one.folder.name}: {line}" for line in error.lines)
            continue
        options = one.settings.steps.get(prepared.params.step_name, StepOptions())
        force = forced(request.force, name, [s.name for s in prepared.substeps])
        run_request = replace(run_request, force=force)
        loaded[name] = LoadedStep(name, prepared, run_request, store, (), options, name)
    return loaded, broken


def forced(force: tuple[str, ...], step: str, substeps: list[str]) -> frozenset[str]:
    """Return the substeps of a step that run in any case: ``step``, ``step/substep`` or ``*``.

    Raises:
        UsageError: If the step has no such substep.
    """
    found: set[str] = set()
    for one in force:
        name, slash, substep = one.partition("/")
        if name not in ("*", step):
            continue
        meant = {s for s in substeps if not slash or s in (substep, f"{substep}.ipynb")}
        if not meant and name == step:
            advice = suggest(substep, substeps) or f"It has {', '.join(substeps)}."
            raise UsageError(f"Step '{step}' has no substep '{substep}'. {advice}")
        found |= meant
    return frozenset(found)


def _needs(
    loaded: Mapping[str, LoadedStep], read: Mapping[str, _Read]
) -> dict[str, tuple[str, ...]]:
    """Return for each step those that it waits for."""
    by_key = {step.key: name for name, step in loaded.items()}
    needs: dict[str, tuple[str, ...]] = dict.fromkeys(read, ())
    for name, step in loaded.items():
        own = step.prepared.params.step
        found = {
            by_key.get(producer(ref, own).key)
            for substep in step.prepared.substeps
            if substep.interface is not None
            for ref in substep.interface.inputs
            if not ref.run_id
        }
        found.update(_asked(step, read))
        needs[name] = tuple(sorted(one for one in found if one not in (None, name) and one))
    return needs


def _asked(step: LoadedStep, read: Mapping[str, _Read]) -> set[str]:
    """Return the steps that the condition of a step asks."""
    condition = step.options.when
    asked = {name.step for name in condition.names} if condition else set()
    for name in sorted(asked):
        if name not in read or name == step.name:
            raise UsageError(
                f"{step.prepared.settings.file}: steps.{step.name}: when: there is no other step "
                f"'{name}'. The steps are {', '.join(read)}."
            )
    return asked


def _in_order(needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return tuple(graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise UsageError(
            f"Steps read from each other: {circle}. See: sinara pipeline check"
        ) from None
