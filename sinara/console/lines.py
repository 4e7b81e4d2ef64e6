"""One line on a terminal, whatever it can show, and even if it is gone."""

from __future__ import annotations

import sys
from typing import TextIO


def inert(text: str) -> str:
    r"""Return one line in which nothing is left that a terminal would act on.

    Escape sequences, line ends and other signs that are not seen, such as those that turn the
    direction of writing, are shown as escapes: ``\\x1b``.
    """
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def say(line: str, stream: TextIO | None = None) -> None:
    """Print one line.

    Args:
        line: What to print.
        stream: Where to; the process's error stream by default. What its encoding cannot
            show is escaped. If it is closed nothing is printed: the run's log has it all.
    """
    out = sys.stderr if stream is None else stream
    if out is None:  # the process was started without one: 2>&-
        return
    try:
        try:
            out.write(line + "\n")
        except UnicodeEncodeError:
            out.write(line.encode("ascii", "backslashreplace").decode() + "\n")
        out.flush()
    except (OSError, ValueError):
        return
