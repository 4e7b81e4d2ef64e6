"""What the driver hands to a kernel, and what the kernel hands back: one JSON file each way.

::

    driver ──► context.json ──► kernel          named by SINARA_CONTEXT
    driver ◄── handback.json ◄── kernel         named in the context

With no context file (a person running cells by hand in JupyterLab, or a plain
``papermill`` call) :func:`interactive_context` builds the same value from the parameter files.
Secrets are never in either file: only where to find them.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from sinara.errors import StoreError, UsageError

CONTEXT_VARIABLE = "SINARA_CONTEXT"
RUN_ID_VARIABLE = "DSML_CURR_RUN_ID"  # a notebook fixes its run id with it
OUTER_RUN_ID_VARIABLE = "DSML_CURR_RUN_ID_FROM_PLINE"  # whoever starts the notebook does
DESIGN_VARIABLE = "DESIGN_MODE"
STEP_PARAMS_FILES = tuple(f"params/step_params.{end}" for end in ("json", "yaml", "yml"))


@dataclass(frozen=True)
class RunContext:
    """Everything that a substep has to know about the run it belongs to."""

    run_id: str
    env_name: str
    pipeline_name: str
    zone_name: str
    step_name: str
    substep_name: str  # "train.ipynb"
    step_folder: str  # absolute path of the step's repository
    settings_folder: str = ""  # whose sinara.toml holds; the step's folder if empty
    pipeline_params: dict[str, Any] = field(default_factory=dict)
    step_params: dict[str, Any] = field(default_factory=dict)
    substep_params: dict[str, Any] = field(default_factory=dict)  # secrets as references
    pins: dict[str, str] = field(default_factory=dict)  # "env/pipeline/zone/step" -> run id
    pins_file: str = ""  # where a kernel records an input that nobody could pin before it ran
    produced: dict[str, str] = field(default_factory=dict)  # entity -> URL, by earlier substeps
    handback_file: str = ""
    work_path: str = ""  # scratch folder of this run, removed at its end
    outputs_root: str = ""  # where outputs go in place of the env's root: nobody publishes them
    design_mode: bool = False


@dataclass(frozen=True)
class Handback:
    """What the driver learns from a kernel; rewritten whole whenever something is added."""

    interface: dict[str, list[dict[str, Any]]] | None = None  # as given to substep.interface()
    inputs: dict[str, str] = field(default_factory=dict)  # full name -> URL
    outputs: dict[str, str] = field(default_factory=dict)
    tmp: dict[str, str] = field(default_factory=dict)
    input_runs: dict[str, str] = field(default_factory=dict)  # full name -> run id
    metrics: dict[str, Any] = field(default_factory=dict)
    run_id: str = ""  # differs from the context's when the notebook fixed it
    # full name of an input -> what came of its contract
    contracts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


_Value = TypeVar("_Value", RunContext, Handback)


def load_context(environ: Mapping[str, str]) -> RunContext | None:
    """Return the context of the job that this process belongs to; ``None`` outside of a job.

    Raises:
        UsageError: If ``SINARA_CONTEXT`` names a file that cannot be read or is no context.
    """
    path = environ.get(CONTEXT_VARIABLE, "")
    if not path:
        return None
    try:
        return _read(RunContext, Path(path))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{CONTEXT_VARIABLE} names {path}, which holds no run's context ({error}). "
            f"Unset {CONTEXT_VARIABLE} to work without a run."
        ) from error


def write_context(path: Path, context: RunContext) -> None:
    """Write ``context`` to ``path``, whole or not at all, readable by this user only."""
    _write(path, context)


def write_handback(path: Path, handback: Handback) -> None:
    """Write ``handback`` to ``path``, whole or not at all, readable by this user only."""
    _write(path, handback)


def read_handback(path: Path) -> Handback:
    """Return what a kernel handed back; an empty value if it handed back nothing.

    Raises:
        StoreError: If the file is there and is no handback.
    """
    try:
        return _read(Handback, path)
    except FileNotFoundError:
        return Handback()
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path} is not what a substep hands back: {error}") from error


def interactive_context(
    cwd: Path, environ: Mapping[str, str], substep_name: str | None = None
) -> RunContext:
    """Return the context of a notebook that a person runs cell by cell, with no driver.

    Names and parameters come from the step's parameter files. The run id is the one that the
    environment fixes, or that of the draft which all notebooks of this checkout share.

    Args:
        cwd: The step's folder.
        environ: Read: ``DSML_CURR_RUN_ID``, ``DSML_CURR_RUN_ID_FROM_PLINE``, ``DESIGN_MODE``, the
            settings' variables, and the original's ``SINARA_STEP_PARAMS_FILE_PATH``,
            ``SINARA_PIPELINE_PARAMS_FILE_PATH`` and ``SINARA_STEP_ENV_NAME``.
        substep_name: Whose parameters to take; ``None`` when the notebook's name is not known.

    Raises:
        ParamsError: If the parameter files are missing or wrong.
        SettingsError: If the settings are wrong.
    """
    from sinara.params import load_step_params
    from sinara.settings import load_settings

    settings = load_settings(cwd, environ)
    params = load_step_params(
        environ.get("SINARA_STEP_PARAMS_FILE_PATH") or STEP_PARAMS_FILES,
        environ.get("SINARA_PIPELINE_PARAMS_FILE_PATH") or None,
        folder=cwd,
        env_name=environ.get("SINARA_STEP_ENV_NAME") or None,
    )
    given = {substep.name: substep.params for substep in params.substeps}
    tmp_root = settings.env(params.env_name).tmp_root
    return RunContext(
        run_id=interactive_run_id(tmp_root, cwd, environ),
        env_name=params.env_name,
        pipeline_name=params.pipeline_name,
        zone_name=params.zone_name,
        step_name=params.step_name,
        substep_name=substep_name or "",
        step_folder=str(cwd),
        pipeline_params=params.pipeline_params,
        step_params=params.step_params,
        substep_params=given.get(substep_name or "", {}),
        design_mode=DESIGN_VARIABLE in environ,
    )


def interactive_run_id(tmp_root: str, checkout: Path, environ: Mapping[str, str]) -> str:
    """Return the run id that notebooks run by hand in ``checkout`` share.

    Raises:
        BadNameError: If the environment fixes a run id that breaks the grammar.
    """
    from sinara.names import check_run_id

    fixed = environ.get(RUN_ID_VARIABLE) or environ.get(OUTER_RUN_ID_VARIABLE)
    if fixed:
        return check_run_id(fixed)
    return _draft_id(draft_file(tmp_root, checkout))


def draft_file(tmp_root: str, checkout: Path) -> Path:
    """Return the file that keeps the draft's run id of a checkout."""
    digest = hashlib.sha256(os.fsencode(checkout.resolve())).hexdigest()[:16]
    if "://" in tmp_root:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache, "sinara", "_drafts", f"{digest}.json")
    return Path(tmp_root, "_drafts", f"{digest}.json")


def reset_draft(tmp_root: str, checkout: Path) -> str:
    """Begin a new draft for ``checkout`` and return its run id."""
    from sinara.names import new_run_id

    run_id = new_run_id()
    path = draft_file(tmp_root, checkout)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, {"run_id": run_id, "checkout": str(checkout)})
    return run_id


def _draft_id(path: Path) -> str:
    """Return the run id in ``path``; of several notebooks that begin at once the first one wins."""
    from sinara.names import check_run_id, new_run_id

    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path, {"run_id": new_run_id()})
    try:
        return check_run_id(json.loads(path.read_text(encoding="utf-8"))["run_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} holds no run id ({error}). Remove it to begin a new draft."
        ) from error


def _read(kind: type[_Value], path: Path) -> _Value:
    """Return the value in ``path``; keys that a later version added are passed over."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    known = {item.name for item in fields(kind)}
    return kind(**{key: value for key, value in dict(stored).items() if key in known})


def _write(path: Path, value: RunContext | Handback) -> None:
    _replace(path, asdict(value))


def _replace(path: Path, value: object) -> None:
    # Not synced to disk: the file need not outlive the processes that talk through it.
    beside = _beside(path, value)
    try:
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _create(path: Path, value: object) -> None:
    """Write ``value`` to ``path`` unless somebody else did so first."""
    beside = _beside(path, value)
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not path.exists():
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _beside(path: Path, value: object) -> Path:
    text = json.dumps(value, allow_nan=False)  # ASCII: it holds half a character, too
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    return beside
