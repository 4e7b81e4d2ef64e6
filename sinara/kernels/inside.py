"""What is changed inside an ipykernel, ours or another environment's.

Imports the standard library when it is imported, and ipykernel only in the functions: it is
also read by interpreters in which sinara is not installed (see :mod:`sinara.kernels.boot`).
"""

from __future__ import annotations

import os
from typing import Any

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
SOCKET_PATH_LIMIT = 90  # bytes; sockaddr_un holds 104 on macOS and 108 on Linux


def leave_the_network(address: str) -> None:
    """Let the output of forked children come through a socket in the kernel's folder.

    ipykernel opens a port on 127.0.0.1 for it, where any user of the machine can knock.

    Args:
        address: The path of the socket, free to be made.
    """
    from ipykernel.iostream import IOPubThread

    if not hasattr(IOPubThread, "_setup_pipe_in") or not hasattr(IOPubThread, "_setup_pipe_out"):
        return  # an ipykernel that does it in another way

    def setup_pipe_in(self: Any) -> None:
        import zmq
        from zmq.eventloop.zmqstream import ZMQStream

        self._pipe_uuid = os.urandom(16)
        self._pipe_port = 0
        pipe = self.socket.context.socket(zmq.PULL)
        pipe.linger = 0
        pipe.bind(f"ipc://{address}")
        self._pipe_in = ZMQStream(pipe, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def setup_pipe_out(self: Any) -> tuple[Any, Any]:  # noqa: ARG001
        import zmq

        context = zmq.Context()  # a new one after the fork
        pipe = context.socket(zmq.PUSH)
        pipe.linger = 3000
        pipe.connect(f"ipc://{address}")
        return context, pipe

    thread: Any = IOPubThread
    thread._setup_pipe_in = setup_pipe_in
    thread._setup_pipe_out = setup_pipe_out


def private_environment(folder: str) -> dict[str, str]:
    """Return what keeps a kernel apart from the user's own IPython and Jupyter."""
    return {
        "IPYTHONDIR": f"{folder}/ipython",
        "JUPYTER_RUNTIME_DIR": f"{folder}/runtime",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # or the debugger warns at every start
    }
