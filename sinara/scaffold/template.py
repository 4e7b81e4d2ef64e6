"""The step template copied, and its names set; and a folder of a user's own as template."""

from __future__ import annotations

import importlib.resources
import json
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinara.errors import UsageError
from sinara.params.text import read_dict

LEFT_OUT_NAMES = (
    "tmp",
    "sinara_data",
    "__pycache__",
    ".ipynb_checkpoints",
    ".pytest_cache",
    ".venv",
)
_LEFT_OUT = shutil.ignore_patterns(*LEFT_OUT_NAMES, "*.pyc", ".git")
PARAMS = "params/step_params.json"


def template_folder() -> Path:
    """Return the step template: in the installed package, or at the top of a checkout."""
    return _packaged("step_template")


def visualize_notebook() -> Path:
    """Return the notebook that shows the graph of a pipeline."""
    return _packaged("visualize.ipynb")


def _packaged(name: str) -> Path:
    packaged = Path(str(importlib.resources.files("sinara"))) / "data" / name
    return packaged if packaged.exists() else Path(__file__).parents[2] / name


def copy_template(template: Path, made: Path) -> None:
    """Copy a template to ``made``, which must not exist; links are copied as links.

    Raises:
        UsageError: If something in it cannot be copied.
    """
    try:
        shutil.copytree(template, made, ignore=_LEFT_OUT, symlinks=True)
    except shutil.Error as error:  # one entry for each file: source, target, why
        source, _, why = error.args[0][0]
        why = re.sub(r"^\[Errno \d+\] |: '.*", "", str(why))
        raise UsageError(f"{source}: cannot be copied: {why}.") from error
    for path in (made, *made.rglob("*")):  # a template may be kept from being written
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def set_names(
    folder: Path, pipeline: str, zone: str | None, step: str, step_params: Mapping[str, Any]
) -> dict[str, Any]:
    """Set the names in a step's parameter file, and return what it then holds.

    Raises:
        UsageError: If the template has no JSON parameter file.
        ParamsError: If that file is wrong.
    """
    if not (folder / PARAMS).is_file():
        raise UsageError(f"{folder}: a template needs {PARAMS}, where the names are set.")
    params = read_dict(folder / PARAMS, PARAMS)
    params["pipeline_params"] = {**params.get("pipeline_params", {}), "pipeline_name": pipeline}
    if zone is not None:
        params["pipeline_params"]["zone_name"] = zone
    params["step_params"] = {**params.get("step_params", {}), **step_params, "step_name": step}
    write_params(folder, params)
    return params


def write_params(folder: Path, params: Mapping[str, Any]) -> None:
    """Write a step's parameter file."""
    text = json.dumps(params, indent=4, ensure_ascii=False)
    (folder / PARAMS).write_text(f"{text}\n", encoding="utf-8")
