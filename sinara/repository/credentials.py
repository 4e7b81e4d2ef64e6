"""A token on its way to git, and to nobody else.

Git asks a program for user name and password (``GIT_ASKPASS``). Ours is ``askpass.py``; it
answers only if the question names exactly the scheme and host that the token is for, so that a
redirect, a submodule or a rewritten address elsewhere gets nothing.

The token goes to that program through a pipe which git inherits and hands down. The environment
would be simpler, but whoever has the same user id can read it in ``/proc`` for as long as git
runs, and it gets into core files; a socket would need a place in the file system. The pipe has
no name, and goes away with the process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sinara.errors import RepositoryError, UsageError
from sinara.repository import askpass

_ANSWERS = 8  # git asks once in a call, a program that it starts (git-lfs) asks again


@dataclass(frozen=True)
class Credentials:
    """What git needs to reach the remotes of one host.

    Attributes:
        url: Scheme and host, and the port if it is not the usual one: ``https://github.com``.
        username: Who it is for git; hosts take any word together with a token.
        token: The token; never shown.
    """

    url: str
    username: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if any(c in self.username + self.token for c in "\n\r\0") or not self.token:
            raise UsageError(f"The token for {self.url} is empty, or holds a line end.")
        if len(self.token.encode()) > askpass.LONGEST:
            raise UsageError(f"The token for {self.url} is longer than {askpass.LONGEST} bytes.")

    def fits(self, address: str) -> bool:
        """Return whether ``address`` is on the host that these are for."""
        return base_of(address) == base_of(self.url)


def base_of(address: str) -> str:
    """Return scheme and host of an http(s) address, as git writes them, or an empty string."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http") or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    usual = port in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{host}" + ("" if usual else f":{port}")


@contextlib.contextmanager
def handing_over(credentials: Credentials | None) -> Iterator[dict[str, Any]]:
    """Give the arguments of :func:`~sinara.repository.call.run` with which git gets the token.

    No helper that would store it is asked. Without credentials git uses what the person has
    set up, and asks nobody.
    """
    if credentials is None:
        yield {"env": {}, "config": ()}
        return
    with tempfile.TemporaryDirectory(prefix="sinara-ask-", dir=_place()) as folder:
        program = Path(folder) / "askpass"
        program.write_text(f"#!/bin/sh\nexec {_quoted(sys.executable)} -I -S "
                           f'{_quoted(askpass.__file__)} "$1"\n')  # fmt: skip
        program.chmod(0o700)
        reader, writer = os.pipe()
        try:
            _fill(writer, credentials.token)
            os.close(writer)
            writer = -1
            env = {
                "GIT_ASKPASS": str(program),
                askpass.FD: str(reader),
                askpass.URL: base_of(credentials.url),
                askpass.USER: credentials.username,
            }
            off = (("credential.helper", ""), ("credential.useHttpPath", "false"))
            yield {"env": env, "config": off, "pass_fds": (reader,)}
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)


def _fill(writer: int, token: str) -> None:
    record = (token.encode() + b"\n").ljust(askpass.LONGEST + 1, b"\0")
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):  # a small pipe gives fewer answers
        for _ in range(_ANSWERS):
            os.write(writer, record)


def _place() -> str:
    """Return a folder in which a program may be started: /tmp is mounted ``noexec`` on some."""
    from platformdirs import user_cache_dir

    for place in (tempfile.gettempdir(), user_cache_dir("sinara")):
        with contextlib.suppress(OSError):
            Path(place).mkdir(parents=True, exist_ok=True)
            if not os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0):
                return place
    raise RepositoryError(
        f"{tempfile.gettempdir()}: no program may be started there, so git cannot be given the "
        "token. Set TMPDIR to a folder where one may."
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
