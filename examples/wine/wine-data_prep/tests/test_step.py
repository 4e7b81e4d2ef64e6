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


def test_no_bottle_is_in_both_sets_and_the_measurements_are_scaled():
    done = subprocess.run(
        [sys.executable, "step.dev.py"],
        cwd=STEP,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    train = pd.read_parquet(newest("train_set"))
    test = pd.read_parquet(newest("test_set"))
    params = PARAMS["substeps_params"][0]["substep_params"]
    assert set(train["bottle"]).isdisjoint(test["bottle"])
    assert abs(len(test) / 178 - params["test_share"]) < 0.01
    assert train[params["measurements"]].mean().abs().max() < 1e-9
    assert abs(train[params["measurements"]].std() - 1).max() < 1e-9
