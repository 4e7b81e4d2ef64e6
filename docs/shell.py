"""Loaded by pages whose code is commands: ``%%bash`` with one stream, that may not fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from IPython.core.magic import register_cell_magic

os.environ["GIT_AUTHOR_NAME"] = os.environ["GIT_COMMITTER_NAME"] = "Ann"
os.environ["GIT_AUTHOR_EMAIL"] = os.environ["GIT_COMMITTER_EMAIL"] = "ann@example.org"


@register_cell_magic
def bash(line: str, cell: str) -> None:
    """Run the cell in bash; show the folder that pages are built in as a home."""
    del line
    done = subprocess.run(
        ["bash", "-ec", cell], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    sys.stdout.write(done.stdout.replace(str(Path.cwd()), "/home/ann/work"))
    if done.returncode:
        raise RuntimeError(f"A command on this page ended with {done.returncode}.")
