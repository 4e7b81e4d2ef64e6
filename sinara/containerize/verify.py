"""The image that was built, started, has to answer what the notebook predicted."""

from __future__ import annotations

import time

from sinara.errors import AnswersDifferError, ImageError
from sinara.images.values import Backend, Built, Running, Say
from sinara.serving import ask
from sinara.serving.server import has_failed, is_ready
from sinara.serving.values import Samples

READY = 120.0  # seconds that a service in a container may take to start
_LOOK = 2.0  # seconds between two looks at its log


def verify(backend: Backend, built: Built, samples: Samples, say: Say) -> str:
    """Start an image, wait for its health, ask it the samples; return what was verified.

    Args:
        backend: What built it.
        built: The image.
        samples: Requests, and what the notebook predicted.
        say: Is told what happens.

    Raises:
        ImageError: If it cannot be started, or is not ready in time; with its log.
        AnswersDifferError: One line per sample that is answered otherwise, then its log.
    """
    running = backend.run(built)
    try:
        say(f"Started the image in {running.how}, on {running.url}")
        _wait_ready(running)
        outcomes = list(ask.replay(running.url, samples))
        wrong = [f"/{outcome.route}: {outcome.differs}" for outcome in outcomes if outcome.differs]
        if wrong:
            raise AnswersDifferError(
                "The image does not answer what the notebook predicted, and gets no name:",
                *wrong,
                f"Its last lines:\n{running.log()}",
            )
        count = len(outcomes)
        asked = f"{count} {'sample' if count == 1 else 'samples'}" if count else "health only"
        return f"{asked}, in {running.how}"
    finally:
        running.stop()


def _wait_ready(running: Running) -> None:
    began = looked = time.monotonic()
    while time.monotonic() - began < READY:
        if is_ready(running.url):
            return
        if not running.alive():
            raise ImageError(f"The image ended at once, and gets no name.{_told(running)}")
        if time.monotonic() - looked > _LOOK:
            looked = time.monotonic()
            if has_failed(running.log()):
                raise ImageError(
                    f"The service in the image cannot start, and it gets no name.{_told(running)}"
                )
        time.sleep(0.1)
    raise ImageError(f"The image was not ready after {READY:g} s.{_told(running)}")


def _told(running: Running) -> str:
    log = running.log().strip()
    return f" Its last lines:\n{log}" if log else " It wrote nothing."
