"""JupyterLab on this machine, for one folder: only here, with a token, and quiet."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sinara.errors import MissingExtraError, RunError, UsageError

START_SECONDS = 90.0
_END_SECONDS = 10.0
_SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


def require_lab() -> None:
    """Check that JupyterLab is installed.

    Raises:
        MissingExtraError: If it is not.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError.for_extra("JupyterLab", "lab")


def command(folder: Path, port: int, settings: Path) -> list[str]:
    """Return the command that serves ``folder`` on 127.0.0.1.

    Args:
        folder: What the server shows.
        port: Where it listens; 0: any free port.
        settings: A folder of its own for settings; see :func:`write_settings`.
    """
    root = [] if not hasattr(os, "geteuid") or os.geteuid() else ["--allow-root"]
    return [
        *(sys.executable, "-P", "-m", "jupyterlab", "--no-browser", *root),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.default_url=/lab",
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--LabApp.app_settings_dir={settings}",
    ]


def environment(
    token: str, runtime: Path, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of a server: the token is in it, and on no command line."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("JPY_", "JUPYTER_TOKEN"))}
    return {**own, **(extra or {}), "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(runtime)}


def write_settings(folder: Path) -> None:
    """Write the settings of a server: it asks nobody for news."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "overrides.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")


def check_port(port: int) -> None:
    """Check that a port is free.

    Raises:
        UsageError: If it is not.
    """
    if not 0 <= port < 65536:
        raise UsageError(f"Port {port} cannot be: it is a number from 0 to 65535.")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        raise UsageError(
            f"Port {port} of 127.0.0.1 cannot be had: {error.strerror}. Choose another: --port"
        ) from error


def wait_for(
    process: subprocess.Popen[bytes], runtime: Path, log: Path, seconds: float = START_SECONDS
) -> str:
    """Wait until a server answers, and return its address without the token.

    Raises:
        RunError: If it ends first, or takes too long; with its last line.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):  # it is being written
                told = json.loads(file.read_text(encoding="utf-8"))
                if told["pid"] == process.pid and _answers(told["port"]):
                    return str(told["url"])
        time.sleep(0.1)
    raise RunError(f"JupyterLab does not start: {last_words(log)}")


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def last_words(log: Path) -> str:
    """Return the last line that a server wrote."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:300] if said else "it said nothing."


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server with its kernels: asked first, then made to."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def write_door(place: Path, url: str) -> Path:
    """Write a page that leads to ``url``, for a browser to be started with.

    Everybody on the machine sees what a program is started with, and nobody else this file.
    """
    page = place / "open.html"
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(
            '<!DOCTYPE html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
            f'<meta http-equiv="refresh" content="0; url={html.escape(url)}">'
            f'<title>JupyterLab</title><a href="{html.escape(url)}">JupyterLab</a>\n'
        )
    return page


def serve(folder: Path, *, port: int = 0, opened: Callable[[str, Path], None]) -> None:
    """Serve ``folder`` in JupyterLab until Ctrl-C, or until it ends by itself.

    Args:
        folder: What it shows.
        port: Where it listens; 0: any free port.
        opened: Is given the address with its token, and a page that leads there, once the server
            answers.

    Raises:
        MissingExtraError: If JupyterLab is not installed.
        UsageError: If the port is taken.
        RunError: If the server does not start, or ends by itself.
    """
    require_lab()
    if port:
        check_port(port)
    token = secrets.token_hex(24)
    with tempfile.TemporaryDirectory(prefix="sinara-lab-") as scratch:
        place = Path(scratch)
        write_settings(place / "settings")
        (place / "runtime").mkdir(mode=0o700)
        log = place / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                command(folder, port, place / "settings"), cwd=folder, stdin=subprocess.DEVNULL,
                stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
                env=environment(token, place / "runtime"),
            )  # fmt: skip
        with _signals(), contextlib.suppress(KeyboardInterrupt):
            try:
                url = f"{wait_for(process, place / 'runtime', log)}lab?token={token}"
                opened(url, write_door(place, url))
                while process.poll() is None:
                    time.sleep(0.2)
                raise RunError(f"JupyterLab has ended: {last_words(log)}")
            finally:
                end(process)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the server as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
