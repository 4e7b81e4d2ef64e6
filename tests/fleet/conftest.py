"""A pipeline of three steps, each a repository with a bare one as its origin."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sinara.repository import connect, first_commit, push
from tests.githost import GitHost, serving

STEPS = ("eval", "prep", "train")
PARAMS = """\
{
  "pipeline_params": {"env_name":"user",   "pipeline_name" : "churn", "note": "pipeline_name: churn"},
  "step_params": {"step_name": "STEP"},
    "substeps_params": [{"substep_name": "do.ipynb",
      "substep_params": {"pipeline_name": "churn"}}]
}
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=20,
    )  # fmt: skip
    return done.stdout.strip()


def write_step(folder: Path, step: str) -> Path:
    (folder / "params").mkdir(parents=True)
    (folder / "params/step_params.json").write_text(PARAMS.replace("STEP", step))
    (folder / "step.dev.py").write_text("raise SystemExit('never run')\n")
    (folder / "a.txt").write_text("one\n")
    return folder


@dataclass(frozen=True)
class Pipeline:
    """The folder of the pipeline, and that of its bare repositories."""

    folder: Path
    bare: Path

    def step(self, name: str) -> Path:
        return self.folder / f"churn-{name}"

    def remote(self, name: str) -> Path:
        return self.bare / f"churn-{name}.git"

    def commit(self, name: str, file: str = "b.txt", text: str = "mine\n") -> str:
        (self.step(name) / file).write_text(text)
        git(self.step(name), "add", "--all")
        git(self.step(name), "commit", "--quiet", "-m", file)
        return git(self.step(name), "rev-parse", "HEAD")

    def others_commit(self, name: str, file: str = "c.txt", branch: str = "main") -> str:
        """Let somebody else commit and push."""
        other = self.folder.parent / f"other-{secrets.token_hex(4)}"
        git(self.folder, "clone", "--quiet", str(self.remote(name)), str(other))
        git(other, "switch", "--quiet", "-C", branch)
        (other / file).write_text("theirs\n")
        git(other, "add", "--all")
        git(other, "commit", "--quiet", "-m", file)
        git(other, "push", "--quiet", "origin", branch)
        return git(other, "rev-parse", "HEAD")


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    made = Pipeline(tmp_path / "churn ✓", tmp_path / "bare")
    for name in STEPS:
        folder = write_step(made.step(name), name)
        first_commit(folder, "first")
        git(tmp_path, "init", "-q", "--bare", "--initial-branch=main", str(made.remote(name)))
        connect(folder, "origin", str(made.remote(name)))
        push(folder, "origin", "main")
    return made


@pytest.fixture
def githost(tmp_path: Path) -> Iterator[GitHost]:
    with serving(tmp_path / "githost", f"canary-{secrets.token_hex(12)}") as host:
        yield host


@pytest.fixture
def tree() -> Callable[[Path], Mapping[str, bytes]]:
    """Read every file below a folder."""
    return lambda top: {
        str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()
    }
