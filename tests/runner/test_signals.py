"""What signals mean to a run."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sinara.errors import InterruptedRunError
from sinara.runner import signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_run_by_name(name):
    def kill_oneself() -> None:
        with signals.as_errors():
            os.kill(os.getpid(), getattr(signal, name))
            signal.sigtimedwait([], 1)

    with pytest.raises(InterruptedRunError, match=name):
        kill_oneself()


def test_a_deferred_signal_waits_and_is_told():
    with signals.as_errors():
        with signals.deferred() as seen:
            os.kill(os.getpid(), signal.SIGTERM)

        assert seen == ["SIGTERM"]


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)

    with signals.as_errors():
        assert signal.getsignal(signal.SIGTERM) is not before

    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_sets_no_handlers():
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with signals.as_errors():
                pass
        except BaseException as error:  # pragma: no cover
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert failures == []


def test_a_signal_is_remembered_even_if_others_make_another_error_of_it():
    def kill_oneself() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 1)
        except InterruptedRunError as error:
            raise ValueError("wrapped") from error

    with signals.as_errors() as seen, pytest.raises(ValueError, match="wrapped"):
        kill_oneself()

    assert signals.stopped_by(seen) == "Stopped by SIGTERM."
