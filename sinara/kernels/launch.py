"""Start one kernel in a private place.

Everything of a kernel lies in one folder that nobody else can enter, and is gone with it::

    <runtime folder>/k-XXXXXXXX/      0700
        connection.json               ipc transport, and the key that signs messages
        s-1 ... s-5                   the sockets (in /tmp if the path would be too long)
        ipython/  runtime/            IPYTHONDIR and JUPYTER_RUNTIME_DIR: no user's
                                      configuration is read, no history file is shared
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara.kernels import processes
from sinara.kernels.options import ExecuteOptions
from sinara.kernels.specs import KernelSpec, find_kernel

SOCKET_PATH_LIMIT = 90  # bytes; sockaddr_un holds 104 on macOS and 108 on Linux
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


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


@dataclass(frozen=True)
class StartedKernel:
    """A kernel that was started a moment ago and may not answer yet."""

    spec: KernelSpec
    process: processes.Process
    connection: Connection
    file: Path  # the connection file

    def close(self) -> bool:
        """Kill it and all that it started; True if nothing is left."""
        return self.process.close()


def start_ahead(
    options: ExecuteOptions, metadata: Mapping[str, Any] | None = None
) -> StartedKernel:
    """Start a kernel now that :func:`sinara.execute.execute_notebook` gets later.

    A kernel needs most of a second to boot; the driver can import and read meanwhile.
    Nothing heavy is imported here. Whoever does not hand it over has to ``close()`` it.

    Args:
        options: As for :func:`~sinara.execute.execute_notebook`.
        metadata: The notebook's metadata, for the name of its kernel.

    Raises:
        NotebookError: If the kernel is not installed; nothing was started then.
    """
    return start_kernel(
        find_kernel(options.kernel_name, metadata),
        runtime_folder=options.runtime_folder,
        cwd=options.cwd,
        env=options.env,
        start_timeout=options.start_timeout,
    )


def start_kernel(
    spec: KernelSpec,
    *,
    runtime_folder: Path,
    cwd: Path,
    env: Mapping[str, str],
    start_timeout: float = 60.0,
) -> StartedKernel:
    """Start a kernel without waiting for it, so that there is time to import the rest.

    Args:
        spec: Which kernel.
        runtime_folder: Where its private folder is made; it is made too if it is missing.
        cwd: The notebook's working directory.
        env: The kernel's whole environment, to which only private folders are added.
        start_timeout: Seconds after which it is killed unless somebody takes it over.
    """
    runtime_folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="k-", dir=runtime_folder))
    sockets = folder
    if processes.IS_POSIX and len(os.fsencode(folder / "s-1")) > SOCKET_PATH_LIMIT:
        sockets = Path(tempfile.mkdtemp(prefix="sinara-k-", dir="/tmp"))
    connection = new_connection(sockets)
    file = folder / "connection.json"
    file.touch(0o600)
    file.write_text(json.dumps(_connection_info(connection, spec)), encoding="utf-8")
    argv = spec.command(file)
    if spec.is_ipykernel:
        argv.append("--HistoryManager.hist_file=:memory:")
    process = processes.start(
        argv,
        env=kernel_environment(env, spec, folder),
        cwd=cwd,
        folders=sorted({folder, sockets}),
    )
    process.set_deadline(start_timeout)
    return StartedKernel(spec, process, connection, file)


def new_connection(folder: Path) -> Connection:
    """Return a fresh connection: sockets in ``folder``, or ports that the kernel chooses."""
    key = secrets.token_hex(32)
    if processes.IS_POSIX:
        ports = {channel: number for number, channel in enumerate(CHANNELS, start=1)}
        return Connection("ipc", str(folder / "s"), ports, key)
    return Connection("tcp", "127.0.0.1", dict.fromkeys(CHANNELS, 0), key)


def kernel_environment(env: Mapping[str, str], spec: KernelSpec, folder: Path) -> dict[str, str]:
    """Return the whole environment of a kernel that lives in ``folder``."""
    private = {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # or the debugger warns at every start
    }
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
