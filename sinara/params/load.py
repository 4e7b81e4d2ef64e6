"""The parameters of one run of one step, from its files and what is laid over them.

::

    params/step_params.json      pipeline_params, step_params, substeps_params
    params/pipeline_params.json  its pipeline_params replace those of the step file
    train.params.json            values of a substep that is listed by its plain name
    --params-file, --set         laid over all of it
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sinara import names
from sinara.errors import BadNameError, ParamsError
from sinara.params.assignments import PIPELINE, STEP, read_params_files, read_sets
from sinara.params.globs import find_one, shown_path
from sinara.params.overrides import Draft, NamesOf, apply
from sinara.params.stepfile import StepFile
from sinara.params.text import read_dict
from sinara.params.values import misspelt, plain, short
from sinara.secret import SecretRef, find_references

DEFAULT_ENV, DEFAULT_ZONE = "user", "zone"
DEFAULT_PIPELINE_FILES = tuple(f"params/pipeline_params.{end}" for end in ("json", "yaml", "yml"))


@dataclass(frozen=True)
class SubstepParams:
    """What the files say about one substep.

    Attributes:
        name: ``"train.ipynb"``.
        params: Its values; secrets are references. Empty if no file gives any.
        source: The file they come from; ``""`` if none does.
        from_notebook: No file gives values, so the notebook's own hold, and ``params`` has
            only what was laid over them.
        texts: What ``--set`` was given, as typed, by the path inside ``params``.
        added: Names that an override brought and no file has: always checked.
    """

    name: str
    params: dict[str, Any]
    source: str = ""
    from_notebook: bool = False
    texts: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    added: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StepParams:
    """The parameters of one run of one step: what later stages read and never change."""

    pipeline_params: dict[str, Any]
    step_params: dict[str, Any]
    substeps: tuple[SubstepParams, ...]
    env_name: str
    pipeline_name: str
    zone_name: str
    step_name: str
    kernel_name: str | None
    verbose_output: bool
    files: tuple[Path, ...]
    strict: bool
    warnings: tuple[str, ...] = ()

    @property
    def secrets(self) -> dict[str, SecretRef]:
        """References in pipeline and step parameters, by path; a notebook's are checked apart."""
        return dict(find_references({PIPELINE: self.pipeline_params, STEP: self.step_params}))

    @cached_property
    def step(self) -> names.StepName:
        """The four names of the step."""
        return names.StepName(self.env_name, self.pipeline_name, self.zone_name, self.step_name)


def load_step_params(
    step_globs: str | Sequence[str],
    pipeline_globs: str | Sequence[str] | None = None,
    *,
    folder: Path,
    env_name: str | None = None,
    overrides: Sequence[str] = (),
    params_files: Sequence[Path] = (),
    strict_default: bool = False,
    names_of: NamesOf | None = None,
) -> StepParams:
    """Read, join and check the parameter files of a step.

    Args:
        step_globs: Pattern or patterns, from ``folder``, that match one step file.
        pipeline_globs: The same for a file whose ``pipeline_params`` replace those of the step
            file. If None, ``params/pipeline_params.json`` (or .yaml, .yml) does if it is there.
        folder: The step's folder.
        env_name: Wins over the ``env_name`` of the files.
        overrides: Texts such as ``"train.lr=0.1"``; they win over ``params_files``.
        params_files: JSON or YAML files to lay over the step's own; paths from the working folder.
        strict_default: Whether to be strict where ``step_params`` has no ``strict_params``.
        names_of: Gives the parameter names that a substep's notebook knows, so that a name
            that no file has can be set without saying where it belongs.

    Raises:
        ParamsError: One line for each finding.
    """
    folder = Path(folder).resolve()
    step_file = find_one(step_globs, folder, "step_params_file_globs")
    document = read_dict(step_file, shown_path(step_file, folder))
    pipeline_file = _pipeline_file(pipeline_globs, folder)
    reading = StepFile(folder, shown_path(step_file, folder), document)
    reading.files.append(step_file)
    if pipeline_file is not None:
        reading.replace_pipeline(pipeline_file)
    drafts = reading.drafts()
    reading.raise_findings()
    _override(drafts, overrides, params_files, names_of)
    pipeline, step, *substeps = drafts
    _set_env(pipeline, env_name, overridden=("env_name",) in pipeline.texts)
    return _finish(reading, pipeline.values, step.values, substeps, strict_default)


def _pipeline_file(globs: str | Sequence[str] | None, folder: Path) -> Path | None:
    if globs:
        return find_one(globs, folder, "pipeline_params_file_globs")
    there = [name for name in DEFAULT_PIPELINE_FILES if (folder / name).is_file()]
    return find_one(there, folder, "params/pipeline_params") if there else None


def _override(
    drafts: list[Draft], sets: Sequence[str], files: Sequence[Path], names_of: NamesOf | None
) -> None:
    substeps = [draft.scope for draft in drafts[2:]]
    assignments = read_params_files(files, substeps) + read_sets(sets, substeps)
    apply(drafts, copy.deepcopy(assignments), names_of)


def _set_env(pipeline: Draft, env_name: str | None, *, overridden: bool) -> None:
    if not env_name:  # as in a file: an empty one is none
        return
    if overridden and pipeline.values["env_name"] != env_name:
        raise ParamsError(
            f"--set pipeline.env_name={plain(str(pipeline.values['env_name']))}: "
            f"the script or --env says env '{plain(env_name)}'. Give only one of them."
        )
    pipeline.values["env_name"] = env_name


def _finish(
    reading: StepFile,
    pipeline: dict[str, Any],
    step: dict[str, Any],
    substeps: list[Draft],
    strict_default: bool,
) -> StepParams:
    read = _Names(reading.shown)
    if "pipeline_name" not in pipeline:
        near = misspelt("pipeline_name", pipeline.keys() - {"env_name", "zone_name", "kernel_name"})
        read.lines.append(
            f"{reading.shown}: pipeline_params: 'pipeline_name' is missing. {near or 'Add it.'}"
        )
    params = StepParams(
        pipeline_params=pipeline,
        step_params=step,
        substeps=tuple(_substep(draft) for draft in substeps),
        env_name=read.name("env", pipeline, DEFAULT_ENV),
        pipeline_name=read.name("pipeline", pipeline, "missing"),
        zone_name=read.name("zone", pipeline, DEFAULT_ZONE),
        step_name=read.name("step", step, default_step_name(reading.folder)),
        kernel_name=read.text("kernel_name", {**pipeline, **step}),
        verbose_output=bool(step.get("verbose_output")),
        files=tuple(reading.files),
        strict=read.switch("strict_params", step, default=strict_default),
        warnings=tuple(reading.notes),
    )
    read.secrets(pipeline, step)
    lines = [*read.lines, *(reading.notes if params.strict else ())]
    if lines:
        raise ParamsError(*lines)
    return params


def _substep(draft: Draft) -> SubstepParams:
    return SubstepParams(
        name=draft.scope,
        params=draft.values,
        source="" if draft.from_notebook else draft.source,
        from_notebook=draft.from_notebook,
        texts=draft.texts,
        added=frozenset(draft.added),
    )


class _Names:
    """Reads the parameters that sinara itself uses, and gathers what is wrong with them."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.lines: list[str] = []

    def name(self, kind: str, values: dict[str, Any], default: str) -> str:
        key = f"{kind}_name"
        value = values.get(key)
        # The original takes an empty env, zone or step name for a missing one.
        given = value if value not in (None, "") or key == "pipeline_name" else default
        if key not in values:
            given = default
        try:
            return names.check_name(kind, given)
        except BadNameError as error:
            section = STEP if kind == "step" else PIPELINE
            self.lines += [f"{self.shown}: {section}.{key}: {line}" for line in error.lines]
            return default

    def secrets(self, pipeline: dict[str, Any], step: dict[str, Any]) -> None:
        try:
            list(find_references({PIPELINE: pipeline, STEP: step}))
        except ParamsError as error:
            self.lines += [f"{self.shown}: {line}" for line in error.lines]

    def text(self, key: str, values: dict[str, Any]) -> str | None:
        value = values.get(key)
        if value is None or isinstance(value, str):
            return value or None
        self.lines.append(f"{self.shown}: {key}: {short(value)}: it has to be text, or left out.")
        return None

    def switch(self, key: str, values: dict[str, Any], *, default: bool) -> bool:
        value = values.get(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.lines.append(
                f"{self.shown}: step_params.{key}: {short(value)}: it has to be true or false."
            )
        return default


def default_step_name(folder: Path) -> str:
    """Return the step's name where no file says it: what follows the first ``-``."""
    name = Path(folder).resolve().name
    return name.partition("-")[2] or name
