"""A kernel that was forked, not started: what it does from the fork to its end.

::

    fork ─► boot IPython and its sockets ─► wait ─► become what the order says ─► run ─► leave

Up to the order nothing is known of the notebook, and all of it is done before anybody waits.
The process is used for one notebook and never again.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sinara.kernels.guard import apply_limits
from sinara.kernels.inside import CHANNELS, leave_the_network, private_environment
from sinara.kernels.order import Order
from sinara.kernels.posix import set_name

ARGUMENTS = ("--HistoryManager.hist_file=:memory:",)
NAME, NAME_WAITING = "sinara-kernel", "sinara-spare"  # as ps and top show it


class WarmKernel:
    """A kernel that waits in its own folder.

    Args:
        folder: Its private folder; made here, removed by its guard.
        added: What the preloaded modules put into the environment when they were imported.
    """

    def __init__(self, folder: str, added: dict[str, str]) -> None:
        self.folder = folder
        self.says = {"folder": folder}
        self._added = added
        self._app: Any = None
        os.makedirs(folder, mode=0o700)  # noqa: PTH103

    def live(self, channel: socket.socket) -> None:
        """Boot, say ``ready``, wait for the order, and be the kernel until it ends."""
        code = 1
        try:
            self._boot()
            channel.sendall(b'{"ready": true}\n')
            order, grouped = _read_order(channel)
            try:
                self._become(order, grouped=grouped)
            except OSError as error:
                why = f"{error.strerror or error}: {error.filename or order.cwd}"
                channel.sendall(json.dumps({"failed": why}).encode() + b"\n")
                os._exit(1)
            channel.sendall(b'{"became": true}\n')
            channel.close()
            self._app.start()
            self._hang_up()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # told where the guard keeps the last words of every kernel
            sys.__excepthook__(*sys.exc_info())
        finally:
            leave(code)

    def _boot(self) -> None:
        """Start IPython and its threads, and open the sockets."""
        set_name(NAME_WAITING)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python has it when it starts
            signal.signal(number, signal.SIG_IGN)
        gc.enable()
        _renew_random_state()
        before = dict(os.environ)
        os.environ.update(private_environment(self.folder))
        file = Path(self.folder, "connection.json")
        file.touch(0o600)
        file.write_text(json.dumps(self._connection()), encoding="utf-8")
        sys.argv = [_launcher(), "-f", str(file)]
        sys.path[:] = [path for path in sys.path if path]
        for name in [name for name in sys.modules if name.startswith("sinara.kernels")]:
            del sys.modules[name]  # our own state is nothing that a notebook should find
        leave_the_network(f"{self.folder}/s-6")
        from ipykernel.kernelapp import IPKernelApp

        app: Any = IPKernelApp.instance()
        self._app = app
        app.log_connection_info = lambda: _note_ports(app)
        app.initialize(["-f", str(file), *ARGUMENTS])
        self._added |= {k: v for k, v in os.environ.items() if before.get(k) != v}

    def _hang_up(self) -> None:
        """Let go of the channels without closing them in order.

        ``IPKernelApp.close`` can wait ten seconds for its own thread, when that waits for the
        thread that was stopped just before. The system closes sockets well enough.
        """
        import atexit

        atexit.unregister(self._app.close)
        atexit.unregister(self._app.iopub_thread.stop)
        self._app.reset_io()

    def _connection(self) -> dict[str, object]:
        return {
            "transport": "ipc",
            "ip": f"{self.folder}/s",
            "key": "",  # comes with the order; until then nobody is listened to
            "signature_scheme": "hmac-sha256",
            "kernel_name": "python3",
            **{f"{name}_port": number for number, name in enumerate(CHANNELS, start=1)},
        }

    def _become(self, order: Order, *, grouped: bool) -> None:
        """Take over what the order says of the environment of this process."""
        set_name(NAME)
        os.environ.clear()
        os.environ.update({**self._added, **order.env, **private_environment(self.folder)})
        time.tzset()
        if order.umask is not None:
            os.umask(order.umask)
        os.chdir(order.cwd)
        self._app.session.key = order.key.encode()
        shell = self._app.shell
        shell.starting_dir = order.cwd
        shell.user_ns["_dh"][:] = [Path(order.cwd)]
        apply_limits(order, grouped=grouped)


def leave(code: int) -> None:
    """End this process as the interpreter would, but without taking its modules apart.

    Threads are waited for, ``atexit`` work is done, what the notebook made is let go (so that
    a file that was never closed gets its last bytes), and files that something else still
    holds are flushed.
    """
    with contextlib.suppress(BaseException):
        getattr(threading, "_shutdown", lambda: None)()
    with contextlib.suppress(BaseException):
        import atexit

        atexit._run_exitfuncs()
    _let_go()
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            if stream is not None:
                stream.flush()
    os._exit(code & 0xFF)


def _let_go() -> None:
    import io

    with contextlib.suppress(BaseException):
        main = sys.modules.get("__main__")
        if main is not None:
            main.__dict__.clear()
        sys.last_traceback = sys.last_value = None
        gc.collect()
    for thing in gc.get_objects():  # without what was there before the fork
        if isinstance(thing, io.IOBase) and thing not in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):
                if not thing.closed:
                    thing.flush()


def _read_order(channel: socket.socket) -> tuple[Order, bool]:
    """Return the order and whether a control group limits the memory; leave if none comes."""
    data = b""
    while not data.endswith(b"\n"):
        more = channel.recv(1 << 20)
        if not more:
            os._exit(0)
        data += more
    order = json.loads(data)
    grouped = bool(order.pop("grouped"))
    return Order(**order), grouped


def _renew_random_state() -> None:
    """Forked kernels must not draw the same numbers; ``random`` sees to itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _launcher() -> str:
    import importlib.util

    found = importlib.util.find_spec("ipykernel_launcher")
    return str(found.origin) if found and found.origin else "ipykernel_launcher"


def _note_ports(app: Any) -> None:
    """Keep what ``IPKernelApp.log_connection_info`` keeps, and print nothing."""
    app._ports = {channel: getattr(app, f"{channel}_port") for channel in CHANNELS}
