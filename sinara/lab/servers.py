"""Named JupyterLab servers on this machine, with data, work and tmp folders of their own.

::

    <state>/<name>/server.json   its folders                     (state: the user's, mode 0700)
                  /running.json  its process, while it runs
                  /token         its token, mode 0600
                  /log           what it said

The data folder holds the envs, the tmp folder their temporary roots; work is what JupyterLab
shows. A process is known by its number and by when it started: a number that another process
got meanwhile is never ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from sinara import names
from sinara.errors import RunError, UsageError, suggest
from sinara.lab import start as lab
from sinara.store.world import process_started

ENVS = ("user", "test", "prod")
_ours: dict[int, subprocess.Popen[bytes]] = {}  # started by this process: it has to wait for them
_END_SECONDS = 15.0


@dataclass(frozen=True)
class Server:
    """A named server.

    Attributes:
        name: Its name.
        data: Where the entities live, a folder for each env.
        work: What JupyterLab shows.
        tmp: Where temporary entities live.
        url: Its address with the token, while it runs.
        pid: Its process, while it runs.
    """

    name: str
    data: str
    work: str
    tmp: str
    url: str | None = None
    pid: int | None = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.pid is not None


def state_folder() -> Path:
    """Return where what is known of servers lies."""
    return Path(platformdirs.user_state_dir("sinara", appauthor=False)) / "servers"


def create_server(
    name: str, *, data: Path | None = None, work: Path | None = None, tmp: Path | None = None
) -> Server:
    """Remember a server and make its folders; it is not started.

    Raises:
        BadNameError: If the name breaks the grammar.
        UsageError: If there is one of that name, or a folder cannot be made.
    """
    place = _place(name)
    base = Path.home() / "sinara" / name
    chosen = {
        "data": (data or base / "data").expanduser().absolute(),
        "work": (work or base / "work").expanduser().absolute(),
        "tmp": (tmp or base / "tmp").expanduser().absolute(),
    }
    if _known(place):
        raise UsageError(
            f"There is a server '{name}' already. Start it: sinara server start {name}"
        )
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)
        for folder in chosen.values():
            folder.mkdir(parents=True, exist_ok=True)
        server = Server(name, str(chosen["data"]), str(chosen["work"]), str(chosen["tmp"]))
        _write(place / "server.json", asdict(server))
    except OSError as error:
        raise UsageError(f"{error.filename or place}: cannot be made: {error.strerror}.") from error
    return server


def list_servers() -> tuple[Server, ...]:
    """Return all servers by name, as they are now: a dead process does not run."""
    try:
        found = sorted(place.name for place in state_folder().iterdir() if _known(place))
    except OSError:
        return ()
    return tuple(get_server(name) for name in found)


def get_server(name: str) -> Server:
    """Return one server as it is now.

    Raises:
        UsageError: If there is none of that name.
    """
    place = _place(name)
    known = _known(place)
    if known is None:
        others = [server.name for server in list_servers()]
        hint = suggest(name, others) or f"Make it: sinara server create {name}"
        raise UsageError(f"There is no server {names.shown(name)}. {hint}")
    running = _read(place / "running.json")
    pid, started = running.get("pid"), running.get("started")
    if not isinstance(pid, int) or not started or process_started(pid) != started:
        return known
    url = f"{running.get('url')}lab?token={_text(place / 'token')}"
    return replace(known, url=url, pid=pid)


def start_server(name: str, *, port: int = 0) -> Server:
    """Start a server in the background and wait until it answers; one that runs is returned.

    Raises:
        MissingExtraError: If JupyterLab is not installed.
        UsageError: If there is none of that name, or the port is taken.
        RunError: If it does not start.
    """
    lab.require_lab()
    place = _place(name)
    get_server(name)
    with _alone(place):
        server = get_server(name)
        if server.running:
            return server
        if not Path(server.work).is_dir():
            raise UsageError(
                f"{server.work}: the work folder of the server '{name}' is not there. Make it, or "
                "mount the disk that it lies on."
            )
        if port:
            lab.check_port(port)
        token = secrets.token_hex(24)
        _write_secret(place / "token", token)
        lab.write_settings(place / "settings")
        runtime = place / "runtime"
        shutil.rmtree(runtime, ignore_errors=True)
        runtime.mkdir(mode=0o700)
        roots = {f"SINARA_ENV_{env.upper()}": f"{server.data}/{env}" for env in ENVS}
        roots |= {f"SINARA_TMP_{env.upper()}": f"{server.tmp}/{env}" for env in ENVS}
        with (place / "log").open("wb") as said:
            process = subprocess.Popen(
                lab.command(Path(server.work), port, place / "settings"), cwd=server.work,
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
                start_new_session=True, env=lab.environment(token, runtime, roots),
            )  # fmt: skip
        try:
            url = lab.wait_for(process, runtime, place / "log")
            mark = {"pid": process.pid, "started": process_started(process.pid), "url": url}
            _write(place / "running.json", mark)
            _ours[process.pid] = process
        except BaseException:
            lab.end(process)
            raise
    return get_server(name)


def stop_server(name: str) -> bool:
    """End a server with its kernels; say whether it ran.

    Raises:
        UsageError: If there is none of that name.
        RunError: If it does not end.
    """
    server = get_server(name)
    if server.pid is None:
        return False
    for word in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, word)
        until = time.monotonic() + _END_SECONDS
        while time.monotonic() < until:
            if server.pid in _ours and _ours[server.pid].poll() is not None:
                del _ours[server.pid]
            if not get_server(name).running:
                (_place(name) / "running.json").unlink(missing_ok=True)
                return True
            time.sleep(0.1)
    raise RunError(f"The server '{name}' (process {server.pid}) does not end.")


def remove_server(name: str, *, with_data: bool = False) -> None:
    """Forget a server that does not run; its folders stay unless ``with_data``.

    Raises:
        UsageError: If there is none of that name, it runs, or a folder holds more than is its own.
    """
    server = get_server(name)
    folders = [Path(f) for f in (server.data, server.work, server.tmp)] if with_data else []
    for folder in folders:
        _check_removable(name, folder)
    if server.running:
        raise UsageError(f"The server '{name}' runs. Stop it first: sinara server stop {name}")
    try:
        for folder in folders:
            if folder.exists():
                shutil.rmtree(folder)
        shutil.rmtree(_place(name))
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be removed: {error.strerror}.") from error


def _check_removable(name: str, folder: Path) -> None:
    """Refuse to remove what holds more than this server: nothing is removed then.

    What counts is where a path leads, not how it is written: ``data/..`` is no folder in data.
    """
    there = folder.resolve()
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link to {there}, and is not removed. Do it by hand.")
    if Path.home().resolve().is_relative_to(there):
        raise UsageError(f"{folder} holds your home folder, and is not removed. Do it by hand.")
    for other in list_servers():
        for kept in (other.data, other.work, other.tmp) if other.name != name else ():
            if Path(kept).resolve().is_relative_to(there):
                raise UsageError(
                    f"{folder} holds {kept} of the server '{other.name}', and is not removed. "
                    "Do it by hand."
                )


def _place(name: str) -> Path:
    return state_folder() / names.check_name("server", name)


def _known(place: Path) -> Server | None:
    """Return the server of a folder; one whose file is broken is none, and can be made anew."""
    told = _read(place / "server.json")
    data, work, tmp = (told.get(kind) for kind in ("data", "work", "tmp"))
    if not all(isinstance(folder, str) and folder for folder in (data, work, tmp)):
        return None
    return Server(place.name, str(data), str(work), str(tmp))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, value: dict[str, Any]) -> None:
    _write_secret(path, json.dumps(value, indent=1))


def _write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else can read, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Let two commands at once take turns with one server."""
    import fcntl

    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
