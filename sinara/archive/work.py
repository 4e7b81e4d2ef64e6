"""Where scratch files of this run go: the job's folder, or a draft's."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from sinara.context import interactive_context, load_context
from sinara.errors import ParamsError


def work_folder() -> Path:
    """Return a scratch folder that no other run shares; it is there.

    A job's is removed when the job ends. A program that runs in no step's folder gets one of
    the system's temporary folders, which is removed when the program ends.

    Raises:
        SettingsError: If the settings are wrong.
    """
    from sinara.settings import load_settings

    job = load_context(os.environ)
    if job is not None and job.work_path:
        path = Path(job.work_path)
    else:
        try:
            draft = job or interactive_context(Path.cwd(), os.environ)
        except ParamsError:
            return _temporary_folder()
        root = load_settings(Path.cwd()).env(draft.env_name).tmp_root
        if "://" in root:
            return _temporary_folder()
        step = Path(root, draft.pipeline_name, draft.zone_name, draft.step_name)
        path = step / draft.run_id / "_work"
    path.mkdir(parents=True, exist_ok=True)
    return path


@functools.cache
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sinara-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
