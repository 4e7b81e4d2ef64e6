"""Everything about a step that is known before a kernel starts, checked.

Parameter files, overrides, the notebooks' parameters cells and interfaces are
read here. Nothing of the step is executed, and every finding is told at once.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sinara.audit import landlock
from sinara.audit.refusal import UNAVAILABLE
from sinara.errors import NotebookError, ParamsError, SettingsError
from sinara.execute import KernelSpec, find_kernel
from sinara.interface import Interface
from sinara.params import (
    CheckedParams,
    ParametersSchema,
    StepParams,
    SubstepParams,
    check_substep,
    load_step_params,
    read_parameters,
)
from sinara.reading import (
    CellSource,
    check_shape,
    read_cells,
    read_interface,
    read_notebook_json,
)
from sinara.reading.resuming import checkpoint_findings
from sinara.secret import resolve_all
from sinara.settings import EnvSettings, Settings, load_settings


@dataclass(frozen=True)
class RunRequest:
    """What somebody asks for: which step, with which values.

    Attributes:
        folder: The step's folder.
        step_globs: Where the parameter file lies, relative to the folder.
        pipeline_globs: Where the overlay of the pipeline's parameters lies, if anywhere.
        env_name: Wins over the parameter file's.
        overrides: ``a.b=value``, the last one wins.
        params_files: Files of values, between the parameter file and the overrides.
        trigger_key: At most one run with the same key is ever published.
        resume: The run to go on with: its id, the beginning of it, or ``last``.
        reuse: Whether substeps may be taken over from published runs with the same ingredients.
        force: Substeps that run even so.
        pins: Runs to read from, by the key of their step; the newest of any other step.
        commit: The commit that is run, in a worktree of its own; what lies there by default.
        pipeline_run: The run of the whole pipeline that it is part of.
        retries: How often a failed substep is tried again; as the settings say by default.
        run_timeout: Seconds that one substep may take; as the settings say by default.
    """

    folder: Path
    step_globs: str | Sequence[str] = (
        "params/step_params.json",
        "params/step_params.yaml",
        "params/step_params.yml",
    )
    pipeline_globs: str | Sequence[str] | None = None
    env_name: str | None = None
    overrides: tuple[str, ...] = ()
    params_files: tuple[Path, ...] = ()
    trigger_key: str | None = None
    resume: str | None = None
    reuse: bool = False
    force: frozenset[str] = frozenset()
    pins: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    pipeline_run: str | None = None
    retries: int | None = None
    run_timeout: float | None = None


@dataclass(frozen=True)
class PreparedSubstep:
    """One substep, read and checked."""

    name: str
    path: Path
    given: dict[str, Any]  # what the substep will see, secrets as references
    schema: ParametersSchema
    checked: CheckedParams
    interface: Interface | None  # None: not declared, or not readable without running it
    unread: tuple[str, ...]  # why the interface could not be read
    sha256: str
    metadata: dict[str, Any]  # the notebook's own; empty for a module
    cells: tuple[CellSource, ...] = field(repr=False, default=())
    kernel: KernelSpec | None = None  # of a notebook
    secrets: tuple[str, ...] = field(repr=False, default=())  # values to keep out of every output

    @property
    def is_notebook(self) -> bool:
        """Whether this substep is a notebook, not a Python module."""
        return self.path.suffix == ".ipynb"


@dataclass(frozen=True)
class PreparedStep:
    """A step that can be run."""

    folder: Path
    settings: Settings
    params: StepParams
    substeps: tuple[PreparedSubstep, ...]

    @property
    def env(self) -> EnvSettings:
        """Where the data of this run's env lies."""
        return self.settings.env(self.params.env_name)


def prepare(
    request: RunRequest,
    environ: Mapping[str, str] | None = None,
    *,
    settings: Settings | None = None,
    params: StepParams | None = None,
) -> PreparedStep:
    """Read and check everything that a run of this step needs.

    Args:
        request: Which step, with which values.
        environ: The environment; the process's own by default.
        settings: Settings read elsewhere: the checkout's, when its commit runs in a worktree.
        params: The step's parameters, where they were read already with all that is asked for.

    Raises:
        SettingsError: If the settings are wrong, or cannot be held here.
        ParamsError: If a parameter file, an override or a parameters cell is wrong.
        NotebookError: If a substep's file is missing or is no notebook.
    """
    environ = os.environ if environ is None else environ
    folder = request.folder.resolve()
    settings = with_requested(settings or load_settings(folder, environ), request)
    params = params or step_params(request, settings)
    settings.env(params.env_name)
    found: list[PreparedSubstep] = []
    lines: list[str] = []
    named = params.kernel_name
    kernels = functools.cache(lambda own: find_kernel(named, {"kernelspec": {"name": own}}))
    for substep in params.substeps:
        try:
            found.append(_prepare_substep(folder, params, substep, kernels))
        except (ParamsError, NotebookError) as error:
            lines.extend(error.lines)
    if lines:
        raise ParamsError(*lines)
    prepared = PreparedStep(folder, settings, params, tuple(found))
    _check_strict(prepared)
    return prepared


def _check_strict(prepared: PreparedStep) -> None:
    """See to it that ``strict_files`` can be held where it is set.

    Raises:
        SettingsError: One line per substep of which that cannot be said.
    """
    lines = []
    for substep in prepared.substeps:
        options = prepared.settings.for_substep(prepared.params.step_name, substep.name)
        if not options.strict_files:
            continue
        if landlock.version() < 1:
            lines.append(UNAVAILABLE.format(substep=substep.name))
        elif substep.unread:
            what = "strict_files needs an interface that can be read without running it"
            lines.append(f"{what}: {substep.unread[0]}")
    if lines:
        raise SettingsError(*lines)


def with_requested(settings: Settings, request: RunRequest) -> Settings:
    """Return the settings with what a request sets in their place, for every substep."""
    asked = {"retries": request.retries, "run_timeout": request.run_timeout}
    given: dict[str, Any] = {k: value for k, value in asked.items() if value is not None}
    substeps = {
        substep: {name: value for name, value in options.items() if name not in given}
        for substep, options in settings.substeps.items()
    }
    return replace(settings, substeps=substeps, **given) if given else settings


def step_params(request: RunRequest, settings: Settings) -> StepParams:
    """Return the parameters of a step, its files and overrides joined.

    Raises:
        ParamsError: If a file or an override is wrong; one line per finding.
    """
    return load_step_params(
        request.step_globs,
        request.pipeline_globs,
        folder=request.folder.resolve(),
        env_name=request.env_name,
        overrides=request.overrides,
        params_files=request.params_files,
        strict_default=settings.strict_params,
        names_of=lambda substep: _declared(request.folder / substep),
    )


def _declared(path: Path) -> tuple[str, ...]:
    """Return the parameters that a substep's own cell declares; none if it cannot be read."""
    try:
        return tuple(read_parameters(read_cells(path)).names)
    except (NotebookError, ParamsError):  # told, with all the rest, when the substep is prepared
        return ()


def _prepare_substep(
    folder: Path, params: StepParams, given: SubstepParams, kernels: Callable[[str], KernelSpec]
) -> PreparedSubstep:
    name, path = given.name, folder / given.name
    if not path.is_file():
        if path.exists():
            raise NotebookError(
                f"{name}: not a file. Put a substep there, or take it off the list."
            )
        near = sorted(p.name for p in folder.glob(f"*{path.suffix}") if p.is_file())
        raise NotebookError(
            f"{name}: no such substep in {folder}; there is {', '.join(near) or 'none'}."
        )
    cells = read_cells(path)
    schema = read_parameters(cells)
    checked = check_substep(schema, given, strict=params.strict)
    references = {**params.secrets, **checked.secrets}
    checked = _check_checkpoints(name, cells, checked)
    secrets = tuple(resolve_all(references, folder=folder, where=name).values())
    content = path.read_bytes()
    metadata = _metadata(path, content)
    kernel = None
    if path.suffix == ".ipynb":
        try:
            kernel = kernels(str(metadata.get("kernelspec", {}).get("name") or ""))
        except NotebookError as error:
            raise NotebookError(*(f"{name}: {line}" for line in error.lines)) from None
    reading = read_interface(
        cells,
        pipeline_params=params.pipeline_params,
        step_params=params.step_params,
        substep_params=checked.values,
    )
    found = {
        certain: tuple(
            f"{name}, cell {p.cell + 1}, line {p.line}: {p.text}"
            for p in reading.problems
            if p.certain is certain
        )
        for certain in (True, False)
    }
    if found[True]:
        raise NotebookError(*found[True])
    return PreparedSubstep(
        name=name,
        path=path,
        given=checked.values,
        schema=schema,
        checked=checked,
        interface=None if reading.problems else reading.interface,
        unread=found[False],
        sha256=hashlib.sha256(content).hexdigest(),
        metadata=metadata,
        cells=tuple(cells),
        kernel=kernel,
        secrets=secrets,
    )


def _check_checkpoints(
    name: str, cells: Sequence[CellSource], checked: CheckedParams
) -> CheckedParams:
    """Return the checked parameters with a warning for each name that a resume would miss.

    Raises:
        NotebookError: One line per checkpoint cell that is none.
    """
    lines: dict[bool, list[str]] = {True: [], False: []}
    for found in checkpoint_findings(cells) if name.endswith(".ipynb") else ():
        where = f"{name}, cell {found.cell + 1}, line {found.line}"
        lines[found.certain].append(f"{where}: {found.text}")
    if lines[True]:
        raise NotebookError(*lines[True])
    return replace(checked, warnings=(*checked.warnings, *lines[False]))


def _metadata(path: Path, content: bytes) -> dict[str, Any]:
    """Return the metadata of a notebook that can be run; none of a module."""
    if path.suffix != ".ipynb":
        return {}
    document = read_notebook_json(content.decode("utf-8-sig"), path)
    check_shape(document, path.name)
    metadata: dict[str, Any] = document.get("metadata", {})
    return metadata
