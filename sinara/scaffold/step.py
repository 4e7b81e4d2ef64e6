"""Make a step: a folder that runs as it is, whole or not at all.

It is made beside its place and moved there, so that a broken attempt leaves nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sinara import names
from sinara.errors import RepositoryError, UsageError
from sinara.manifest import StepPlan, SubstepPlan
from sinara.repository import commit, switch_on
from sinara.repository.call import git as call_git
from sinara.scaffold.notebook import make_notebook, parameters_of
from sinara.scaffold.template import copy_template, set_names, template_folder, write_params

SCRATCH = ".sinara-new-"  # what a broken attempt at a pipeline left begins so
_SCRATCH_OF_ONE = ".sinara-step-"  # no pipeline that is made beside it takes it for a leftover
# What a person's own settings say of files and line ends has no say in what a step is.
_ALL = (
    ("core.excludesFile", os.devnull),
    ("core.autocrlf", "false"),
    ("core.safecrlf", "false"),
)
_NOTEBOOK = "do_step.ipynb"  # of the template
_BEFORE = 'STEPS_BEFORE = []  # steps whose entities this one reads: ["../demo-data_load"]'


def new_step(step: str, pipeline: str, folder: Path, *, git: bool = True) -> Path:
    """Make one step from the step template.

    Args:
        step: The step's name.
        pipeline: The pipeline that it belongs to.
        folder: Where to make it; must not exist, or be empty.
        git: Whether to make it a Git repository with a first commit.

    Returns:
        The folder, absolute.

    Raises:
        BadNameError: If a name breaks the grammar; nothing is made then.
        UsageError: If there is something at the place already.
    """
    names.check_name("step", step)
    names.check_name("pipeline", pipeline)
    return make_step(StepPlan(step), pipeline, folder, git=git, scratch=_SCRATCH_OF_ONE)


def make_step(
    plan: StepPlan,
    pipeline: str,
    folder: Path,
    *,
    zone: str | None = None,
    before: Sequence[str] = (),
    git: bool = True,
    scratch: str = SCRATCH,
) -> Path:
    """Make one step of a manifest.

    Args:
        plan: The step; its names were checked.
        pipeline: The pipeline that it belongs to.
        folder: Where to make it; must not exist, or be empty.
        zone: Its zone; as in the template by default.
        before: Folders, from the step's own, of the steps that it reads from.
        git: Whether to make it a Git repository with a first commit.
        scratch: How the name of the folder begins in which it is made.

    Returns:
        The folder, absolute.

    Raises:
        UsageError: If there is something at the place already, or it cannot be made.
        RepositoryError: If Git refuses.
    """
    target = folder.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target}: there is something already. Choose another place with --folder."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f"{scratch}{target.name}-", dir=target.parent))
    except OSError as error:
        raise UsageError(f"{target}: cannot be made: {error.strerror}.") from error
    try:
        made = beside / "step"
        _fill(made, plan, pipeline, zone, before)
        if git:
            message = f"Step {plan.name} of pipeline {pipeline}"
            _commit(made, message, clear=plan.template is not None)
        if target.exists():  # and is empty: it stays, somebody may stand in it
            for part in sorted(made.iterdir()):
                part.rename(target / part.name)
        else:
            made.rename(target)
    except OSError as error:
        raise UsageError(f"{target}: cannot be made: {error.strerror}.") from error
    except RepositoryError as error:  # told of the place that people know
        told = (line.replace(str(made), str(target)) for line in error.lines)
        raise RepositoryError(*told) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _commit(made: Path, message: str, *, clear: bool) -> None:
    """Make a folder a repository with everything in it committed once.

    Notebooks of the step template have no outputs: only those of another one are cleared.
    """
    call_git(made, "init", "--quiet", "--initial-branch=main")
    if clear:
        switch_on(made)
    call_git(made, "add", "--all", config=_ALL)
    commit(made, message)
    if not clear:
        switch_on(made)


def _fill(
    made: Path, plan: StepPlan, pipeline: str, zone: str | None, before: Sequence[str]
) -> None:
    copy_template(plan.template or template_folder(), made)
    params = set_names(made, pipeline, zone, plan.name, plan.params)
    _name_before(made / "conftest.py", before)
    if plan.template is not None:
        if _lay_over(params["substeps_params"], plan.substeps):
            write_params(made, params)
    elif plan.substeps:
        notebook = made / _NOTEBOOK
        texts = {substep.name: make_notebook(notebook, substep) for substep in plan.substeps}
        notebook.unlink()
        for name, text in texts.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(text, encoding="utf-8")
        params["substeps_params"] = [
            {"substep_name": substep.name, "substep_params": parameters_of(substep)}
            for substep in plan.substeps
        ]
        write_params(made, params)
        _tell_notebooks(made / "README.md", [substep.name for substep in plan.substeps])


def _name_before(conftest: Path, before: Sequence[str]) -> None:
    """Name the steps that this one reads from, where the template leaves room for them."""
    if before and conftest.is_file():
        text = conftest.read_text(encoding="utf-8")
        listed = ", ".join(f'"../{name}"' for name in before)
        conftest.write_text(text.replace(_BEFORE, f"STEPS_BEFORE = [{listed}]"), encoding="utf-8")


def _lay_over(entries: list[object], substeps: Sequence[SubstepPlan]) -> bool:
    """Lay the manifest's parameters over those of a template; say whether any were."""
    given = {substep.name: substep.params for substep in substeps if substep.params}
    for entry in entries:
        if isinstance(entry, dict) and entry.get("substep_name") in given:
            own = entry.get("substep_params", {})
            entry["substep_params"] = {**own, **given[entry["substep_name"]]}
    return bool(given)


def _tell_notebooks(readme: Path, notebooks: Sequence[str]) -> None:
    text = readme.read_text(encoding="utf-8")
    listed = ", ".join(f"`{name}`" for name in notebooks)
    text = text.replace(f"`{_NOTEBOOK}`", listed).replace(_NOTEBOOK, f"'{notebooks[0]}'")
    readme.write_text(text, encoding="utf-8")
