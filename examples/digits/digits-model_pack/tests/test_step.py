"""The step runs as a job runs it, and leaves what it declares."""

import json
import os
import subprocess
import sys
from pathlib import Path

STEP = Path(__file__).parent.parent
PARAMS = json.loads((STEP / "params/step_params.json").read_text("utf-8"))


def newest(entity):
    """Return the folder of an entity as the newest run left it."""
    pipeline = PARAMS["pipeline_params"]
    name = PARAMS["step_params"]["step_name"]
    home = Path(
        os.environ["SINARA_ENV_USER"],
        pipeline["pipeline_name"],
        pipeline["zone_name"],
        name,
    )
    return sorted(home.glob(f"run-*/{entity}/_SUCCESS"))[-1].parent


def test_the_saved_service_answers_as_the_notebook_predicted():
    done = subprocess.run(
        [sys.executable, "step.dev.py"],
        cwd=STEP,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    asked = subprocess.run(
        [
            sys.executable,
            "-m",
            "sinara",
            "model",
            "test",
            str(newest("bento_service")),
        ],
        cwd=STEP,
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 0, asked.stderr
    assert "/predict: as predicted" in asked.stdout
