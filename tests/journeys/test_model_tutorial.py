"""The commands of docs/model-tutorial.md, as a reader would copy them: from nothing to an answer."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/model-tutorial.md"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def commands(port: int) -> list[str]:
    """The page's commands; what a reader puts in is put in here."""
    text = PAGE.read_text("utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)
    changed = {
        "bash tools/demo.sh": f"bash {ROOT}/tools/demo.sh",
        ". ../.venv/bin/activate": f"export PATH={Path(sys.executable).parent}:$PATH",
        "../tools/": f"{ROOT}/tools/",
        "--engine podman localhost/python:3.11": "--engine podman localhost/tutorial:3.11",
        "--base localhost/python:3.11": "--base localhost/tutorial:3.11 | tee named",
        "127.0.0.1:3000": f"127.0.0.1:{port}",
        "--name digits": "--name tutorial-digits",
        "podman stop digits": "podman stop tutorial-digits",
    }
    found = "\n".join(blocks)
    assert all(old in found for old in changed), "the page has other commands now"
    for old, new in changed.items():
        found = found.replace(old, new)
    found = found.replace(" | tee named --verify", " --verify | tee named")
    named = "IMAGE=$(sed -n 's/^image *//p' named)"
    found, count = re.subn(r"^IMAGE=user\.digits\..*$", named, found, flags=re.M)
    assert count == 1
    ready = f"until curl -sf http://127.0.0.1:{port}/readyz; do sleep 0.2; done"
    return found.replace("sinara model samples", f"{ready}\nsinara model samples").splitlines()


def test_every_command_of_the_page_works_and_the_container_answers(images, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = "\n".join(["set -euo pipefail", *commands(port)])

    done = subprocess.run(
        ["timeout", "500", "bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    subprocess.run(["podman", "rm", "-f", "tutorial-digits"], capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:]
    asked = subprocess.run(
        [sys.executable, "-m", "sinara", "model", "samples", "bento_service", "--json"],
        cwd=tmp_path / "demo",
        capture_output=True,
        text=True,
        check=True,
    )
    [sample] = json.loads(asked.stdout)["samples"]
    assert json.dumps(sample["answer"]) in done.stdout
    assert "Verified: 1 sample, in podman" in done.stderr
    assert "user.digits.zone.model_pack.bento_service" in done.stdout
