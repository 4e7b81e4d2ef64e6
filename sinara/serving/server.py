"""A bento served on this machine by a process of its own, that leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sinara.errors import ServiceError, UsageError
from sinara.serving.http import Asked, fetch
from sinara.serving.keeper import GRACE

HOST = "127.0.0.1"
_LAST_LINES = 15
_LONGEST_LOG = 64 << 10
_TRIES = 3  # other programs take ports, too
_TAKEN = "address already in use"
_FAILED = "Application startup failed"  # uvicorn's words, of a worker that BentoML starts again
# What a service must not inherit: whose run it is, and where BentoML keeps what is this user's.
_NOT_PASSED = ("SINARA_CONTEXT", "DSML_CURR_RUN_ID", "DESIGN_MODE", "BENTO_PATH", "PORT")
_NONE_PASSED = "BENTOML_"  # nor how this user's BentoML serves: an image has none of it
_LONGEST_PLACE = 50  # characters: sockets of services lie below, and their paths end at 104


_KEEPER = (sys.executable, "-P", "-m", "sinara.serving.keeper")


class Server:
    """A service that answers at :attr:`url` until :meth:`stop`; made by :func:`start`."""

    def __init__(
        self,
        bento: Path,
        port: int,
        host: str,
        out: int | None,
        python: str,
        gone: Sequence[Path],
    ) -> None:
        self.port = port
        self._out = out
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        serve = ["-m", "bentoml", "serve", str(bento), "--host", host, "--port", str(port)]
        try:
            self._place = Path(tempfile.mkdtemp(prefix="sinara-serve-"))
        except OSError as error:
            raise _no_place(error) from error
        try:
            (self._place / "home").mkdir()
            # Kept open: the keeper removes it before anybody can ask why the service ended.
            self._log = (self._place / "log").open("a+b", buffering=0)
            self._process = subprocess.Popen(
                [*_KEEPER, *map(str, (self._place, *gone)), "--", python, *serve],
                stdin=subprocess.PIPE,
                stdout=self._log if out is None else out,
                stderr=self._log if out is None else out,
                cwd=self._place,
                env=_environ(self._place),
                start_new_session=True,  # Ctrl-C reaches us, and we end it
            )
        except BaseException as error:
            shutil.rmtree(self._place, ignore_errors=True)
            if isinstance(error, OSError):
                raise _no_place(error) from error
            raise

    def alive(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def log(self) -> str:
        """Return the last lines that it wrote; nothing if they went elsewhere, or after its end."""
        return "" if self._log.closed else _last_lines(self._log)

    def wait_ready(self, seconds: float) -> None:
        """Wait until it is ready to answer.

        Raises:
            ServiceError: If it ends, or takes longer; with its last lines.
        """
        until = time.monotonic() + seconds
        while self.alive() and time.monotonic() < until:
            if is_ready(self.url):
                return
            if has_failed(self.log()):
                why = "cannot start"
                break
            time.sleep(0.05)
        else:
            why = f"was not ready after {seconds:g} s" if self.alive() else "ended at once"
        told = _told(self.log()) if self._out is None else ""
        self.stop()
        raise ServiceError(f"The service {why}.{told}")

    def wait(self) -> int:
        """Wait until it ends, and return its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """End it and all that it started; may be called again."""
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()  # the lifeline
        try:
            self._process.wait(3 * GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    bento: Path,
    *,
    port: int = 0,
    host: str = HOST,
    seconds: float = 120.0,
    out: int | None = None,
    python: str = sys.executable,
    gone: Sequence[Path] = (),
) -> Server:
    """Serve a bento, and return when it is ready to answer.

    Args:
        bento: A folder with a ``bento.yaml``.
        port: 0 for a free one.
        host: The address to listen on.
        seconds: How long it may take.
        out: A descriptor for what it writes; without one it is kept for messages.
        python: The interpreter that has what the service needs.
        gone: Folders that are removed at the end, however that comes.

    Raises:
        UsageError: If the port is taken.
        ServiceError: If it does not become ready; with its last lines.
    """
    for attempt in range(1, _TRIES + 1):
        with _claimed(host, port) as chosen:
            server = Server(bento, chosen, host, out, python, gone)
            try:
                server.wait_ready(seconds)
            except ServiceError as error:
                if port or gone or attempt == _TRIES or _TAKEN not in str(error).lower():
                    raise
            except BaseException:
                server.stop()
                raise
            else:
                return server
    raise AssertionError("the last attempt returns or raises")


def has_failed(log: str) -> bool:
    """Return whether a service says that it cannot start; it would be tried for ever."""
    return _FAILED in log


@contextlib.contextmanager
def _claimed(host: str, port: int) -> Iterator[int]:
    """Give a port that nobody listens on, and no other server of ours is about to.

    A server takes seconds to listen. Without a claim two could start on one port, and the one that
    comes too late would take the other's answers for its own.
    """
    while True:
        chosen = port or _free_port(host)
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                if sys.platform == "linux":  # a name without a file, of the ports' own namespace
                    claim.bind(f"\0sinara-port-{chosen}")
                free = not port or _is_free(host, port)
            except OSError:
                free = False
            if free:
                yield chosen
                return
        if port:
            raise UsageError(
                f"Port {port} of {host} is taken. Take another, or 0 for any free one."
            )


def is_ready(url: str) -> bool:
    """Return whether a service answers that it is ready."""
    try:
        return fetch(Asked(f"{url}/readyz"), 2.0, 1 << 10, near=True).status == 200
    except (OSError, ValueError):  # ValueError: what it sends back is no address, or no number
        return False


def _environ(place: Path) -> dict[str, str]:
    """Return the variables of a service whose folder is ``place``."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_PASSED and not name.startswith(_NONE_PASSED)
    }
    if len(str(place)) <= _LONGEST_PLACE:  # what it forgets to remove goes with the rest
        environ["TMPDIR"] = str(place)
    return environ | {
        "BENTOML_HOME": str(place / "home"),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONUNBUFFERED": "1",
    }


def _no_place(error: OSError) -> ServiceError:
    return ServiceError(
        f"No service can be started with files in {tempfile.gettempdir()}: "
        f"{error.strerror or error}. Name another folder: TMPDIR=FOLDER"
    )


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror as error:
            raise UsageError(f"{host} is no address: {error.strerror}.") from error
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise UsageError(f"{host} is no address of this machine.") from error
            if isinstance(error, PermissionError):
                raise UsageError(
                    f"Port {port} needs an administrator: take one above 1023."
                ) from error
            return False
    return True


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise UsageError(f"{host} is no address of this machine: {error.strerror}.") from error
        port: int = probe.getsockname()[1]
        return port


def _last_lines(file: io.FileIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_LOG))
    lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])


def _told(log: str) -> str:
    return f" Its last lines:\n{log}" if log.strip() else " It wrote nothing."
