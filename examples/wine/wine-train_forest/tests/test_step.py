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


def test_every_tree_ends_in_the_chances_of_the_grapes():
    done = subprocess.run(
        [sys.executable, "step.dev.py"],
        cwd=STEP,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    model = pd.read_parquet(newest("model"))
    trees = PARAMS["substeps_params"][0]["substep_params"]["trees"]
    assert model["tree"].nunique() == trees
    last = model[model["measurement"].isna()]
    assert last["tree"].nunique() == trees
    assert (last["lower"] == last["node"]).all()
    chances = last[["Barbera", "Barolo", "Grignolino"]]
    assert abs(chances.sum(axis=1) - 1).max() < 1e-9
