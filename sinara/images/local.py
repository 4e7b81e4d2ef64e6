"""An image's service started without a container engine, by this machine's own Python.

It is not the image: the base's Python and libraries are not used. What is used is what was built,
the packages and the service, out of the layers that were written. The process has a keeper, as each
that sinara serves with on this machine: however we end, it ends too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
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
_KEEPER = (sys.executable, "-P", "-m", "sinara.serving.keeper")
_END = 15.0  # seconds: three times the keeper's patience
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
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()  # the lifeline
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
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
                [*_KEEPER, "--", *_alone(_environ(folder, port)), *_command(python, folder, port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder / "root" / BENTO.strip("/"),
                start_new_session=True,
            )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ImageError(f"The service cannot be started here: {error.strerror}.") from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Process(folder, process, port, f"this machine's Python {python.version}")


def _alone(environ: dict[str, str]) -> list[str]:
    """Return the words that give a command these variables only; its keeper has ours."""
    return ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environ.items())]


def _command(python: Python, folder: Path, port: int) -> list[str]:
    bento = str(folder / "root" / BENTO.strip("/"))
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


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
