"""A process without a guard, where there is no POSIX: started, signalled, killed; no more."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from sinara.kernels.exits import LOG_TAIL, NEVER_STARTED, Exit


class PlainProcess:
    """One process; its methods are those of :class:`sinara.kernels.processes.Process`."""

    place: Mapping[str, str] | None = None
    told = ""
    stopped: tuple[int, float] | None = None
    is_warm = False
    refused: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        folders: Sequence[Path] = (),
        stdio: tuple[int, int] | None = None,
    ) -> None:
        self.pid = 0
        self._folders = tuple(folders)
        self._timer: threading.Timer | None = None
        self._killed_by: str | None = None
        self._exit: Exit | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        out, err = stdio or (self._log.fileno(), self._log.fileno())
        try:
            self._process = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=dict(env), cwd=cwd
            )
            self.pid = self._process.pid
        except OSError as error:
            self._exit = Exit(killed_by=NEVER_STARTED, log=str(error))

    def fileno(self) -> int | None:
        """Nothing: its end is only seen by asking."""
        return None

    def poll(self) -> Exit | None:
        """How it ended, or ``None`` while it runs."""
        return self.wait(0)

    def wait(self, seconds: float) -> Exit | None:
        """Wait for its end, but no longer than this."""
        if self._exit is None and self._process is not None:
            try:
                code = self._process.wait(timeout=max(seconds, 0))
            except subprocess.TimeoutExpired:
                return None
            self._log.seek(0)
            log = self._log.read()[-LOG_TAIL:].decode("utf-8", "replace")
            number = -code if code < 0 else None
            self._exit = Exit(None if number else code, number, None, self._killed_by, log)
        return self._exit

    def send_signal(self, number: int) -> None:
        """Send a signal, where the system knows it."""
        if self._process is not None:
            with suppress(OSError, ValueError):
                self._process.send_signal(number)

    def set_deadline(self, seconds: float | None) -> None:
        """Have a thread kill it in so many seconds."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = threading.Timer(seconds, self._kill, ("the watchdog",))
            self._timer.daemon = True
            self._timer.start()

    def kill(self) -> None:
        """Kill it; what it started stays."""
        self._kill("the driver")

    def close(self) -> bool:
        """Kill it, and remove its folders."""
        self.set_deadline(None)
        self.kill()
        if self._process is not None:
            self._process.wait()
        self.poll()
        self._log.close()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _kill(self, cause: str) -> None:
        if self._process is not None and self._process.poll() is None:
            self._killed_by = self._killed_by or cause
            self._process.kill()
