"""Start one kernel in a private place.

Everything of a kernel lies in one folder that nobody else can enter, and is gone with it::

    <the supervisor's folder>/k-XXXXXXXX/   0700
        connection.json                     ipc transport, and the key that signs messages
        s-1 ... s-6                         the sockets
        ipython/  runtime/                  IPYTHONDIR and JUPYTER_RUNTIME_DIR: no user's
                                            configuration is read, no history file is shared
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.kernels import processes
from sinara.kernels.inside import CHANNELS, private_environment
from sinara.kernels.options import ExecuteOptions
from sinara.kernels.order import Order
from sinara.kernels.specs import KernelSpec, find_kernel

FILE_NAME = "connection.json"
IPC_PORTS = {channel: number for number, channel in enumerate(CHANNELS, start=1)}


@dataclass(frozen=True)
class Connection:
    """Where a kernel's five channels are, and the key that signs its messages."""

    transport: str  # "ipc", or "tcp" where there is no ipc
    address: str  # path prefix of the sockets, or an IP address
    ports: Mapping[str, int]
    key: str

    def url(self, channel: str) -> str:
        """Return the ZeroMQ address of one channel."""
        separator = "-" if self.transport == "ipc" else ":"
        return f"{self.transport}://{self.address}{separator}{self.ports[channel]}"


class StartedKernel:
    """A kernel that was started a moment ago and may not answer yet.

    Args:
        spec: Which kernel.
        place: Where an ordinary kernel of it has its files, if one is started.
        why_cold: Why nobody can expect it to be warm; ``None`` if it should be.
    """

    def __init__(self, spec: KernelSpec, place: Place, why_cold: str | None) -> None:
        self.spec = spec
        self.process: processes.Process
        self._place = place
        self._as_asked = why_cold is not None

    @property
    def how(self) -> str:
        """How it was started, in words: ``warm``, or ``cold`` and why."""
        if self.process.is_warm:
            return "warm"
        return f"cold: {self.process.told}" if self.process.told else "cold"

    @property
    def file(self) -> Path:
        """The connection file."""
        known = self.process.place
        return Path(known["folder"], FILE_NAME) if known else self._place.file

    def connection(self) -> Connection | None:
        """Return where its channels are, or ``None`` if it has not said so yet."""
        known = self.process.place
        if known is not None:
            return Connection("ipc", f"{known['folder']}/s", IPC_PORTS, self._place.key)
        if self.process.is_warm:
            self.process.poll()
            return None
        return read_ports(self._place.file, self._place.connection)

    def warnings(self) -> list[str]:
        """Return what a person should know of how kernels start here; each is told once."""
        found = [
            f"Module '{module}' is not imported ahead: {why}."
            for module, why in self.process.refused.items()
        ]
        if self.process.told and not self._as_asked:
            found.append(f"Kernels start cold here: {self.process.told}.")
        return [text for text in found if _first_time(text)]

    def close(self) -> bool:
        """Kill it and all that it started; True if nothing is left."""
        return self.process.close()


def start_ahead(
    options: ExecuteOptions, metadata: Mapping[str, Any] | None = None
) -> StartedKernel:
    """Start a kernel now that :func:`sinara.execute.execute_notebook` gets later.

    A kernel may need most of a second to boot; the driver can import and read meanwhile.
    Nothing heavy is imported here. Whoever does not hand it over has to ``close()`` it.

    Args:
        options: As for :func:`~sinara.execute.execute_notebook`.
        metadata: The notebook's metadata, for the name of its kernel.

    Raises:
        NotebookError: If the kernel is not installed; nothing was started then.
    """
    return start_kernel(find_kernel(options.kernel_name, metadata), options)


def start_kernel(spec: KernelSpec, options: ExecuteOptions, *, key: str = "") -> StartedKernel:
    """Start a kernel without waiting for it: a warm one if that is possible.

    Args:
        spec: Which kernel.
        options: Its folders, environment and limits; ``start_timeout`` is when it is killed
            unless somebody takes it over.
        key: What signs its messages; a new one if it is empty.
    """
    options.runtime_folder.mkdir(parents=True, exist_ok=True)
    key = key or secrets.token_hex(32)
    place = Place(spec, options, key)
    why_cold = _why_cold(spec, options)
    kernel = StartedKernel(spec, place, why_cold)
    if processes.IS_POSIX:
        from sinara.kernels.guarded import GuardedProcess
        from sinara.kernels.pool import any_pool, pool

        supervisor = any_pool() if why_cold else pool(warm=True, preload=options.preload)
        told = why_cold or supervisor.misfit({**options.env, **spec.env})
        order = None if told else place.order(None)
        kernel.process = GuardedProcess(
            place.ordinary, supervisor=supervisor, warm=order, told=told or ""
        )
    else:
        order = place.ordinary(options.runtime_folder)
        kernel.process = processes.start(
            order.argv or (),
            env=order.env,
            cwd=options.cwd,
            folders=[Path(folder) for folder in order.folders],
        )
    kernel.process.set_deadline(options.start_timeout)
    return kernel


def _why_cold(spec: KernelSpec, options: ExecuteOptions) -> str | None:
    """Return why this kernel is started and not forked; ``None`` if it can be forked."""
    if sys.platform != "linux":
        return "this system cannot fork a process that is at work"
    if not options.warm:
        return "the settings say so"
    if spec.language != "python":
        return f"its language is {spec.language}"
    if not spec.is_own:
        return "it has an interpreter of its own"
    return None


_told: set[str] = set()


def _first_time(text: str) -> bool:
    """True if this was not told in this process before."""
    if text in _told:
        return False
    _told.add(text)
    return True


class Place:
    """Where an ordinary kernel has its files; they are made when they are needed."""

    def __init__(self, spec: KernelSpec, options: ExecuteOptions, key: str) -> None:
        self.key = key
        self._spec = spec
        self._options = options
        self.file = Path()
        self.connection = Connection("", "", {}, "")

    def ordinary(self, base: Path) -> Order:
        """Make a folder in ``base`` and the connection file; return the order for the kernel."""
        folder = Path(tempfile.mkdtemp(prefix="k-", dir=base))
        self.connection = new_connection(folder, self.key)
        self.file = folder / FILE_NAME
        self.file.touch(0o600)
        info = _connection_info(self.connection, self._spec)
        self.file.write_text(json.dumps(info), encoding="utf-8")
        argv = self._spec.command(self.file)
        if self._spec.is_ipykernel:
            argv.append("--HistoryManager.hist_file=:memory:")
        return self.order(argv, folder)

    def order(self, argv: list[str] | None, folder: Path | None = None) -> Order:
        """Return a start order for this kernel."""
        options = self._options
        return Order(
            argv,
            kernel_environment(options.env, self._spec, folder),
            str(options.cwd),
            [str(folder)] if folder else [],
            processes.current_umask(),
            options.limits.memory,
            options.limits.cpu_seconds,
            self.key,
        )


def new_connection(folder: Path, key: str) -> Connection:
    """Return a new connection: sockets in ``folder``, or ports that the kernel chooses."""
    if processes.IS_POSIX:
        return Connection("ipc", str(folder / "s"), IPC_PORTS, key)
    return Connection("tcp", "127.0.0.1", dict.fromkeys(CHANNELS, 0), key)


def kernel_environment(
    env: Mapping[str, str], spec: KernelSpec, folder: Path | None
) -> dict[str, str]:
    """Return the whole environment of a kernel; one with a folder is kept apart in it."""
    private = private_environment(str(folder)) if folder else {}
    added = {key: _expand(value, env) for key, value in spec.env.items()}
    kept = {key: value for key, value in env.items() if key not in {"JPY_PARENT_PID"}}
    return {**kept, **added, **private}


def read_ports(file: Path, connection: Connection) -> Connection | None:
    """Return the connection with the ports that a tcp kernel wrote, once it has."""
    if all(connection.ports.values()):
        return connection
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ports = {channel: int(info[f"{channel}_port"]) for channel in CHANNELS}
    if not all(ports.values()):
        return None
    return Connection(connection.transport, connection.address, ports, connection.key)


def _connection_info(connection: Connection, spec: KernelSpec) -> dict[str, object]:
    return {
        "transport": connection.transport,
        "ip": connection.address,
        "key": connection.key,
        "signature_scheme": "hmac-sha256",
        "kernel_name": spec.name,
        **{f"{channel}_port": port for channel, port in connection.ports.items()},
    }


def _expand(value: str, env: Mapping[str, str]) -> str:
    """Fill in ``${NAME}`` in a kernel spec's environment, as Jupyter does."""
    for name, known in env.items():
        value = value.replace(f"${{{name}}}", known)
    return value
