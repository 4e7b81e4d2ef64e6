"""Talk to one kernel: send requests, and wait for whatever happens next.

All waits go through :meth:`Client.events`, which watches the kernel's channels, its
process and the driver's own signals together, and never longer than it is told. No send
can block: the sockets have a time limit and keep nothing after they are closed.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, Literal

import zmq

from sinara.kernels.exits import Exit
from sinara.kernels.launch import Connection, StartedKernel
from sinara.kernels.wire import Message, Wire

SEND_MILLISECONDS = 2000
RECONNECT_MILLISECONDS = 10  # the sockets appear while we already wait for them
BATCH = 200  # messages of one channel handled before the others get their turn

Channel = Literal["shell", "iopub", "control"]
Event = tuple[Channel, Message]


class Client:
    """The driver's end of one kernel."""

    def __init__(self, kernel: StartedKernel, *, limit: int, wake: int | None = None) -> None:
        self.kernel = kernel
        self._limit = limit
        self._wire = Wire("", limit)
        self._wake = wake
        self._context = zmq.Context(io_threads=1)
        self._poller = zmq.Poller()
        self._sockets: dict[Channel, zmq.Socket[bytes]] = {}
        self._connected: Connection | None = None

    @property
    def exit(self) -> Exit | None:
        """How the kernel's process ended, or ``None`` while it runs."""
        return self.kernel.process.poll()

    @property
    def connected(self) -> bool:
        """Whether there are channels on which a kernel may answer."""
        return bool(self._sockets)

    def connect(self) -> bool:
        """Open the channels; False if the kernel has not said yet where they are.

        A kernel that waited ahead may die before it begins, and another one take its place.
        """
        connection = self.kernel.connection()
        if self._sockets and connection == self._connected:
            return True
        self._hang_up()
        if connection is None:
            return False
        self._connected = connection
        self._wire = Wire(connection.key, self._limit)
        kinds: dict[Channel, int] = {"shell": zmq.DEALER, "iopub": zmq.SUB, "control": zmq.DEALER}
        for channel, kind in kinds.items():
            socket = self._context.socket(kind)
            socket.linger = 0
            socket.set(zmq.SNDTIMEO, SEND_MILLISECONDS)
            socket.set(zmq.RECONNECT_IVL, RECONNECT_MILLISECONDS)
            if kind == zmq.SUB:
                socket.set(zmq.RCVHWM, 0)  # a full queue would lose outputs without a word
                socket.set(zmq.SUBSCRIBE, b"")
            socket.connect(connection.url(channel))
            self._sockets[channel] = socket
            self._poller.register(socket, zmq.POLLIN)
        return True

    def send(self, kind: str, content: dict[str, Any], *, channel: Channel = "shell") -> str:
        """Send a request and return its id; a kernel that takes nothing is not waited for."""
        identity, parts = self._wire.request(kind, content)
        if channel not in self._sockets:
            return identity
        try:
            self._sockets[channel].send_multipart(parts)
        except zmq.ZMQError:
            return identity  # it will not be answered, and every answer has a time limit
        return identity

    def execute(self, code: str, *, silent: bool = False, stop_on_error: bool = True) -> str:
        """Ask the kernel to run ``code``; return the request's id."""
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": stop_on_error,
        }
        return self.send("execute_request", content)

    def events(self, seconds: float) -> Iterator[Event]:
        """Wait up to ``seconds`` for news, then yield the messages that have arrived.

        Also returns, without a message, when the process ended or a signal came.
        """
        watched = [fd for fd in (self.kernel.process.fileno(), self._wake) if fd is not None]
        for fd in watched:
            self._poller.register(fd, zmq.POLLIN)
        if self.kernel.process.fileno() is None:
            seconds = min(seconds, 0.2)  # its end is only seen by asking
        try:
            ready = dict(self._poller.poll(max(0, int(seconds * 1000))))
        finally:
            for fd in watched:
                self._poller.unregister(fd)
        for channel, socket in self._sockets.items():
            if socket in ready:
                yield from ((channel, message) for message in self._received(socket))

    def interrupt(self) -> None:
        """Interrupt the running cell, in the way that the kernel wants it."""
        if self.kernel.spec.interrupt_mode == "message":
            self.send("interrupt_request", {}, channel="control")
        else:
            self.kernel.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Close the channels; what was not sent is dropped."""
        self._hang_up()
        self._context.term()

    def _hang_up(self) -> None:
        for socket in self._sockets.values():
            self._poller.unregister(socket)
            socket.close(linger=0)
        self._sockets.clear()

    def _received(self, socket: zmq.Socket[bytes]) -> Iterator[Message]:
        for _ in range(BATCH):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            message = self._wire.read([frame.buffer for frame in frames])
            if message is not None:
                yield message
