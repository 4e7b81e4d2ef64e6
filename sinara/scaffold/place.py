"""Whether a pipeline can be made at a place: everything is looked at before anything is made."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sinara import names
from sinara.errors import ManifestError, SinaraError, UsageError
from sinara.graph import is_step
from sinara.manifest import Manifest, StepPlan, SubstepPlan
from sinara.names import StepName
from sinara.params import load_step_params
from sinara.params.render import name_problem
from sinara.scaffold.fits import check_templates
from sinara.scaffold.step import SCRATCH
from sinara.scaffold.template import LEFT_OUT_NAMES, template_folder

SETTINGS = "sinara.toml"


def repository_name(pipeline: str, step: str) -> str:
    """Return how the repository of a step is called, and its folder: ``<pipeline>-<step>``."""
    return f"{pipeline}-{step}"


def check_pipeline(manifest: Manifest, folder: Path) -> None:
    """Refuse what cannot be made; nothing is written.

    Args:
        manifest: What to make; its ``pipeline_name`` is known by now.
        folder: Where.

    Raises:
        BadNameError: If a name cannot be a repository's.
        ManifestError: If a notebook cannot have its name or its parameters, or a template does
            not fit.
        UsageError: If there is something else at the place of a step.
    """
    pipeline = manifest.pipeline_name
    if pipeline is None:
        raise ManifestError("The pipeline has no name. Give --name, or pipeline_name.")
    repositories = [repository_name(pipeline, step.name) for step in manifest.steps]
    for repository in repositories:
        names.check_name("repository", repository)
    names.check_distinct("repository", repositories)
    lines = [*_check_notebooks(manifest), *_inside(manifest, folder), *check_templates(manifest)]
    if lines:
        raise ManifestError(*lines)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file. Choose another place with --folder.")
    for step, repository in zip(manifest.steps, repositories, strict=True):
        _check_place(step, pipeline, folder / repository)


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something, and nothing of a pipeline; for one nobody named.

    Raises:
        UsageError: Names what is in it.
    """
    try:
        inside = sorted(p for p in folder.iterdir() if not p.name.startswith(SCRATCH))
    except OSError:  # not there, or no folder: told by whoever makes it
        return
    if not inside or (folder / SETTINGS).exists() or any(is_step(path) for path in inside):
        return
    shown = ", ".join(names.shown(path.name)[1:-1] for path in inside[:3])
    more = f" and {len(inside) - 3} more" if len(inside) > 3 else ""
    raise UsageError(
        f"{folder}: something else is there already ({shown}{more}). Choose another place with "
        "--folder, or name this one with it if it is meant."
    )


def _check_notebooks(manifest: Manifest) -> Iterator[str]:
    """Yield which notebooks of the step template could not be written, kept or run."""
    template = template_folder()
    files = {p.relative_to(template).as_posix() for p in template.rglob("*") if p.is_file()}
    for number, step in enumerate(manifest.steps):
        if step.template is not None:
            continue
        taken = {name.casefold() for name in (*files, *(s.name for s in step.substeps))}
        strict = step.params.get("strict_params", True) is not False
        for at, substep in enumerate(step.substeps):
            place = f"steps[{number}].substeps[{at}]"
            yield from (f"{place}.substep_name: {why}" for why in _folder_rules(substep, taken))
            for name in substep.params if strict else ():
                if problem := name_problem(name):
                    yield f"{place}.substep_params: the parameter {names.shown(name)} {problem}"


def _folder_rules(substep: SubstepPlan, taken: set[str]) -> Iterator[str]:
    """Yield why a notebook cannot lie in the folder that its name says."""
    for folder in PurePosixPath(substep.name).parents:
        if str(folder).casefold() in taken:
            yield f"'{folder}' is a file of the step, and no folder. Choose another name"
        elif folder.name in LEFT_OUT_NAMES:
            yield f"Git leaves out what is in a folder '{folder.name}'. Choose another name"


def _inside(manifest: Manifest, folder: Path) -> Iterator[str]:
    """Yield which templates would be copied into themselves."""
    for number, step in enumerate(manifest.steps):
        if step.template is not None and folder.resolve().is_relative_to(step.template.resolve()):
            yield (
                f"steps[{number}] '{step.name}': the pipeline would be made inside its template "
                f"{step.template}. Choose another place with --folder"
            )


def _check_place(step: StepPlan, pipeline: str, place: Path) -> None:
    """Refuse a folder that is not the step which is to be made there."""
    if not os.path.lexists(place) or (place.is_dir() and not any(place.iterdir())):
        return
    there = _names_of(place)
    if there is None or (there.pipeline, there.step) != (pipeline, step.name):
        told = f"step '{there.step}' of pipeline '{there.pipeline}'" if there else "something else"
        raise UsageError(
            f"{place}: {told} is there already. Move it away, or choose another place with "
            "--folder."
        )


def _names_of(place: Path) -> StepName | None:
    if not is_step(place):
        return None
    with contextlib.suppress(SinaraError):
        there = [p.relative_to(place).as_posix() for p in (place / "params").glob("step_params.*")]
        return load_step_params(there, folder=place).step
    return None
