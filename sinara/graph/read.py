"""One step read off its files: names, parameters, interfaces. Nothing of it is executed.

The same readers as in a run and in ``sinara step check`` do the work, so what is drawn is what
a run will do. What cannot be read becomes a line, and the rest is read all the same.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.errors import BadNameError, NotebookError, ParamsError
from sinara.graph.values import Severity
from sinara.interface import Interface
from sinara.names import check_name
from sinara.params import (
    DEFAULT_ENV,
    DEFAULT_ZONE,
    StepParams,
    SubstepParams,
    check_substep,
    default_step_name,
    load_step_params,
    read_parameters,
)
from sinara.postmortem.masks import MASK, is_secret
from sinara.reading import CellSource, NotPythonError, parse_cell, read_cells, read_interface
from sinara.secret import read_reference

PARAMS_FILES = tuple(f"params/step_params.{suffix}" for suffix in ("json", "yaml", "yml"))
_SCRIPT_LIMIT = 100_000  # bytes of step.dev.py that are looked at
_LONGEST = 200  # characters of a parameter's value


@dataclass(frozen=True)
class ReadProblem:
    """Why something of a step could not be read.

    Attributes:
        severity: ``error`` if a run would fail on it; ``warning`` if only a run can tell.
        code: ``params``, ``missing-file``, ``notebook``, ``interface`` or ``unreadable``.
        text: One line, without the step's name.
    """

    severity: Severity
    code: str
    text: str


@dataclass(frozen=True)
class SubstepReading:
    """What was read of one substep; ``interface`` is ``None`` if it declares none."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()
    interface: Interface | None = None
    problems: tuple[ReadProblem, ...] = ()


@dataclass(frozen=True)
class StepReading:
    """What was read of one step.

    Attributes:
        folder: Absolute.
        env_name: As ``python step.dev.py`` would run it, or as asked for.
        pipeline_name: Empty if the parameter file cannot be read.
        zone_name: The zone.
        step_name: The step's name.
        substeps: In the order in which they run.
        problems: Of the parameter file.
    """

    folder: str
    env_name: str
    pipeline_name: str
    zone_name: str
    step_name: str
    substeps: tuple[SubstepReading, ...] = ()
    problems: tuple[ReadProblem, ...] = ()


def read_step(
    folder: Path, env_name: str | None = None, *, strict_default: bool = False
) -> StepReading:
    """Read one step.

    Args:
        folder: The step's folder, absolute.
        env_name: Wins over the env of the script and of the parameter file.
        strict_default: Whether the step is strict where its parameter file does not say.

    Returns:
        What could be read, and why the rest could not.
    """
    script = _script_arguments(folder)
    env_name = env_name or script.get("env_name")
    try:
        params = load_step_params(
            script.get("step_params_file_globs") or _there(folder),
            script.get("pipeline_params_file_globs"),
            folder=folder,
            env_name=env_name,
            strict_default=strict_default,
        )
    except ParamsError as error:
        problems = tuple(ReadProblem("error", "params", line) for line in error.lines)
        name = _folder_name(folder)
        return StepReading(
            str(folder), env_name or DEFAULT_ENV, "", DEFAULT_ZONE, name, problems=problems
        )
    return StepReading(
        folder=str(folder),
        env_name=params.env_name,
        pipeline_name=params.pipeline_name,
        zone_name=params.zone_name,
        step_name=params.step_name,
        substeps=tuple(_read_substep(folder, params, substep) for substep in params.substeps),
    )


def _there(folder: Path) -> list[str]:
    """Return the default parameter files that are there; the first if none is."""
    found = [name for name in PARAMS_FILES if os.path.isfile(folder / name)]  # noqa: PTH113
    return found or [PARAMS_FILES[0]]


def _folder_name(folder: Path) -> str:
    try:
        return check_name("step", default_step_name(folder))
    except BadNameError:
        return folder.name


def _script_arguments(folder: Path) -> dict[str, Any]:
    """Return the literal arguments with which ``step.dev.py`` makes its ``Step``."""
    path = folder / "step.dev.py"
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as stream:
            body = parse_cell(stream.read(_SCRIPT_LIMIT).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, NotPythonError):
        return {}
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Step":
            names = ("step_params_file_globs", "pipeline_params_file_globs", "env_name")
            given = [*zip(names, node.args, strict=False)]
            given += [(word.arg or "", word.value) for word in node.keywords]
            literal = {name: _literal(value) for name, value in given if name in names}
            return {name: value for name, value in literal.items() if value}
    return {}


def _literal(node: ast.expr) -> str | list[str] | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(value, str):
        return value
    several = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    return list(value) if several else None


def _read_substep(folder: Path, params: StepParams, substep: SubstepParams) -> SubstepReading:
    name, path = substep.name, folder / substep.name
    if not path.is_file():  # nor is a pipe or a device read, which might never end
        text = "there is no such file. Create it, or take it off the list in the parameter file."
        return SubstepReading(name, problems=(ReadProblem("error", "missing-file", text),))
    try:
        cells = read_cells(path)
    except NotebookError as error:
        lines = [line.removeprefix(f"{path}: ") for line in error.lines]
        problems = tuple(ReadProblem("error", "notebook", line) for line in lines)
        return SubstepReading(name, problems=problems)
    values = _values(cells, params, substep)
    reading = read_interface(
        cells,
        pipeline_params=params.pipeline_params,
        step_params=params.step_params,
        substep_params=values,
    )
    problems = tuple(
        ReadProblem(
            "error" if problem.certain else "warning",
            "interface" if problem.certain else "unreadable",
            f"cell {problem.cell + 1}, line {problem.line}: {problem.text}",
        )
        for problem in reading.problems
    )
    return SubstepReading(name, _texts(values), reading.interface, problems)


def _values(
    cells: tuple[CellSource, ...], params: StepParams, substep: SubstepParams
) -> dict[str, Any]:
    """Return the parameters that the notebook will see; as given, if a run would refuse them."""
    try:
        return check_substep(read_parameters(cells), substep, strict=params.strict).values
    except ParamsError:
        return substep.params


def _texts(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(name, value)) for name, value in values.items())


def _text(name: str, value: Any) -> str:
    try:
        text = json.dumps(_masked(name, value), ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = MASK
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _masked(name: object, value: Any) -> Any:
    """Return a value as it may be shown: references stay, what is called a secret goes."""
    try:
        if read_reference(value) is not None:
            return value
    except ParamsError:
        return MASK
    if is_secret(name, value):
        return MASK
    if isinstance(value, dict):
        return {key: _masked(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, item) for item in value]
    return value
