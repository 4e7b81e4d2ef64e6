"""What is laid over the parameter files for one run: ``--set`` and ``--params-file``.

::

    --set pipeline.zone_name=monthly     a pipeline parameter
    --set step.kernel_name=python3       a step parameter
    --set train.lr=0.1                   a parameter of train.ipynb (also: train.ipynb.lr)
    --set lr=0.1                         the same, if only one place has an lr
    --set train.model.depth=3            a value inside the dictionary model
    --set 'token={$env: HUB_TOKEN}'      lists, dictionaries and quoted text are YAML

A value is typed as in a YAML file; where the notebook's annotation says otherwise, the text
as it was typed decides (``--set zip=010`` for ``zip: str``). A parameters file holds the same
in JSON or YAML: ``{"train": {"lr": 0.1}, "step_params": {…}}`` or ``{"lr": 0.1}``. The later
one wins, and ``--set`` wins over a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sinara.errors import ParamsError
from sinara.params.text import parse_yaml, plain_scalar, read_dict
from sinara.params.values import capped, findings, nearest, plain

PIPELINE, STEP = "pipeline_params", "step_params"
KNOWN_NAMES = {
    PIPELINE: ("env_name", "pipeline_name", "zone_name"),
    STEP: ("step_name", "kernel_name", "verbose_output", "strict_params"),
}
_SCOPES = {"pipeline": PIPELINE, PIPELINE: PIPELINE, "step": STEP, STEP: STEP}


@dataclass(frozen=True)
class Assignment:
    """One value for one place; ``scope`` is None where any place with that name is meant."""

    scope: str | None  # "pipeline_params", "step_params" or a substep's name
    path: tuple[str, ...]
    value: Any
    text: str | None  # as it was typed; None if it came from a file
    source: str  # "--set lr=9", or the file


def stem(substep: str) -> str:
    """Return the short name of a substep: ``train`` of ``nb/train.ipynb``."""
    return PurePosixPath(substep).stem


def read_sets(overrides: Sequence[str], substeps: Sequence[str]) -> list[Assignment]:
    """Return what a list of ``name=value`` texts assigns.

    Raises:
        ParamsError: One line for each text that cannot be read.
    """
    return _all(lambda text: [_read_set(text, substeps)], overrides)


def read_params_files(paths: Sequence[Path], substeps: Sequence[str]) -> list[Assignment]:
    """Return what parameter files given on the command line assign, in their order.

    Raises:
        ParamsError: One line per finding.
    """
    return _all(lambda path: _read_params_file(path, substeps), paths)


def _all(read: Callable[[Any], list[Assignment]], items: Sequence[Any]) -> list[Assignment]:
    result: list[Assignment] = []
    lines: list[str] = []
    for item in items:
        try:
            result += read(item)
        except ParamsError as error:
            lines += error.lines
    if lines:
        raise ParamsError(*lines)
    return result


def _read_set(text: str, substeps: Sequence[str]) -> Assignment:
    name, equals, raw = text.partition("=")
    name = name.strip()
    shown = f"--set {plain(name)}"
    if not equals or not name:
        raise ParamsError(f"--set {plain(text)}: write it as name=value, or step.name=value.")
    scope, rest = _scope_of_dotted(name, substeps)
    path = tuple(rest.split("."))
    if not all(path):
        raise ParamsError(f"{shown}: an empty part between dots. Write it as a.b=value.")
    value = _typed(raw, shown)
    lines = capped(findings(value, shown))
    if lines:
        raise ParamsError(*lines)
    return Assignment(scope, path, value, raw, shown)


def _typed(raw: str, shown: str) -> Any:
    text = raw.strip()
    if text[:1] not in ("[", "{", '"', "'"):
        return plain_scalar(text)
    try:
        return parse_yaml(text, shown)
    except ParamsError as error:
        # The parser's line would quote what was typed, and that may be a secret.
        if any("nested deeper" in line for line in error.lines):
            raise
        raise ParamsError(
            f"{shown}: the value begins like a list, a dictionary or quoted text, but is none. "
            "Close it, or put the whole value in quotes inside the shell's."
        ) from None


def _scope_of_dotted(name: str, substeps: Sequence[str]) -> tuple[str | None, str]:
    for substep in sorted(substeps, key=len, reverse=True):  # "train.ipynb.lr" before "train.lr"
        if name.startswith(f"{substep}."):
            return substep, name[len(substep) + 1 :]
    first, dot, rest = name.partition(".")
    if not dot:
        return None, name
    return (_scope_of(first, substeps), rest) if _scope_of(first, substeps) else (None, name)


def _scope_of(word: str, substeps: Sequence[str]) -> str | None:
    if word in _SCOPES:
        return _SCOPES[word]
    matching = [substep for substep in substeps if word in (substep, stem(substep))]
    return matching[0] if len(matching) == 1 else None


def _read_params_file(path: Path, substeps: Sequence[str]) -> list[Assignment]:
    source = str(path)
    result: list[Assignment] = []
    for key, value in read_dict(path).items():
        if key == "substeps_params":
            for substep, params in _substeps_of(value, source):
                scope = _scope_of(substep, substeps)
                if scope is None or scope in KNOWN_NAMES:
                    known = nearest(substep, list(substeps))
                    raise ParamsError(
                        f"{source}: the step has no substep '{plain(substep)}'; "
                        f"it has {', '.join(substeps)}. {known}".rstrip()
                    )
                result += _assign(scope, params, source)
        elif isinstance(value, dict) and (scope := _scope_of(key, substeps)):
            result += _assign(scope, value, source)
        else:
            result.append(Assignment(None, (key,), value, None, source))
    return result


def _assign(scope: str, params: dict[str, Any], source: str) -> list[Assignment]:
    return [Assignment(scope, (name,), value, None, source) for name, value in params.items()]


def _substeps_of(value: Any, source: str) -> list[tuple[str, dict[str, Any]]]:
    """Return name and parameters of each substep, from either form of ``substeps_params``."""
    items: list[Any] = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        for item in value:
            entry = item if isinstance(item, dict) else {}
            items.append((entry.get("substep_name"), entry.get("substep_params")))
    if not items or not all(isinstance(n, str) and isinstance(p, dict) for n, p in items):
        raise ParamsError(
            f"{source}: substeps_params: write it as "
            '[{"substep_name": "x.ipynb", "substep_params": {…}}] or {"x": {…}}.'
        )
    return items
