"""A real pseudo-terminal, and what a person would see on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte

COLUMNS, LINES = 90, 24


class Terminal:
    """A terminal of a size, with what was written to it."""

    def __init__(self, columns: int = COLUMNS, lines: int = LINES) -> None:
        self.outer, self.inner = pty.openpty()
        self.screen = pyte.HistoryScreen(columns, lines, history=5000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as a person who pulls at the window."""
        fcntl.ioctl(self.outer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def read(self, seconds: float = 0.2) -> bool:
        """Take in what comes within so many seconds; False if nobody writes any more."""
        end = time.monotonic() + seconds
        while select.select([self.outer], [], [], max(end - time.monotonic(), 0))[0]:
            try:
                data = os.read(self.outer, 65536)
            except OSError:  # EIO: the last writer has closed it
                return False
            if not data:
                return False
            self.raw += data
            self._stream.feed(data)
        return True

    def until(self, seen: Callable[[], bool], seconds: float = 60) -> None:
        """Read until something is seen."""
        end = time.monotonic() + seconds
        while not seen():
            assert time.monotonic() < end, self.text
            self.read(0.05)

    @property
    def lines(self) -> list[str]:
        """The lines on the screen, down to the last that is not blank."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.lines)

    @property
    def everything(self) -> str:
        """What is on the screen and above it."""
        above = (
            "".join(row[column].data for column in range(self.screen.columns)).rstrip()
            for row in self.screen.history.top
        )
        return "\n".join([*above, *self.lines])

    def close(self) -> None:
        """Hang up."""
        for number in (self.outer, self.inner):
            with contextlib.suppress(OSError):
                os.close(number)


def start(terminal: Terminal, folder: Path, *command: str, **variables: str) -> subprocess.Popen:
    """Start Python in the foreground of a terminal, as a shell does."""

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    environ = {k: v for k, v in os.environ.items() if k not in {"CI", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**environ, "TERM": "xterm-256color", **variables},
        stdin=terminal.inner,
        stdout=terminal.inner,
        stderr=terminal.inner,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(terminal.inner)
    return process
