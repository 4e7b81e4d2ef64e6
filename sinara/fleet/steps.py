"""The steps of a pipeline folder, with their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sinara.errors import SinaraError, UsageError, suggest
from sinara.fleet.values import FleetStep
from sinara.names import shown
from sinara.params import StepParams, load_step_params

_PARAMS = tuple(f"params/step_params.{end}" for end in ("json", "yaml", "yml"))
_SCRIPTS = ("step.dev.py", "step.prod.py")


def steps_in(folder: Path) -> tuple[FleetStep, ...]:
    """Return the steps that lie directly in a folder, by the folder's name.

    Args:
        folder: The folder of a pipeline. If it is a step itself, the steps beside it are meant.

    Raises:
        UsageError: If there is none.
    """
    folder = folder.absolute()
    place = folder.parent if _is_step(folder) else folder
    try:
        inside = sorted(path for path in place.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror}.") from error
    found = tuple(_step(path) for path in inside if path.is_dir() and _is_step(path))
    if not found:
        raise UsageError(
            f"{place}: there is no step in this folder (a folder with params/step_params.json). "
            "Name the folder that holds the steps with --folder."
        )
    return found


def choose(steps: Sequence[FleetStep], names: Iterable[str]) -> tuple[FleetStep, ...]:
    """Return the steps with these names, or all if there is none; a folder's name does as well.

    Raises:
        UsageError: If a name is of none of them.
    """
    wanted = tuple(names)
    if not wanted:
        return tuple(steps)
    known = [step.name for step in steps]
    for name in wanted:
        if not any(name in (step.name, step.folder.name) for step in steps):
            hint = suggest(name, known) or f"There is {', '.join(known)}."
            raise UsageError(f"No step is called {shown(name)}. {hint}")
    return tuple(s for s in steps if s.name in wanted or s.folder.name in wanted)


def params_of(folder: Path) -> StepParams:
    """Return the parameters of a step, as its files say.

    Raises:
        ParamsError: If a file is wrong.
    """
    there = [name for name in _PARAMS if (folder / name).is_file()]
    return load_step_params(there or _PARAMS[0], folder=folder)


def _step(folder: Path) -> FleetStep:
    try:
        params = params_of(folder)
    except SinaraError as error:
        return FleetStep(folder, folder.name, problem=error.lines[0] if error.lines else "")
    return FleetStep(folder, params.step_name, params.pipeline_name, params=params)


def _is_step(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (*_PARAMS, *_SCRIPTS))
