"""Say in words what ``strict_files`` refused, and how to declare it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from sinara.audit.inside import Rules
from sinara.record import Failure

_DENIED = re.compile(r"permission denied", re.IGNORECASE)
_QUOTED = re.compile(r"""['"](/[^'"\n]+|\.{0,2}/?[^'"\n]+)['"]""")
_BARE = re.compile(r"(?:^|[\s:=(])(/[^\s'\",;:)]+)")
_SHORTENED = re.compile(r"\.\.\.[^\s/]*/")  # a path as polars tells a long one
UNAVAILABLE = (
    "strict_files is set for {substep}, and nothing here can enforce it: Landlock is not there. It "
    "needs Linux 5.13 or newer with landlock among its security modules (lsm=…), and a container "
    "that permits its system calls. Run it there, or take strict_files out of the settings."
)

_UNNAMED = (
    "It may be strict_files that refused it: what is read or written has to be declared, files "
    "elsewhere in custom_inputs or custom_outputs."
)


def explained(failure: Failure | None, rules: Rules | None, cwd: Path) -> Failure | None:
    """Return the failure, with what was refused and how to declare it in its message.

    Args:
        failure: Why a substep failed.
        rules: What it was held to; nothing is changed without them.
        cwd: The folder in which it ran.
    """
    if failure is None or rules is None:
        return failure
    said = f"{failure.evalue or ''}\n{failure.message}"
    if failure.ename != "PermissionError" and not _DENIED.search(said):
        return failure
    path = refused_path(said, rules, cwd)
    if path is None:
        if not _SHORTENED.search(said):
            return failure
        return replace(failure, message=f"{failure.message} {_UNNAMED}")
    readable = not is_refused(path, rules, written=False)
    entry = f'[{{ENTITY_NAME: "…", ENTITY_PATH: "{path}"}}]'
    how = f"custom_inputs={entry}, or custom_outputs if it writes there"
    if readable:
        how = f"custom_outputs={entry}"
    what = "is only declared to be read" if readable else "is not declared"
    text = f"{failure.message} strict_files refused {path}, which {what}. Declare it: {how}."
    return replace(failure, message=text)


def refused_path(said: str, rules: Rules, cwd: Path) -> str | None:
    """Return the path that an error's text names and the rules do not let through."""
    for found in (*_QUOTED.findall(said), *_BARE.findall(said)):
        path: str = os.path.normpath(f"{cwd}/{found.strip()}" if found[0] != "/" else found)
        if is_refused(path, rules, written=True):
            return path
    return None


def is_refused(path: str, rules: Rules, *, written: bool) -> bool:
    """Return whether the rules alone do not let a path through."""
    let = rules.write if written else (*rules.read, *rules.write)
    return not any(_beneath(path, root) for root in let)


def _beneath(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")
