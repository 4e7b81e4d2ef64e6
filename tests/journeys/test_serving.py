"""A notebook saves a class of its own; its image is pulled elsewhere and answers, confined."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from sinara.serving.server import is_ready
from tests.containers import BASE, Storage
from tests.images.registries import registry
from tests.served import Served
from tests.steps import cell, notebook, sinara, write_step

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
CLASS = '''\
"""What counts words."""

from pathlib import Path

import bentoml
import numpy as np


@bentoml.service
class Words:
    def __init__(self):
        place = Path(__file__).parent / "models"
        self.known = (place / "known.txt").read_text().split()

    @bentoml.api
    def count(self, text: str) -> dict[str, int]:
        found = np.array([text.split().count(word) for word in self.known])
        return dict(zip(self.known, found.tolist(), strict=True))
'''
SAVE = """\
from pathlib import Path
from sinara.bentoml import save_bentoservice
from words import Words

Path("known.txt").write_text("to be")
save_bentoservice(
    Words,
    substep=substep,
    path=substep.outputs().bento_service,
    models={"known": "known.txt"},
    samples=[("count", {"text": "to be or not to be"}, {"to": 2, "be": 2})],
)
"""


def test_from_a_notebook_to_an_answer_on_another_machine(
    images: Storage, made_served: Served, wheelhouse: Path, tmp_path: Path
):
    made = notebook(cell(SAVE), outputs=[{"ENTITY_NAME": "bento_service"}])
    step = write_step(tmp_path / "pipe-count", {"save.ipynb": made})
    (step / "words.py").write_text(CLASS)
    ran = sinara(step, "step", "run")
    assert ran.returncode == 0, ran.stderr
    run_id = ran.stdout.strip()
    tested = sinara(step, "model", "test", "bento_service")
    assert tested.stderr.endswith("1 sample of 1 as predicted.\n"), tested.stderr

    with registry(tmp_path / "registry") as here:
        words = ["--base", BASE, "--offline", "--wheelhouse", str(wheelhouse), "--push", "--json"]
        asked = subprocess.run(
            ["bash", str(ROOT / "containerize.sh"), *words],
            cwd=step,
            input=f"bento_service\n{here.host}/team\n",
            env={**os.environ, "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert asked.returncode == 0, asked.stderr
        image = json.loads(asked.stdout)["image"]
        assert image["image"] == f"{here.host}/team/user.pipe.zone.count:{run_id}"
        pinned = f"{here.host}/team/user.pipe.zone.count@{image['digest']}"
        images.run("podman", "rmi", image["image"])
        images.run("podman", "pull", "--quiet", "--tls-verify=false", pinned)
        traced = sinara(step, "why", pinned)
    assert traced.stdout.startswith(f"user.pipe.zone.count.bento_service  {run_id}\n"), traced

    name = f"t{uuid.uuid4().hex[:8]}"
    confined = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    confined += ["--security-opt", "no-new-privileges", "-p", "127.0.0.1::3000"]
    images.run("podman", "run", "--detach", "--name", name, *confined, pinned)
    try:
        url = f"http://{images.run('podman', 'port', name, '3000').strip()}"
        end = time.monotonic() + 90
        while not is_ready(url):
            assert time.monotonic() < end, images.run("podman", "logs", name)
            time.sleep(0.2)
        answered = sinara(step, "model", "test", url, "--samples", "bento_service")
        who = images.run("podman", "top", name, "user", "args")
    finally:
        images.run("podman", "rm", "--force", "--time", "2", name)
    assert answered.returncode == 0, answered.stdout
    assert answered.stdout.startswith("/count: as predicted")
    assert "root" not in who
