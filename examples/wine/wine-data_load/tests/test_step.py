"""The step runs as a job runs it, and leaves what it declares."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

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


def test_each_bottle_is_there_with_its_grape():
    done = subprocess.run(
        [sys.executable, "step.dev.py"],
        cwd=STEP,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    wine = pd.read_parquet(newest("wine"))
    assert wine["bottle"].is_unique
    assert wine["grape"].value_counts().to_dict() == {
        "Grignolino": 71,
        "Barolo": 59,
        "Barbera": 48,
    }
    assert wine.shape[1] == 15
