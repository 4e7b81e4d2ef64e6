"""Work shared with a forked copy of the process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sinara.graph import halves
from sinara.graph.halves import in_halves

ITEMS = [str(n) for n in range(101)]


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """xdist and timeouts have threads: as if there were none."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_everything_is_done_once_and_in_order_by_two_processes():
    done = in_halves(lambda item: [item, os.getpid()], ITEMS)

    assert [item for item, _ in done] == ITEMS
    assert len({pid for _, pid in done}) == min(2, len(os.sched_getaffinity(0)))


def test_a_child_that_dies_leaves_its_part_to_this_process():
    own = os.getpid()

    def work(item: str) -> str:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert in_halves(work, ITEMS) == ITEMS


def test_an_error_here_leaves_no_child_behind(monkeypatch):
    own = os.getpid()
    started: list[int] = []
    real = halves._start

    def start(*arguments):
        pid, reader = real(*arguments)
        started.append(pid)
        return pid, reader

    monkeypatch.setattr(halves, "_start", start)

    def work(item: str) -> str:
        if os.getpid() == own:
            raise ValueError(item)
        threading.Event().wait(60)
        return item

    with pytest.raises(ValueError, match="0"):
        in_halves(work, ITEMS)

    with pytest.raises(ChildProcessError):
        os.waitpid(started[0], os.WNOHANG)


def test_with_other_threads_or_little_to_do_nothing_is_forked(monkeypatch):
    assert len(set(in_halves(lambda _: os.getpid(), ITEMS[:5]))) == 1

    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert in_halves(lambda _: os.getpid(), ITEMS) == [os.getpid()] * len(ITEMS)


def test_names_that_are_no_utf8_come_back_as_they_were():
    odd = [f"{n}\udcff" for n in range(100)]

    assert in_halves(lambda item: item, odd) == odd
