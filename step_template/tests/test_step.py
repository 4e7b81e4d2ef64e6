"""The step runs as a job runs it, and publishes what its notebooks declare."""

import json
import subprocess
import sys
from pathlib import Path

STEP = Path(__file__).parent.parent


def run(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=STEP,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_step_publishes_what_it_declares():
    run("step.dev.py")

    shown = json.loads(run("-m", "sinara", "run", "show", "--json"))["run"]
    for substep in shown["substeps"]:
        outputs = substep["interface"]["outputs"]
        declared = {entity["ENTITY_NAME"] for entity in outputs}
        published = {entity["name"]: entity for entity in substep["outputs"]}
        assert set(published) == declared
        for entity in published.values():
            assert (Path(entity["url"]) / "_SUCCESS").is_file()
            assert entity["rows"] > 0
