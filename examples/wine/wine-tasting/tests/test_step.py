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


def test_only_bottles_on_which_the_models_differ_are_tasted():
    done = subprocess.run(
        [sys.executable, "step.dev.py"],
        cwd=STEP,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    tasting = pd.read_parquet(newest("tasting"))
    assert 0 < len(tasting) <= 12
    assert (tasting["linear"] != tasting["forest"]).all()
