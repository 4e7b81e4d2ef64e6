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


def test_the_better_model_tells_eight_of_ten_bottles():
    done = subprocess.run(
        [sys.executable, "step.dev.py"],
        cwd=STEP,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    comparison = pd.read_parquet(newest("comparison"))
    predictions = pd.read_parquet(newest("predictions"))
    assert list(comparison["model"]) == ["linear", "forest"]
    assert comparison["accuracy"].max() > 0.8
    for model in comparison.itertuples():
        right = predictions[model.model] == predictions["grape"]
        assert right.sum() == model.right
