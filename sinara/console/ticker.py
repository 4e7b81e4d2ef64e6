"""Call a function again and again while the main thread waits for a kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable

_PATIENCE = 1.0  # s; a thread that is stuck in a terminal which takes nothing is left behind


class Ticker:
    """A thread that exists only between :meth:`start` and :meth:`stop`."""

    def __init__(self, every: float, call: Callable[[], None]) -> None:
        """Call ``call``, which must not raise, every so many seconds."""
        self._every = every
        self._call = call
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._thread is not None:
            return
        self._end = threading.Event()
        thread = threading.Thread(target=self._run, args=(self._end,), name="console", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread to be had: what is told comes with the next event
            return
        self._thread = thread

    def stop(self) -> None:
        """Return when the thread is gone. If a signal interrupts this, call it again."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
            self._thread = None

    def _run(self, end: threading.Event) -> None:
        while not end.wait(self._every):
            self._call()
