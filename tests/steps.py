"""Step folders for tests: written cell by cell, as a person would have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

INTERFACE_IMPORTS = """\
from sinara.substep import (NotebookSubstep, ENV_NAME, PIPELINE_NAME, ZONE_NAME, STEP_NAME,
                            RUN_ID, ENTITY_NAME, ENTITY_PATH, SUBSTEP_NAME)
"""
LOAD_PARAMS = """\
from sinara.substep import get_pipeline_params, get_step_params
pipeline_params = get_pipeline_params(pprint=True)
step_params = get_step_params(pprint=True)
"""
STEP_DEV = """\
from sinara.step import Step
from sinara.step import StepSafeguard as sg
from sinara.step import StepReport as sr

try:
    step = Step(step_params_file_globs="params/step_params.json",
           env_name="user")
    for notebook in step.notebooks:
        notebook.run()
except Exception as e:
    step.handle_exception(e)
finally:
    sr.save()
    step.handle_exit()
"""
STEP_PROD = """\
from sinara.step import Step
from sinara.step import StepSafeguard as sg
from sinara.step import StepReport as sr

sg.git_reset()

try:
    step = Step(step_params_file_globs="params/*.json",
           env_name="prod")
    for notebook in step.notebooks:
        notebook.run()
except Exception as e:
    step.handle_exception(e)
finally:
    sr.tag_commit_by_run()
    step.handle_exit()
"""


def cell(source: str, *tags: str) -> nbformat.NotebookNode:
    """One code cell with tags."""
    made = nbformat.v4.new_code_cell(source)
    made.metadata["tags"] = list(tags)
    return made


def parameters(**values: Any) -> nbformat.NotebookNode:
    """The parameters cell in the classic form."""
    return cell(f"substep_params = {values!r}", "parameters")


def interface(**lists: Sequence[Mapping[str, str]]) -> nbformat.NotebookNode:
    """The interface cell in the classic form."""
    keys = {
        "STEP_NAME",
        "ENTITY_NAME",
        "ENV_NAME",
        "PIPELINE_NAME",
        "ZONE_NAME",
        "RUN_ID",
        "ENTITY_PATH",
    }
    declared = []
    for kind, entries in lists.items():
        shown = ", ".join(
            "{" + ", ".join(f"{k if k in keys else repr(k)}: {v!r}" for k, v in entry.items()) + "}"
            for entry in entries
        )
        declared.append(f"    {kind}=[{shown}],")
    source = (
        INTERFACE_IMPORTS
        + "substep = NotebookSubstep(pipeline_params, step_params, substep_params)\n"
    )
    source += "substep.interface(\n" + "\n".join(declared) + "\n)\n"
    source += "substep.print_interface_info()\nsubstep.exit_in_visualize_mode()"
    return cell(source, "interface")


def notebook(
    *cells: nbformat.NotebookNode, **lists: Sequence[Mapping[str, str]]
) -> nbformat.NotebookNode:
    """A substep in the newer form: parameters, the others loaded, the interface, then ``cells``."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    made.cells = [parameters(), cell(LOAD_PARAMS), interface(**lists), *cells]
    return made


def write_step(
    folder: Path,
    substeps: Mapping[str, nbformat.NotebookNode | str],
    *,
    pipeline: str = "pipe",
    step_params: Mapping[str, Any] | None = None,
    substep_params: Mapping[str, Mapping[str, Any]] | None = None,
    env: str | None = "user",
) -> Path:
    """Write one step: its parameter file, both scripts and its substeps."""
    (folder / "params").mkdir(parents=True)
    pipeline_params = {"pipeline_name": pipeline, "zone_name": "zone"}
    params = {
        "pipeline_params": pipeline_params if env is None else {"env_name": env, **pipeline_params},
        "step_params": dict(step_params or {}),
        "substeps_params": [
            {"substep_name": name, "substep_params": dict((substep_params or {}).get(name, {}))}
            for name in substeps
        ],
    }
    (folder / "params" / "step_params.json").write_text(json.dumps(params, indent=1))
    (folder / "step.dev.py").write_text(STEP_DEV)
    (folder / "step.prod.py").write_text(STEP_PROD)
    (folder / ".gitignore").write_text("tmp\n__pycache__\n.ipynb_checkpoints\n")
    for name, content in substeps.items():
        path = folder / name
        if isinstance(content, str):
            path.write_text(content)
        else:
            nbformat.write(content, path)
    return folder


def run_script(
    folder: Path,
    script: str = "step.dev.py",
    *arguments: str,
    timeout: float = 120,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run one of a step's scripts as a person would."""
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def sinara(
    folder: Path, *arguments: str, timeout: float = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the ``sinara`` command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "sinara", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
