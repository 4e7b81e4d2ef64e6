"""The input and output streams of a process that somebody else started, made safe to use.

A service may start a program with none of them (``>&-``), a pipe may close in the middle
(``| head -1``), and a disk may be full.
"""

from __future__ import annotations

import contextlib
import os
import sys


def hold_streams() -> None:
    """Put the null device where the process was started without an input or output stream.

    Otherwise the next file that is opened, one of the store perhaps, would take that number, and
    whatever writes to "standard error" would write into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def let_go_of_streams() -> None:
    """Forget what cannot be printed any more (a pipe that was closed, a full disk).

    Python would try again at its end, fail, and replace the exit code by 120.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
