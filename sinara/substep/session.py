"""Where this process is: in a job, with a context from the driver, or in a person's hands.

In a job every value comes from the context. By hand it comes from the parameter files and
settings of the step whose folder is the current one (or the nearest one above it).
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara import context as contexts
from sinara.context import RunContext
from sinara.errors import ParamsError, UsageError, suggest
from sinara.names import check_run_id
from sinara.substep.show import show

if TYPE_CHECKING:
    from sinara.settings import Settings


class StopExecution(Exception):
    """Ends a notebook after its interface cell, in design mode; no error of anybody."""

    def _render_traceback_(self) -> list[str]:
        """Show one line in a notebook: IPython asks an exception for this before it prints it."""
        return ["Stopped after the interface: design mode."]


def job_context() -> RunContext | None:
    """Return the context of the job that this process works for; ``None`` by hand."""
    path = os.environ.get(contexts.CONTEXT_VARIABLE, "")
    return _job_context(path) if path else None


@lru_cache(maxsize=4)
def _job_context(path: str) -> RunContext | None:
    return contexts.load_context({contexts.CONTEXT_VARIABLE: path})


def current_context() -> RunContext:
    """Return the job's context, or the one that the step's files give.

    Raises:
        ParamsError: By hand, if the parameter files are missing or wrong.
    """
    job = job_context()
    if job is None:
        return contexts.interactive_context(step_folder(), os.environ, notebook_name())
    return replace(job, run_id=fixed_run_id() or job.run_id)


_LAUNCHERS = ("__main__.py", "ipykernel_launcher.py")
_remembered: list[RunContext] = []  # of the newest NotebookSubstep made by hand


def remember(context: RunContext) -> None:
    """Let the functions below, which are not told of a substep, mean this one."""
    _remembered[:] = [context]


def _whereabouts() -> RunContext:
    """Return a context of which the names are right; parameters may be those of an hour ago."""
    if job_context() is not None or not _remembered:
        return current_context()
    context = _remembered[0]
    folder = Path(context.step_folder)
    tmp_root = settings_of(context).env(context.env_name).tmp_root
    return replace(context, run_id=contexts.interactive_run_id(tmp_root, folder, os.environ))


def settings_of(context: RunContext) -> Settings:
    """Return the settings that hold for a run."""
    from sinara.settings import load_settings

    return load_settings(Path(context.settings_folder or context.step_folder), os.environ)


def step_folder() -> Path:
    """Return the nearest folder, from the current one upwards, that has parameter files."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in contexts.STEP_PARAMS_FILES):
            return folder
    return here


def fixed_run_id() -> str:
    """Return the run id that the notebook fixed with ``DSML_CURR_RUN_ID``, or an empty text."""
    fixed = os.environ.get(contexts.RUN_ID_VARIABLE, "")
    return check_run_id(fixed) if fixed else ""


def notebook_name(environ: Mapping[str, str] | None = None) -> str:
    """Return the file name of the notebook or script that runs here, or an empty text.

    Source:
        jupyter_server 2 gives a kernel ``JPY_SESSION_NAME``: the notebook's path. VS Code sets
        ``__vsc_ipynb_file__`` in the notebook itself. A script is ``__main__.__file__``.
    """
    import sys

    environ = os.environ if environ is None else environ
    main = sys.modules.get("__main__")
    candidates = (
        environ.get("DSML_CURR_NOTEBOOK_NAME", ""),
        environ.get("JPY_SESSION_NAME", ""),
        getattr(main, "__vsc_ipynb_file__", ""),
        getattr(main, "__file__", None) or "",
    )
    for candidate in candidates:
        name = Path(str(candidate)).name
        if name.endswith((".ipynb", ".py")) and name not in _LAUNCHERS:
            return name
    return ""


def get_pipeline_params(*, pprint: bool = False) -> dict[str, Any]:
    """Return the parameters of the pipeline: the run's own in a job, the files' by hand.

    Args:
        pprint: Print them, too. Secrets are printed as the names of their places.

    Raises:
        ParamsError: If the parameter files are wrong, or a secret cannot be read.
    """
    return _params("Pipeline params:", current_context().pipeline_params, pprint)


def get_step_params(*, pprint: bool = False) -> dict[str, Any]:
    """Return the parameters of the step: the run's own in a job, the files' by hand.

    Args:
        pprint: Print them, too. Secrets are printed as the names of their places.

    Raises:
        ParamsError: If the parameter files are wrong, or a secret cannot be read.
    """
    return _params("Step params:", current_context().step_params, pprint)


def get_substep_params(*, pprint: bool = False, substep_name: str | None = None) -> dict[str, Any]:
    """Return the parameters of this substep, for a ``.py`` substep, which has no parameters cell.

    Args:
        pprint: Print them, too. Secrets are printed as the names of their places.
        substep_name: By hand, whose parameters to take from the files; by default those of the
            script or notebook that runs here.

    Raises:
        ParamsError: If the parameter files are wrong, name no such substep, or a secret cannot be
            read.
    """
    job = job_context()
    if job is not None:
        return _params("Substep params:", job.substep_params, pprint)
    name = substep_name or notebook_name()
    given = _files_params().get(name)
    if given is None:
        known = list(_files_params())
        there = ", ".join(known) or "none"
        advice = suggest(name, known) or "Give get_substep_params(substep_name=…)."
        raise ParamsError(f"No substep '{name}' in the parameter files; there is {there}. {advice}")
    return _params("Substep params:", given, pprint)


def _files_params() -> dict[str, dict[str, Any]]:
    from sinara.params import load_step_params

    params = load_step_params(contexts.STEP_PARAMS_FILES, folder=step_folder())
    return {substep.name: substep.params for substep in params.substeps}


def _params(title: str, params: dict[str, Any], pprint: bool) -> dict[str, Any]:
    from sinara.secret import open_references

    if pprint:
        show(title, params)
    opened: dict[str, Any] = open_references(copy.deepcopy(params))
    return opened


def default_param_values(path: str = "params/step_params.json") -> dict[str, str]:
    """Return ``default_pipeline_name`` and ``default_step_name``, for notebooks of the older form.

    They are arguments for :class:`NotebookSubstep`. In a job they are the run's own, and by
    hand those of the parameter file ``path``.
    """
    context = job_context()
    if context is None:
        from sinara.params import load_step_params

        params = load_step_params(path, folder=step_folder())
        names = (params.pipeline_name, params.step_name)
    else:
        names = (context.pipeline_name, context.step_name)
    return {"default_pipeline_name": names[0], "default_step_name": names[1]}


def get_user() -> str:
    """Return the name of who works here."""
    from sinara import settings

    return settings.get_user(os.environ)


def get_curr_run_id() -> str:
    """Return the id of the run, or of the draft that the notebooks of this checkout share."""
    return fixed_run_id() or _whereabouts().run_id


def reset_curr_run_id() -> str:
    """Begin a new draft for the notebooks of this checkout, and return its run id.

    In a job the run stays what it is, and so does a run id fixed from outside
    (``DSML_CURR_RUN_ID_FROM_PLINE``).
    """
    job = job_context()
    if job is not None:
        return fixed_run_id() or job.run_id
    os.environ.pop(contexts.RUN_ID_VARIABLE, None)
    if os.environ.get(contexts.OUTER_RUN_ID_VARIABLE):
        return check_run_id(os.environ[contexts.OUTER_RUN_ID_VARIABLE])
    context = _whereabouts()
    tmp_root = settings_of(context).env(context.env_name).tmp_root
    return contexts.reset_draft(tmp_root, Path(context.step_folder))


def get_tmp_work_path(write_root: bool = False) -> str:
    """Return a scratch folder of this run, which is there; no other run has the same one.

    A job's is removed when the job ends. Nothing in it is an entity.

    Args:
        write_root: Return the folder above it.
    """
    context = _whereabouts()
    work = context.work_path
    if not work:
        tmp_root = settings_of(context).env(context.env_name).tmp_root
        if "://" in tmp_root:
            raise UsageError(
                f"The temporary root {tmp_root} is no local disk: there is no scratch folder. "
                f"Set a local tmp of env {context.env_name} in sinara.toml."
            )
        path = Path(tmp_root, context.pipeline_name, context.zone_name, context.step_name)
        work = str(path / context.run_id / "_work")
    Path(work).mkdir(parents=True, exist_ok=True)
    return str(Path(work).parent) if write_root else work
