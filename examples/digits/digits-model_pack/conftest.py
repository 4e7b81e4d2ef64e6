"""Tests get a store of their own: nothing is written beside this folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

STEP = Path(__file__).parent
STEPS_BEFORE = [
    "../digits-data_load",
    "../digits-data_prep",
    "../digits-model_train",
]


def pytest_configure(config):
    root = tempfile.mkdtemp(prefix="step-")
    config.add_cleanup(lambda: shutil.rmtree(root, ignore_errors=True))
    for env in ("user", "test", "prod"):
        os.environ[f"SINARA_ENV_{env.upper()}"] = f"{root}/{env}"
        os.environ[f"SINARA_TMP_{env.upper()}"] = f"{root}/tmp/{env}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    if session.config.option.collectonly:
        return
    for folder in STEPS_BEFORE:
        if not (STEP / folder).is_dir():
            pytest.exit(f"{folder} is needed beside this step", returncode=2)
        subprocess.run(
            [sys.executable, "step.dev.py"],
            cwd=STEP / folder,
            check=True,
            capture_output=True,
        )
