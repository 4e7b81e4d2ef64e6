"""Outputs of notebooks kept out of Git: the filter that a step's ``.gitattributes`` names.

``git add`` and ``git diff`` then see notebooks without outputs; the files keep theirs. Git runs the
filter by its own shell, so the command is quoted for one; its words are this program's own.
"""

from __future__ import annotations

import shlex
import sys
from functools import cache
from pathlib import Path

from sinara.repository.call import git, try_git

FILTER = "clear-output"
SETTING = f"filter.{FILTER}.clean"


@cache
def filter_command() -> str:
    """Return the command that Git is to run: it imports next to nothing, since it runs often."""
    script = Path(__file__).with_name("clean_notebook.py")
    return f"{shlex.quote(sys.executable)} -I -S {shlex.quote(str(script))}"


@cache
def own_lines() -> frozenset[str]:
    """Return the lines that :func:`switch_on` leaves in a repository's configuration."""
    return frozenset({f'[filter "{FILTER}"]', f"clean = {filter_command()}"})


def switch_on(folder: Path) -> bool:
    """Switch the filter on in the repository of ``folder``; say whether it was off.

    Raises:
        RepositoryError: If there is no repository.
    """
    if try_git(folder, "config", "--local", "--get", SETTING) == filter_command():
        return False
    git(folder, "config", "--local", SETTING, filter_command())
    return True
