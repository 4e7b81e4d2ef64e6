"""Work beside other work: its errors count, unless something else went wrong before."""

from __future__ import annotations

import threading

import pytest

from sinara.store.beside import beside


def test_the_end_of_the_body_waits_for_the_work():
    done = []

    with beside(lambda: done.append(threading.current_thread())):
        pass

    assert done != [threading.current_thread()]
    assert len(done) == 1


def test_an_error_of_the_work_is_raised_after_the_body():
    steps = []

    def fail() -> None:
        raise KeyError("work")

    with pytest.raises(KeyError, match="work"), beside(fail):
        steps.append("body")

    assert steps == ["body"]


def test_an_error_of_the_body_does_not_wait_for_the_work():
    go_on = threading.Event()

    with pytest.raises(KeyboardInterrupt), beside(lambda: go_on.wait(60) and None):
        raise KeyboardInterrupt

    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "sinara-beside":
            thread.join(10)
