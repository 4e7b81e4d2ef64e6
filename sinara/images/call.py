"""One call of a builder: a list of arguments, its log line by line, an end in bounded time.

A call runs in a session of its own, so that Ctrl-C is ours to handle: the builder is ended in the
way in which it cleans up after itself. What builders say is untrusted text: packages and base
images write into it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sinara.errors import ImageError
from sinara.images.values import Say

SHORT = 300.0  # seconds for a question: storage is locked while another build writes a layer
LONG = 7200.0  # seconds for a build, a push, a pull
_KEPT = 30  # lines for the error
_LONGEST = 2000  # characters of a line
_GRACE = 10.0  # seconds in which an interrupted builder removes what it began
_USER_IN_ADDRESS = re.compile(r"(?<=://)[^/\s'\"@]*@")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
# Of inside.py: the reason, whatever the builder says afterwards, also of the words that it ran.
_OURS = re.compile(r"(?:#\d+ )?(?:[\d.]+ )?sinara: (.*)")


@dataclass(frozen=True)
class Done:
    """How a call ended.

    Attributes:
        code: Its exit code.
        out: What it printed, for questions; empty where the lines were passed on.
        lines: The last lines that it wrote, fit to be shown.
    """

    code: int
    out: str
    lines: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        ours = [match[1] for match in map(_OURS.match, self.lines) if match]
        said = [line for line in self.lines if line.strip()]
        errors = [line for line in said if line.lower().startswith("error")]
        return (ours or errors or said or [f"exit code {self.code}"])[-1]


def ask(command: Sequence[str], *, seconds: float = SHORT) -> Done:
    """Return what a short call answers: its output in ``out``, its errors in ``lines``.

    Raises:
        ImageError: If the program is not there, or takes too long.
    """
    process = _start(command, apart=True)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(process, patient=False)
        raise _too_long(command, seconds) from None
    except BaseException:
        _end(process, patient=False)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
    lines = err.decode(errors="replace").splitlines()[-_KEPT:]
    return Done(process.returncode, out.decode(errors="replace"), tuple(map(fit, lines)))


def follow(
    command: Sequence[str],
    say: Say,
    *,
    seconds: float = LONG,
    patient: bool = False,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run a long call and pass on each line that it writes.

    Args:
        command: The program and its arguments.
        say: Is given each line.
        seconds: When to end it.
        patient: If it has to be ended, end what it started first, and let it clean up.
        env: Variables laid over those of this process.

    Raises:
        ImageError: If the program is not there, or takes too long.
    """
    process = _start(command, env=env)
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    last: deque[str] = deque(maxlen=_KEPT)
    until = time.monotonic() + seconds
    try:
        while (line := _next(lines, process, until)) is not None:
            last.append(line)
            say(line)
        process.wait(max(0.1, until - time.monotonic()))
    except (subprocess.TimeoutExpired, queue.Empty):
        _end(process, patient)
        raise _too_long(command, seconds) from None
    except BaseException:
        _end(process, patient)
        raise
    finally:
        reader.join(2)
    return Done(process.returncode, "", tuple(last))


def fit(line: str) -> str:
    """Return a line without names and tokens in addresses, and without what a terminal obeys."""
    shown = _ESCAPES.sub("", line.rstrip("\r\n").rpartition("\r")[2])
    shown = _USER_IN_ADDRESS.sub("", shown)[:_LONGEST]
    return "".join(c if c.isprintable() or c == "\t" else " " for c in shown).rstrip()


def _start(
    command: Sequence[str], *, apart: bool = False, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if apart else subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
    except OSError as error:
        raise ImageError(f"{command[0]} cannot be started: {error.strerror}.") from None


def _read(stream: IO[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    with stream, contextlib.suppress(OSError, ValueError):
        while line := stream.readline(65_536):
            lines.put(fit(line.decode(errors="replace")))
    lines.put(None)


def _next(
    lines: queue.SimpleQueue[str | None], process: subprocess.Popen[bytes], until: float
) -> str | None:
    """Return the next line, or None at the end, even if something that it left holds the pipe."""
    while True:
        try:
            return lines.get(timeout=max(0.0, min(1.0, until - time.monotonic())))
        except queue.Empty:
            if process.poll() is not None:
                return None
            if time.monotonic() >= until:
                raise


def _end(process: subprocess.Popen[bytes], patient: bool) -> None:
    """End a call, and everything that it started.

    podman leaves its working containers when it is signalled. If the command that it runs in one of
    them is ended instead, that step fails and podman removes them.
    """
    began = time.monotonic()
    quiet = began
    while patient and process.poll() is None and time.monotonic() - began < _GRACE:
        harsh = time.monotonic() - began > _GRACE / 4
        below = _below(process.pid)
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if harsh else signal.SIGTERM)
        quiet = time.monotonic() if below else quiet
        if time.monotonic() - quiet > _GRACE / 3:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _below(pid: int) -> list[int]:
    """Return the processes that ``pid`` started, and those that they did; none without /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _too_long(command: Sequence[str], seconds: float) -> ImageError:
    return ImageError(
        f"{' '.join(command[:2])} took longer than {seconds:g} s and was ended. Is it waiting "
        "for a network, or for another builder?"
    )
