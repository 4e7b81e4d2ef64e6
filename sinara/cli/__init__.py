"""The ``sinara`` command: noun, verb, and no logic of its own.

A subcommand turns arguments into one call of the library and prints the answer, so
whatever the command line can do, a notebook or a test can do too. Results go to the
output stream, everything else to the error stream.

Exit codes: 0 done, 1 a run failed, 2 usage or configuration, 3 a check found something,
4 a kernel died, 5 a timeout, 130 interrupted, 254 stopped in design mode.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the program's name; the process's own by default.

    Returns:
        The exit code. A :class:`~sinara.errors.SinaraError` becomes its lines on the error
        stream and its exit code; anything else is a bug and keeps its traceback.
    """
    from sinara.cli.app import run

    return run(arguments)
