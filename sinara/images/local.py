"""An image's service started without a container engine, by this machine's own Python.

It is not the image: the base's Python and libraries are not used. What is used is what was built,
the packages and the service, out of the layers that were written.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sinara.errors import ImageError
from sinara.extract import Limits, extract_tar
from sinara.images.call import fit
from sinara.images.packages import Python
from sinara.images.runtime import ENTRYPOINT, environment
from sinara.images.values import BENTO, PACKAGES

_LOG_BYTES = 64 << 10
_LOG_LINES = 60
_GRACE = 5.0  # seconds for an orderly end
# The layers are our own: what they hold was counted when they were made.
_LIMITS = Limits(max_files=1_000_000, max_ratio=2000.0)
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")


class Process:
    """A service that runs in a folder of its own; see :class:`sinara.images.values.Running`."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int, how: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.how = how
        self._folder = folder
        self._process = process
        self._stopped = False

    def alive(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def log(self) -> str:
        """Return the last lines that it wrote."""
        with contextlib.suppress(OSError), (self._folder / "log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
            return "\n".join(map(fit, lines[-_LOG_LINES:]))
        return ""

    def stop(self) -> None:
        """End it with everything that it started, and remove its folder; may be called again."""
        if not self._stopped:  # its number may be another's by now
            _end(self._process)
        self._stopped = True
        shutil.rmtree(self._folder, ignore_errors=True)


def start(layers: Sequence[Path], python: Python) -> Process:
    """Start the service in some layers.

    Args:
        layers: Files that sinara wrote: packages, code, model.
        python: Of the same minor version as the image's.

    Raises:
        ImageError: If it cannot be started; nothing is left then.
    """
    folder = Path(tempfile.mkdtemp(prefix="sinara-served-"))
    try:
        for layer in layers:
            extract_tar(layer, folder / "root", limits=_LIMITS)
        port = _free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                _command(python, folder / "root", port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder / "root" / BENTO.strip("/"),
                env=_environ(folder, port),
                start_new_session=True,
            )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ImageError(f"The service cannot be started here: {error.strerror}.") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Process(folder, process, port, f"this machine's Python {python.version}")


def _command(python: Python, root: Path, port: int) -> list[str]:
    bento = str(root / BENTO.strip("/"))
    words = [python.program, "-s", *ENTRYPOINT[1:], "serve", bento]
    return [*words, "--host", "127.0.0.1", "--port", str(port)]


def _environ(folder: Path, port: int) -> dict[str, str]:
    """Return the image's variables, with the paths of this machine in them."""
    root, home = folder / "root", folder / "home"
    home.mkdir()
    ours = environment() | {
        "PYTHONPATH": str(root / PACKAGES.strip("/")),
        "BENTO_PATH": str(root / BENTO.strip("/")),
        "HOME": str(home),
        "BENTOML_HOME": str(home / "bentoml"),
        "TMPDIR": str(home),
        "PORT": str(port),
    }
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | ours


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _session(process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _session(leader: int) -> list[int]:
    """Return the processes of a session that are there; without /proc, its leader."""
    if not Path("/proc").is_dir():
        return [leader]
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
