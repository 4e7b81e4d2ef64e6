"""All packages that were there when a run began, as pip reads them: for a reproduction."""

from __future__ import annotations

import sys
from pathlib import Path

from sinara.packages import installed
from sinara.runner.prepare import PreparedStep

LOCK_NAME = "requirements.txt"


def interpreter_of(prepared: PreparedStep) -> str:
    """Return the Python whose packages the step's notebooks see."""
    for substep in prepared.substeps:
        if substep.kernel is not None and substep.kernel.command(Path())[0] != sys.executable:
            return substep.kernel.argv[0]
    return sys.executable


def lock_of(prepared: PreparedStep) -> str:
    """Return the packages of a step's environment, one ``name==version`` a line."""
    return installed(interpreter_of(prepared)).requirements()
