"""A container that serves an image on this machine, confined, and gone when it is stopped."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sinara.errors import ImageError
from sinara.images.call import Done, ask, fit
from sinara.images.runtime import CMD
from sinara.images.values import PORT

LABEL = "sinara.verify"
"""Every container that is started here has it: ``podman ps --filter label=sinara.verify``."""

_CONFINED = (
    *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--no-healthcheck", "--pull", "never"),
)
_START, _STOP = 120.0, 5
_LINES = "60"
# What podman says where a machine lacks some of a server's rights; another way may do then.
_LACKING = re.compile(
    r"crun|cgroup|rlimit|network|bridge|iptables|cni|netavark|nftables|slirp|pasta", re.IGNORECASE
)
_ADDRESS = re.compile(r"^127\.0\.0\.1:(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Container:
    """A running container; see :class:`sinara.images.values.Running`."""

    program: str
    name: str
    url: str

    @property
    def how(self) -> str:
        """What it runs in, for people."""
        return self.program

    def alive(self) -> bool:
        """Return whether it has not ended."""
        state = "{{.State.Running}}"
        with contextlib.suppress(ImageError):
            done = ask([self.program, "container", "inspect", "--format", state, self.name])
            return done.code == 0 and done.out.strip() == "true"
        return False

    def log(self) -> str:
        """Return the last lines that it wrote."""
        try:
            done = ask([self.program, "logs", "--tail", _LINES, self.name])
        except ImageError as error:
            return str(error)
        return "\n".join([*map(fit, done.out.splitlines()), *done.lines])

    def stop(self) -> None:
        """End and remove it; never raises, may be called again."""
        remove(self.program, self.name)


def start(program: str, image: str) -> Container:
    """Start an image with podman or docker: read-only, without rights, one port of 127.0.0.1.

    Args:
        program: ``podman`` or ``docker``.
        image: Its id.

    Raises:
        ImageError: If it cannot be started; nothing of it is left then.
    """
    name = f"sinara-{uuid.uuid4().hex[:12]}"
    _sweep(program)
    try:
        done, port = Done(1, "", ()), 0
        for way in _ways(program):
            port, named = way.port, ["--name", name, "--label", f"{LABEL}={_owner(os.getpid())}"]
            command = [
                program,
                *way.first,
                "run",
                "--detach",
                *named,
                *_CONFINED,
                *way.words,
                image,
            ]
            done = ask([*command, *(_on(port) if port else ())], seconds=_START)
            if done.code == 0:
                break
            remove(program, name)
            if not _LACKING.search("\n".join(done.lines)):
                break
        if done.code != 0:
            raise ImageError(f"{program} cannot start the image: {done.reason}")
        return Container(program, name, f"http://127.0.0.1:{port or _port(program, name)}")
    except BaseException:
        remove(program, name)
        raise


def remove(program: str, name: str) -> None:
    """Remove a container, running or not; never raises."""
    try:
        with contextlib.suppress(ImageError):
            ask([program, "stop", "--time", str(_STOP), name], seconds=_START)
    finally:  # after Ctrl-C too
        with contextlib.suppress(ImageError):
            ask([program, "rm", "--force", "--volumes", name], seconds=_START)


def _sweep(program: str) -> None:
    """Remove the containers of processes that were killed before they could; never raises."""
    label = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    names = [program, "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"]
    with contextlib.suppress(ImageError):
        for name in ask(names).out.split():
            owner = ask([program, "container", "inspect", "--format", label, name]).out.strip()
            pid = owner.rpartition(":")[2]
            if pid.isdecimal() and owner == _owner(int(pid)) and not _lives(int(pid)):
                remove(program, name)


def _owner(pid: int) -> str:
    """Return who started a container: a process of this machine, whose storage others may share."""
    return f"{socket.gethostname()}:{pid}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


@dataclass(frozen=True)
class _Way:
    """One way to start a container.

    Attributes:
        words: Options of ``run``.
        first: Options before it.
        port: Of this machine, where the container has no network of its own; else 0.
    """

    words: Sequence[str]
    first: Sequence[str] = ()
    port: int = 0


def _ways(program: str) -> Iterator[_Way]:
    """Yield what to try, one after the other.

    The engine's own choice first; podman then with runc (crun refuses hybrid cgroups) and no
    higher limits than this process has; at last with this machine's network, for want of a bridge.
    """
    publish = ["--publish", f"127.0.0.1::{PORT}"]
    yield _Way(publish)
    first = ["--runtime", "runc"] if program == "podman" and shutil.which("runc") else []
    limits = _limits() if program == "podman" else []
    if program == "podman":
        yield _Way([*limits, *publish], first)
    port = _free_port()
    yield _Way([*limits, "--network", "host", "--env", f"PORT={port}"], first, port)


def _limits() -> list[str]:
    import resource  # not there on Windows

    words = []
    for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        highest = resource.getrlimit(kind)[1]
        number = 32_768 if highest == resource.RLIM_INFINITY else min(highest, 32_768)
        words += ["--ulimit", f"{name}={number}:{number}"]
    return words


def _on(port: int) -> Sequence[str]:
    """Return the arguments with which the image serves only this machine."""
    words = ["127.0.0.1" if word == "0.0.0.0" else word for word in CMD]
    return [*words, "--port", str(port)]


def _port(program: str, name: str) -> int:
    done = ask([program, "port", name, f"{PORT}/tcp"])
    found = _ADDRESS.search(done.out)
    if done.code != 0 or found is None:
        container = Container(program, name, "")
        if not container.alive():
            raise ImageError(f"The image ended at once. Its last lines:\n{container.log()}")
        raise ImageError(f"{program} does not tell the port of the container: {done.reason}")
    return int(found[1])


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
