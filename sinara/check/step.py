"""A whole step looked over, in the order in which a run reads it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sinara.check.findings import Finding, error, warning
from sinara.check.flow import check_flow, check_names
from sinara.check.substep import check_one
from sinara.errors import NotebookError, ParamsError, SettingsError
from sinara.params import StepParams, load_step_params, read_parameters
from sinara.reading import read_cells
from sinara.settings import Settings, load_settings

_PARAMS_FILES = tuple(f"params/step_params.{suffix}" for suffix in ("json", "yaml", "yml"))


def check_step(
    folder: Path,
    *,
    env_name: str | None = None,
    overrides: Sequence[str] = (),
    params_files: Sequence[Path] = (),
    step_globs: str | Sequence[str] = _PARAMS_FILES,
    pipeline_globs: str | Sequence[str] | None = None,
) -> tuple[Finding, ...]:
    """Look over the step in ``folder``; nothing of it is executed or imported.

    Args:
        folder: The step's folder.
        env_name: Wins over the ``env_name`` of the parameter file.
        overrides: Texts such as ``"train.lr=0.1"``, as for a run.
        params_files: Files of values, as for a run.
        step_globs: Where the parameter file lies, relative to the folder.
        pipeline_globs: Where the overlay of the pipeline's parameters lies, if anywhere.

    Returns:
        All findings: those of the parameter file, then those of each substep in the order in
        which they run, then those of the substeps together. None means a run may start.
    """
    folder = folder.resolve()
    try:
        settings = load_settings(folder)
    except SettingsError as problem:
        return tuple(error("sinara.toml", "settings", line) for line in problem.lines)
    file = _shown_params_file(folder, step_globs)
    try:
        params = load_step_params(
            step_globs,
            pipeline_globs,
            folder=folder,
            env_name=env_name,
            overrides=overrides,
            params_files=params_files,
            strict_default=settings.strict_params,
            names_of=lambda substep: _declared(folder / substep),
        )
    except ParamsError as problem:
        return tuple(error(file, "params", line) for line in problem.lines)
    return tuple(_check(folder, file, params, settings))


def _check(folder: Path, file: str, params: StepParams, settings: Settings) -> Iterator[Finding]:
    yield from (warning(file, "params", line) for line in params.warnings)
    try:
        settings.env(params.env_name)
    except SettingsError as problem:
        yield from (error(file, "env", line) for line in problem.lines)
    yield from _check_tables(params, settings)
    yield from check_names([substep.name for substep in params.substeps], file)
    checked = [check_one(folder, params, substep) for substep in params.substeps]
    for substep in checked:
        yield from substep.findings
    yield from check_flow(checked, params, settings)


def _check_tables(params: StepParams, settings: Settings) -> Iterator[Finding]:
    """Warn of settings for a substep that the step does not have.

    A file above the step's folder serves other steps as well: there a table without a step's
    name counts only if it is nearly a substep of this one.
    """
    names = [substep.name for substep in params.substeps]
    own = settings.file is not None and settings.file.parent == settings.folder
    for key in settings.substeps:
        name = key.removeprefix(f"{params.step_name}/")
        near = _near(name, names)
        if key in names or name in names or (name == key and not own and not near):
            continue
        advice = near or f"Its substeps are {', '.join(names)}."
        line = f'[substeps."{key}"] is for no substep of this step. {advice}'
        yield warning("sinara.toml", "settings", line)


def _near(name: str, names: Sequence[str]) -> str:
    """Return ``Did you mean 'x.ipynb'?``; that both end in ``.ipynb`` makes no two names alike."""
    by_stem = {other.rpartition(".")[0]: other for other in names}
    close = difflib.get_close_matches(name.rpartition(".")[0], list(by_stem), n=1)
    return f"Did you mean '{by_stem[close[0]]}'?" if close else ""


def _declared(path: Path) -> tuple[str, ...]:
    """Return the parameters that a substep's own cell declares; none if it cannot be read."""
    try:
        return tuple(read_parameters(read_cells(path)).names)
    except NotebookError:  # told when the substep is looked over
        return ()


def _shown_params_file(folder: Path, globs: str | Sequence[str]) -> str:
    patterns = [globs] if isinstance(globs, str) else list(globs)
    relative = [pattern for pattern in patterns if pattern and not Path(pattern).is_absolute()]
    there = (path for pattern in relative for path in sorted(folder.glob(pattern)))
    found = next(there, None)
    return str(found.relative_to(folder)) if found else str(patterns[0])
