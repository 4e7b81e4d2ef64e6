"""One call of git: a list of arguments, a quiet environment, an end in bounded time.

Git never asks on the terminal, never goes through a shell, and speaks English, so that its
answers can be read. A call that talks to a remote runs in a session of its own: it can then
be ended with everything it started, and ssh cannot ask on the terminal of ten calls at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sinara.errors import RepositoryError

NO_GIT = "Git is not installed. Install it: apt-get install git, or see git-scm.com."
SECONDS = 30.0
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "LANGUAGE": "C"}
# Set where git calls us (a hook, an alias); they would send every call to that repository.
_ELSEWHERE = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
)
_USER_IN_ADDRESS = re.compile(r"(?<=://)[^/\s'\"]*@")
_LOCK = re.compile(
    r"could not lock config file (?P<config>.+): File exists|'(?P<lock>.+\.lock)': File exists"
)
_SAID = ("fatal:", "error:")

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()


@dataclass(frozen=True)
class Done:
    """How a call of git ended: its exit code and what it said."""

    code: int
    out: str
    err: str


def git(folder: Path, *arguments: str, **how: Any) -> str:
    """Run git in ``folder`` and return what it printed, without the last line end.

    Args:
        folder: Where to run it.
        arguments: What follows ``git``.
        how: As for :func:`run`.

    Raises:
        RepositoryError: If git is not there, fails, or takes too long; one line.
    """
    done = run(folder, *arguments, **how)
    if done.code != 0:
        verb = next((word for word in arguments if word.isalpha()), "git")
        raise RepositoryError(f"{folder}: git {verb} failed: {reason(done)}")
    return done.out.removesuffix("\n")


def require_git() -> None:
    """Check that there is a git at all, before something is begun that needs it.

    Raises:
        RepositoryError: If there is none.
    """
    if shutil.which("git") is None:
        raise RepositoryError(NO_GIT)


def try_git(folder: Path, *arguments: str, **how: Any) -> str | None:
    """Return what git printed, or ``None`` if it failed."""
    try:
        return git(folder, *arguments, **how)
    except RepositoryError:
        return None


def run(
    folder: Path,
    *arguments: str,
    seconds: float = SECONDS,
    env: Mapping[str, str] | None = None,
    config: Sequence[tuple[str, str]] = (),
    apart: bool = False,
    stdin: BinaryIO | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Done:
    """Run git and return how it ended, whatever that was.

    Args:
        folder: Where to run it.
        arguments: What follows ``git``.
        seconds: When to end it.
        env: Variables laid over those of this process.
        config: Settings that win over every file, as name and value; not on the command line.
        apart: In a session of its own, without a terminal: :func:`end_all` then reaches it.
        stdin: What it reads; nothing by default.
        pass_fds: Descriptors that it inherits.

    Raises:
        RepositoryError: If git is not there, or takes too long.
    """
    process = _start(
        folder,
        arguments,
        env={**_QUIET, **(env or {}), **_as_environment(config)},
        stdin=stdin,
        start_new_session=apart,
        pass_fds=pass_fds,
    )
    with _lock:
        _running.add(process) if apart else None
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(process, apart)
        raise RepositoryError(
            f"{folder}: git {arguments[0] if arguments else ''} took longer than {seconds:g} s "
            "and was ended."
        ) from None
    except BaseException:
        _end(process, apart)
        raise
    finally:
        with _lock:
            _running.discard(process)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
    return Done(process.returncode, _text(out), _text(err))


def end_all() -> None:
    """End every call that was started apart, by all threads; each then fails."""
    with _lock:
        running = tuple(_running)
    for process in running:
        _signal(process, signal.SIGTERM)  # git removes its lock files and half a clone


def reason(done: Done) -> str:
    """Return in one line why git failed: no user name or token in it, nothing unprintable."""
    said = [line.strip() for line in (done.err or done.out).splitlines() if line.strip()]
    chosen = next((line for line in said if line.startswith(_SAID)), said[-1] if said else "")
    if not chosen:
        return f"ended by signal {-done.code}" if done.code < 0 else f"exit code {done.code}"
    return one_line(chosen + _left_lock(chosen))


def _left_lock(said: str) -> str:
    """Return what to do about a lock file, which a git that was killed leaves for good."""
    found = _LOCK.search(said)
    if found is None:
        return ""
    lock = found["lock"] or f"{found['config']}.lock"
    return f"{'' if said.endswith('.') else '.'} If no other git is at work there, remove {lock}"


def one_line(text: str) -> str:
    """Return ``text`` printable, and without user names and tokens in addresses."""
    bare = _USER_IN_ADDRESS.sub("", text)
    return "".join(c if c.isprintable() else " " for c in bare).strip()


def _start(
    folder: Path, arguments: Sequence[str], env: dict[str, str], stdin: BinaryIO | None, **how: Any
) -> subprocess.Popen[bytes]:
    try:
        from git.cmd import Git
        from git.exc import GitCommandNotFound
    except ImportError as error:  # GitPython cannot even be imported without Git
        raise RepositoryError(NO_GIT) from error
    astray = [name for name in _ELSEWHERE if name in os.environ]
    without = ["env", *(f"--unset={name}" for name in astray)] if astray else []
    if not Path(folder).is_dir():
        raise RepositoryError(f"{folder}: there is no such folder.")
    try:
        begun = Git(str(folder)).execute(
            [*without, "git", *arguments], as_process=True, env=env, istream=stdin, **how
        )
    except GitCommandNotFound as error:
        raise RepositoryError(NO_GIT) from error
    assert isinstance(begun, Git.AutoInterrupt)
    process, begun.proc = begun.proc, None  # ours to wait for: not ended when `begun` is let go
    assert isinstance(process, subprocess.Popen)
    return process


def _as_environment(config: Sequence[tuple[str, str]]) -> dict[str, str]:
    if not config:
        return {}
    before = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(before) if before.isdigit() else 0
    env = {"GIT_CONFIG_COUNT": str(first + len(config))}
    for index, (name, value) in enumerate(config, first):
        env[f"GIT_CONFIG_KEY_{index}"] = name
        env[f"GIT_CONFIG_VALUE_{index}"] = value
    return env


def _end(process: subprocess.Popen[bytes], apart: bool) -> None:
    _signal(process, signal.SIGTERM) if apart else process.terminate()
    try:
        process.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL) if apart else process.kill()
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the whole group of a process that leads one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, number)


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")
