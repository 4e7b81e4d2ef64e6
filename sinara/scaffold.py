"""Make a step from the template: a folder that runs as it is.

Only the parameter files are changed: the names go in there, and nowhere else. The folder
is made whole beside its place and moved there, so that a broken attempt leaves nothing.
"""

from __future__ import annotations

import importlib.resources
import json
import shutil
import tempfile
from pathlib import Path

from sinara import names
from sinara.errors import UsageError
from sinara.repository import first_commit

_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".ipynb_checkpoints", ".pytest_cache", "tmp", "sinara_data"
)


def template_folder() -> Path:
    """Return the step template: in the installed package, or at the top of a checkout."""
    packaged = Path(str(importlib.resources.files("sinara"))) / "data" / "step_template"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "step_template"


def new_step(step: str, pipeline: str, folder: Path, *, git: bool = True) -> Path:
    """Make one step.

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
    target = folder.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target}: there is something already. Choose another place with --folder."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise UsageError(f"{target}: cannot be made: {error.strerror}.") from error
    try:
        made = scratch / "step"
        shutil.copytree(template_folder(), made, ignore=_LEFT_OUT)
        _write_names(made / "params" / "step_params.json", step, pipeline)
        if git:
            first_commit(made, f"Step {step} of pipeline {pipeline}, from the template")
        if target.exists():  # and is empty: it stays, somebody may stand in it
            for part in sorted(made.iterdir()):
                part.rename(target / part.name)
        else:
            made.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _write_names(params_file: Path, step: str, pipeline: str) -> None:
    params = json.loads(params_file.read_text(encoding="utf-8"))
    params["pipeline_params"]["pipeline_name"] = pipeline
    params["step_params"]["step_name"] = step
    params_file.write_text(
        json.dumps(params, indent=4, ensure_ascii=False) + "\n", encoding="utf-8"
    )
