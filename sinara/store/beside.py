"""Work that is done while something else is waited for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Do ``work`` in a thread while the body runs; at its end wait for it.

    What ``work`` raises is raised at the end of the body. If the body raises, a signal perhaps,
    nobody waits: what the work would have said does not matter any more.
    """
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded, name="sinara-beside", daemon=True)
    thread.start()
    yield
    thread.join()
    if raised:
        raise raised[0]
