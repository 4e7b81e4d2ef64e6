"""Our kernels for Jupyter: JupyterLab, plain papermill, nbclient and whatever starts kernels.

The kernel ``sinara`` that is installed with the package names this provisioner. All
other kernels use it with ``JUPYTER_DEFAULT_PROVISIONER_NAME=sinara-provisioner``.

Jupyter's clients keep their sockets over a restart, so each kernel is reached through links in a
folder that stays, which a restart lets point to the new kernel::

    <folder>/s-1 ... s-5 ─► the sockets of the kernel that runs now

Source:
    https://jupyter-client.readthedocs.io/en/stable/provisioning.html
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from sinara.errors import KernelDiedError
from sinara.kernels.exits import Exit
from sinara.kernels.inside import CHANNELS, SOCKET_PATH_LIMIT
from sinara.kernels.launch import IPC_PORTS, StartedKernel, start_kernel
from sinara.kernels.options import START_TIMEOUT, ExecuteOptions
from sinara.kernels.specs import KernelSpec

TICK = 0.02
STILL_THERE = "Some processes that the kernel started could not be ended."


class SinaraProvisioner(KernelProvisionerBase):
    """Starts a kernel warm where it can be, and ends it with all that it started."""

    kernel: StartedKernel | None = None
    folder: Path | None = None
    key = ""

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel."""
        return self.kernel is not None

    async def poll(self) -> int | None:
        """Return the kernel's exit code, negative for a signal; ``None`` while it runs."""
        if self.kernel is None:
            return 0
        how = self.kernel.process.poll()
        return None if how is None else _code(how)

    async def wait(self) -> int | None:
        """Wait until the kernel and all that it started are gone."""
        kernel, code = self.kernel, 0
        if kernel is not None:
            while (how := kernel.process.poll()) is None:
                await asyncio.sleep(TICK)
            code = _code(how)
            gone = await asyncio.get_running_loop().run_in_executor(None, kernel.close)
            if not gone:
                self.log.warning(STILL_THERE)
            self.kernel = None
        return code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.kernel is not None:
            self.kernel.process.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002
        """Kill the kernel and all that it started."""
        if self.kernel is not None:
            self.kernel.process.kill()

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Return what :meth:`launch_kernel` needs; the base class fills in the environment."""
        kwargs.pop("extra_arguments", None)
        kwargs.pop("transport_encryption", None)  # nobody else can open the sockets
        return await super().pre_launch(cmd=list(self.kernel_spec.argv), **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel and return where it is.

        Args:
            cmd: The argument list of its spec.
            kwargs: ``env`` and ``cwd`` of the kernel; the rest is of no use here.

        Raises:
            KernelDiedError: If it does not come up; the text has its last words.
        """
        if self.folder is None:
            self.folder, self.key = _make_folder(), secrets.token_hex(32)
        options = ExecuteOptions(
            runtime_folder=self.folder / "run",
            cwd=Path(kwargs.get("cwd") or Path.cwd()),
            env=dict(kwargs.get("env") or os.environ),
        )
        spec = self.kernel_spec
        started = start_kernel(
            KernelSpec(
                name="sinara",
                argv=tuple(cmd),
                language=spec.language,
                interrupt_mode=spec.interrupt_mode or "signal",
            ),
            options,
            key=self.key,
        )
        self.kernel = started
        await self._link(started)
        for text in started.warnings():
            self.log.warning("sinara: %s", text)
        return self._connection_info()

    async def cleanup(self, restart: bool = False) -> None:
        """Remove what is left of the kernel; the folder stays for a restart."""
        if self.kernel is not None:
            await self.kill()
            await self.wait()
        if not restart and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    async def _link(self, kernel: StartedKernel) -> None:
        """Let the links point to the kernel's sockets, once it says where they are."""
        assert self.folder is not None
        end = asyncio.get_running_loop().time() + START_TIMEOUT
        while (connection := kernel.connection()) is None or not kernel.process.pid:
            how = kernel.process.poll()
            if how is not None or asyncio.get_running_loop().time() > end:
                last_words = how.log.strip() if how else f"no answer after {START_TIMEOUT:g} s"
                kernel.close()
                self.kernel = None
                raise KernelDiedError(f"The kernel did not start: {last_words}")
            await asyncio.sleep(TICK)
        for number in IPC_PORTS.values():
            link, beside = self.folder / f"s-{number}", self.folder / f"new-{number}"
            beside.symlink_to(f"{connection.address}-{number}")
            beside.replace(link)
        kernel.process.set_deadline(None)

    def _connection_info(self) -> KernelConnectionInfo:
        info: dict[str, Any] = {f"{channel}_port": IPC_PORTS[channel] for channel in CHANNELS}
        info |= {"transport": "ipc", "ip": f"{self.folder}/s", "key": self.key.encode()}
        return cast("KernelConnectionInfo", {**info, "signature_scheme": "hmac-sha256"})


def _make_folder() -> Path:
    """Make a private folder with a path that is short enough for sockets."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) + len("/sinara-j-12345678/s-1") > SOCKET_PATH_LIMIT:
        folder = "/tmp"
    return Path(tempfile.mkdtemp(prefix="sinara-j-", dir=folder))


def _code(how: Exit) -> int:
    if how.signal is not None:
        return -how.signal
    return 1 if how.code is None else how.code
